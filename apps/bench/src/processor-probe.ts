import type { ProcessorProbe } from './report.js';

const block = 1_000_000;

/**
 * What one thread gets of a processor: a fixed loop of integer work, for so long. `millionPerCpuSecond` falls where the core is
 * shared below the operating system; `cpuShare` falls where other processes run. Both lower what a server can do.
 */
export function probeProcessor(seconds: number): ProcessorProbe {
  let mixed = mixBlock(1);
  const before = process.cpuUsage();
  const startMs = performance.now();
  let blocks = 0;
  for (; performance.now() - startMs < seconds * 1_000; blocks++) mixed = mixBlock(mixed);
  const elapsedMs = performance.now() - startMs;
  const { user, system } = process.cpuUsage(before);
  const cpuMs = (user + system) / 1_000;
  // A use of the result, so that the loop cannot be left out.
  if (!Number.isInteger(mixed)) throw new Error('the probe lost its number');
  return { millionPerCpuSecond: (blocks * block) / cpuMs / 1_000, cpuShare: Math.min(1, cpuMs / elapsedMs) };
}

function mixBlock(seed: number): number {
  let mixed = seed;
  for (let i = 0; i < block; i++) mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b) ^ i;
  return mixed;
}
