import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { LatencyRecorder } from './latency-recorder.js';
import type { SyncProbe } from './report.js';

const blockBytes = 4_096;
const fileBlocks = 1_024;

/**
 * What the disk itself can do: overwrite a block of a file written before, `fdatasync`, again, for so long. It blocks
 * the thread, as nothing else may run beside it. Numbers of stores mean little without this one of the same run.
 */
export function probeSync(directory: string, seconds: number): SyncProbe {
  const path = join(directory, 'sync-probe');
  const fd = openSync(path, 'w+');
  try {
    const block = Buffer.alloc(blockBytes, 1);
    for (let i = 0; i < fileBlocks; i++) writeSync(fd, block, 0, blockBytes, i * blockBytes);
    fdatasyncSync(fd);
    const latencies = new LatencyRecorder();
    const startMs = performance.now();
    let nowMs = startMs;
    let syncs = 0;
    for (; nowMs - startMs < seconds * 1_000; syncs++) {
      writeSync(fd, block, 0, blockBytes, (syncs % fileBlocks) * blockBytes);
      fdatasyncSync(fd);
      const afterMs = performance.now();
      latencies.record(afterMs - nowMs);
      nowMs = afterMs;
    }
    const { p50Ms = 0, p99Ms = 0 } = latencies.summary() ?? {};
    return { perSecond: (syncs * 1_000) / (nowMs - startMs), p50Us: p50Ms * 1_000, p99Us: p99Ms * 1_000 };
  } finally {
    closeSync(fd);
    rmSync(path);
  }
}
