import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';

const resolutionMs = 1;

/** How long the event loop was away at most. Milliseconds. */
export interface LoopStalls {
  readonly longestStallMs: number;
  readonly stallP999Ms: number;
  /** The longest pause of the garbage collector within the same time: part of a stall may be that. */
  readonly longestGcMs: number;
}

/**
 * Runs `work` with a timer of 1 ms beside it and says how late that timer was. What the machine itself takes (another
 * process on the same core) counts too; `controlStalls` tells how much that is.
 */
export async function withLoopStalls<T>(
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly stalls: LoopStalls }> {
  let longestGcMs = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longestGcMs = Math.max(longestGcMs, duration);
  });
  observer.observe({ entryTypes: ['gc'] });
  const loop = monitorEventLoopDelay({ resolution: resolutionMs });
  loop.enable();
  try {
    const result = await work();
    // The timer that is late must have its turn before the histogram is read.
    await new Promise((resolve) => setTimeout(resolve, 2 * resolutionMs));
    const late = (nanoseconds: number) => Math.max(0, nanoseconds / 1e6 - resolutionMs);
    return {
      result,
      stalls: { longestStallMs: late(loop.max), stallP999Ms: late(loop.percentile(99.9)), longestGcMs },
    };
  } finally {
    loop.disable();
    observer.disconnect();
  }
}

/** The same measured over a loop that is busy and never away for more than half a millisecond: what the machine adds. */
export async function controlStalls(seconds: number): Promise<LoopStalls> {
  const endMs = performance.now() + seconds * 1_000;
  const { stalls } = await withLoopStalls(async () => {
    while (performance.now() < endMs) {
      const sliceMs = performance.now() + 0.5;
      while (performance.now() < sliceMs);
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  return stalls;
}
