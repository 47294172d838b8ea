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
