/**
 * A run of entries of one stream, as it travels and as it is written: the entries one behind the other, each with its
 * length (u32) before it, in the form that files of streams have. Nobody on the way looks into them.
 */
import type { Hlc, StreamId } from '@shanghai/replication';
import { readU32 } from './byte-fields.js';

/** Entries `firstSequence` to `firstSequence + count - 1` of a stream. */
export interface StreamRun {
  readonly stream: StreamId;
  readonly firstSequence: number;
  /** ≥ 1. */
  readonly count: number;
  /** Of the last entry. */
  readonly lastHlc: Hlc;
  readonly bytes: Uint8Array;
}

/** A run that is to be in the files. */
export interface AcceptedRun {
  readonly entryIndex: number;
  readonly run: StreamRun;
  /** The first sequence of the stream that anybody still reads: what comes before it in the files may be gone. */
  readonly firstKept: number;
  /** Whether the state had it before: then a run that does not follow what the files hold was refused at its time. */
  readonly isRecalled: boolean;
}

/** Runs that follow each other in a stream as one: appends of many callers that came together. */
export function joinRuns(accepted: readonly AcceptedRun[]): AcceptedRun[] {
  const joined: AcceptedRun[] = [];
  for (let from = 0; from < accepted.length; ) {
    const first = accepted[from] as AcceptedRun;
    let to = from + 1;
    while (to < accepted.length && follows(accepted[to] as AcceptedRun, accepted[to - 1] as AcceptedRun)) to++;
    if (to === from + 1) joined.push(first);
    else joined.push(joinedRun(first, accepted.slice(from, to)));
    from = to;
  }
  return joined;
}

function follows({ entryIndex, run }: AcceptedRun, before: AcceptedRun): boolean {
  if (entryIndex !== before.entryIndex || run.firstSequence !== before.run.firstSequence + before.run.count)
    return false;
  const { logId, origin, epoch } = run.stream;
  const { stream } = before.run;
  return logId === stream.logId && origin === stream.origin && epoch === stream.epoch;
}

function joinedRun(first: AcceptedRun, all: readonly AcceptedRun[]): AcceptedRun {
  const last = all.at(-1) as AcceptedRun;
  const count = last.run.firstSequence + last.run.count - first.run.firstSequence;
  const bytes = Buffer.concat(all.map(({ run }) => run.bytes));
  return { ...last, run: { ...first.run, count, lastHlc: last.run.lastHlc, bytes } };
}

/** The entries of a run from the `skip`-th on, as views. Throws `RangeError` where there are not `count`. */
export function splitRun({ bytes, count }: Pick<StreamRun, 'bytes' | 'count'>, skip = 0): Uint8Array[] {
  const entries: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 4 > bytes.length) throw new RangeError(`a run of ${count} entries ends within entry ${i}`);
    const end = at + 4 + readU32(bytes, at);
    if (end > bytes.length) throw new RangeError(`entry ${i} of a run passes its end`);
    if (i >= skip) entries.push(bytes.subarray(at + 4, end));
    at = end;
  }
  if (at !== bytes.length) throw new RangeError(`${bytes.length - at} bytes follow the ${count} entries of a run`);
  return entries;
}
