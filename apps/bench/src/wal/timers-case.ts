import { join } from 'node:path';
import type { Disk } from '@shanghai/env';
import { openWal, type Wal } from '@shanghai/wal';
import { closedLoop } from '../closed-loop.js';
import { delayedDisk } from '../delayed-disk.js';
import type { Measurement } from '../report.js';
import { TimerLateness } from './timer-lateness.js';

const intervalMs = 5;
const callers = 64;
const recordBytes = 128;

/** Appends of 64 callers to `wal` for so long, measured by a timer of 5 ms beside them. */
export async function timersWhileAppending(wal: Wal, seconds: number): Promise<Measurement> {
  const payload = new Uint8Array(recordBytes).fill(7);
  return await timersBeside(() =>
    closedLoop(
      async () => {
        const lsn = await wal.append(payload);
        if (lsn % 65_536 === 0) wal.release(0, lsn - 1);
      },
      { callers, seconds },
    ),
  );
}

/** One sync that takes `stallMs` while 64 callers wait for it. Nothing else happens meanwhile but the timer. */
export async function timersWhileStalled(directory: string, disk: Disk, stallMs: number): Promise<Measurement> {
  let delayMs = 0;
  const wal = await openWal({ directory: join(directory, 'log-stalled'), disk: delayedDisk(disk, () => delayMs) });
  try {
    const payload = new Uint8Array(recordBytes).fill(7);
    await wal.append(payload);
    delayMs = stallMs;
    return await timersBeside(async () => {
      const appends = Array.from({ length: callers }, () => wal.append(payload));
      // Only the first sync is stalled; those it lets in go on at the disk's own pace.
      setTimeout(() => {
        delayMs = 0;
      }, stallMs / 2);
      await Promise.all(appends);
      return { operations: callers, errors: 0, elapsedMs: stallMs };
    });
  } finally {
    await wal.close();
  }
}

/** The same timer beside nothing at all: how late this machine makes it. */
export function timersAlone(seconds: number): Promise<Measurement> {
  return timersBeside(async () => {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    return { operations: 0, errors: 0, elapsedMs: seconds * 1_000 };
  });
}

async function timersBeside(run: () => Promise<Measurement>): Promise<Measurement> {
  const lateness = new TimerLateness(intervalMs);
  const { errors, elapsedMs, operations } = await run();
  const { fired, latency } = lateness.stop();
  return { operations: fired, errors, elapsedMs, ...(latency && { latency }), details: { appends: operations } };
}
