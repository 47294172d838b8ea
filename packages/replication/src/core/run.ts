/**
 * A run: entries of one stream that follow each other, as they go from the disk of one node to the disk of another.
 *
 *     ┌────────────┬───────────┬────────────┬───────────┬── ─
 *     │ length u32 │ payload   │ length u32 │ payload   │ …      little-endian, no padding
 *     └────────────┴───────────┴────────────┴───────────┴── ─
 *
 * Shipping does not look into payloads and makes no object of an entry: a run is one array of bytes from the store to the
 * wire and from the wire to the store. It is walked only where a piece of it is cut off, which is when two sources overlap.
 */
import { invariant } from '@shanghai/env';
import type { StreamId } from './entry-id.js';
import type { Hlc } from './hlc.js';
import { ReplicationError } from './replication-error.js';

/** Entries `firstSequence` to `firstSequence + count - 1` of a stream. Immutable: who holds one does not change its bytes. */
export interface Run {
  readonly stream: StreamId;
  /** ≥ 1. */
  readonly firstSequence: number;
  /** ≥ 1. */
  readonly count: number;
  /** Stamp of the last entry. */
  readonly lastHlc: Hlc;
  /** The entries one behind the other, each `u32` little-endian length and payload. */
  readonly bytes: Uint8Array;
}

/** Bytes that an entry takes in a run beside its payload. */
export const entryHeaderBytes = 4;

/** Sequence of the last entry. */
export function lastSequenceOf({ firstSequence, count }: Run): number {
  return firstSequence + count - 1;
}

/** The bytes of a run of these payloads. */
export function packEntries(payloads: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const payload of payloads) length += entryHeaderBytes + payload.length;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const payload of payloads) {
    view.setUint32(at, payload.length, true);
    bytes.set(payload, at + entryHeaderBytes);
    at += entryHeaderBytes + payload.length;
  }
  return bytes;
}

/** Views of the payloads of a run. Throws `ReplicationError` `CORRUPT` where its bytes are not `count` entries. */
export function unpackEntries(run: Run): Uint8Array[] {
  const payloads: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; i < run.count; i++) {
    const next = endOfEntry(run, at);
    payloads.push(run.bytes.subarray(at + entryHeaderBytes, next));
    at = next;
  }
  if (at !== run.bytes.length) throw corrupt(run);
  return payloads;
}

/** Throws `ReplicationError` `CORRUPT` where the bytes of a run are not `count` entries. */
export function checkRun(run: Run): void {
  let at = 0;
  for (let i = 0; i < run.count; i++) at = endOfEntry(run, at);
  if (at !== run.bytes.length || run.count < 1) throw corrupt(run);
}

/** The run from `sequence` on, which lies in it. A view, no copy. */
export function cutRun(run: Run, sequence: number): Run {
  const drop = sequence - run.firstSequence;
  invariant(
    drop >= 0 && drop < run.count,
    `entry ${sequence} is not in a run of ${run.count} from ${run.firstSequence}`,
  );
  if (drop === 0) return run;
  let at = 0;
  for (let i = 0; i < drop; i++) at = endOfEntry(run, at);
  return { ...run, firstSequence: sequence, count: run.count - drop, bytes: run.bytes.subarray(at) };
}

function endOfEntry(run: Run, at: number): number {
  const { bytes } = run;
  if (at + entryHeaderBytes > bytes.length) throw corrupt(run);
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
  const end = at + entryHeaderBytes + low + (bytes[at + 3] as number) * 0x100_0000;
  if (end > bytes.length) throw corrupt(run);
  return end;
}

function corrupt({ stream, firstSequence, count, bytes }: Run): ReplicationError {
  const where = `log ${stream.logId}, origin ${stream.origin}, epoch ${stream.epoch}`;
  return new ReplicationError(
    'CORRUPT',
    `${bytes.length} bytes are not ${count} entries from ${firstSequence} of ${where}`,
  );
}
