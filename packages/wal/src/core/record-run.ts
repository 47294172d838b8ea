/**
 * Records one behind the other, each with its length (4 bytes, little endian) before it: a form that callers keep records in
 * anyway. It becomes records of a frame without an object for any of them: the run is copied once, to the end of where
 * its records will lie, and each record is then moved down to its place. There the header is longer than the length in
 * the run, so a record never moves over one that was not moved yet.
 */
import { recordHeaderBytes, writeRecordHeader } from './record.js';

/** Bytes of a length. */
const lengthBytes = 4;

/** Some records, and of which stream and kind all of them are. */
export interface RecordRun {
  readonly bytes: Uint8Array;
  /** ≥ 1. */
  readonly count: number;
  readonly stream: number;
  readonly kind: number;
}

/** Bytes of the payloads of a run that fits. */
export function runPayloadBytes(run: Uint8Array, count: number): number {
  return run.length - count * lengthBytes;
}

/** Whether the lengths of a run fit: `count` of them, at least one, and nothing behind the last record. */
export function measureRun(run: Uint8Array, count: number): { readonly fits: boolean; readonly longest: number } {
  let longest = 0;
  let at = 0;
  let records = 0;
  for (; at + lengthBytes <= run.length && records < count; records++) {
    const length = lengthAt(run, at);
    if (length > longest) longest = length;
    at += lengthBytes + length;
  }
  return { fits: records === count && count > 0 && at === run.length, longest };
}

/** Lays a run that fits out as records of a frame, from `start` on; returns the position behind them. */
export function layOutRun(bytes: Uint8Array, view: DataView, start: number, run: RecordRun): number {
  const { count, stream, kind } = run;
  let from = start + count * (recordHeaderBytes - lengthBytes);
  let to = start;
  bytes.set(run.bytes, from);
  for (let i = 0; i < count; i++) {
    const length = view.getUint32(from, true);
    const payload = from + lengthBytes;
    from = payload + length;
    writeRecordHeader(view, to, length, stream, kind);
    to += recordHeaderBytes;
    bytes.copyWithin(to, payload, from);
    to += length;
  }
  return to;
}

function lengthAt(run: Uint8Array, at: number): number {
  const low = (run[at] as number) | ((run[at + 1] as number) << 8) | ((run[at + 2] as number) << 16);
  return (low | ((run[at + 3] as number) << 24)) >>> 0;
}
