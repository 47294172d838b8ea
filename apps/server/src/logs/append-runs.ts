import type { Wal } from '@shanghai/wal';
import type { StreamRun } from '../apply/stream-run.js';

/** Appends runs so that a crash keeps or loses them together. Resolves to the sequence behind them. */
export async function appendRuns(wal: Wal, runs: readonly Pick<StreamRun, 'bytes' | 'count'>[]): Promise<number> {
  const count = runs.reduce((sum, run) => sum + run.count, 0);
  const [only] = runs;
  const bytes = runs.length === 1 && only !== undefined ? only.bytes : Buffer.concat(runs.map((run) => run.bytes));
  return (await wal.appendRun(bytes, count)) + count;
}
