import { type AcceptedRun, type StreamRun, splitRun } from '../apply/stream-run.js';

/** What is to be written of runs of one stream. */
export interface RunPlan {
  /** Runs from the first on that are dealt with; the files must begin anew before the one behind them. */
  readonly count: number;
  /** To be appended, in order: entries one behind the other, each with its length before it. */
  readonly writes: readonly Pick<StreamRun, 'bytes' | 'count'>[];
  /** The last sequence then. */
  readonly last: number;
  /** Entries that the files should hold already. */
  readonly held: readonly { readonly lsn: number; readonly payload: Uint8Array }[];
}

/**
 * Plans runs onto files that end with `lastLsn`. A run that does not follow makes them begin anew where nobody reads what
 * they hold; one that was applied before was refused then, and is passed over. Otherwise the files lack something: `short`.
 */
export function planRuns(accepted: readonly AcceptedRun[], lastLsn: number): RunPlan | 'short' {
  const writes: Pick<StreamRun, 'bytes' | 'count'>[] = [];
  const held: { lsn: number; payload: Uint8Array }[] = [];
  let last = lastLsn;
  let count = 0;
  for (const { run, firstKept, isRecalled } of accepted) {
    const ahead = run.firstSequence - last - 1;
    if (ahead > 0 && firstKept > last) break;
    if (ahead > 0 && !isRecalled) return 'short';
    count++;
    if (ahead > 0) continue;
    last = Math.max(last, run.firstSequence + run.count - 1);
    if (ahead === 0) {
      writes.push(run);
      continue;
    }
    const entries = splitRun(run);
    const lsn = Math.min(lastLsn, run.firstSequence + run.count - 1);
    if (lsn >= run.firstSequence) held.push({ lsn, payload: entries[lsn - run.firstSequence] as Uint8Array });
    const fresh = entries.slice(-ahead);
    const freshBytes = fresh.reduce((sum, { length }) => sum + 4 + length, 0);
    if (freshBytes > 0) writes.push({ bytes: run.bytes.subarray(run.bytes.length - freshBytes), count: fresh.length });
  }
  return { count, writes, last, held };
}
