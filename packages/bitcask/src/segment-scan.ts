import { type DiskFile, readFully } from '@shanghai/env';
import { markBytes } from './core/record.js';
import type { SegmentIdentity } from './core/segment.js';
import { segmentHeaderBytes } from './core/segment-header.js';
import { highestDurableEnd, type ParseState, parseUnits, type RecordSink } from './core/unit-parser.js';

/** A window is some milliseconds of parsing at most; it grows only for a unit that is longer. */
const windowBytes = 262_144;

/** How far a scan came. */
export interface ScanResult {
  /** Where the last whole unit ends. */
  readonly validEnd: number;
  readonly records: number;
  readonly lastSequence: number;
  /** Why it stopped before the end, or `undefined`. */
  readonly problem: string | undefined;
}

/** What a scan takes. */
export interface ScanOptions {
  readonly baseSequence: number;
  /** The segment's bytes, header included. */
  readonly endOffset: number;
  readonly signal?: AbortSignal | undefined;
  /** Called after each window with the bytes read of the segment so far. */
  readonly onProgress?: ((offset: number) => void | Promise<void>) | undefined;
}

/** Reads a segment's records in file order, checking each; stops at the first that is not valid. */
export async function scanSegment(
  file: DiskFile,
  identity: SegmentIdentity,
  options: ScanOptions,
  sink: RecordSink,
): Promise<ScanResult> {
  const { endOffset } = options;
  const state: ParseState = {
    kind: identity.kind,
    segmentSeed: identity.seed,
    endOffset,
    lastSequence: options.baseSequence,
    records: 0,
  };
  let bytes = new Uint8Array(Math.min(windowBytes, Math.max(0, endOffset - segmentHeaderBytes)));
  let offset = segmentHeaderBytes;
  for (;;) {
    options.signal?.throwIfAborted();
    const wanted = Math.min(bytes.length, endOffset - offset);
    const read = wanted <= 0 ? 0 : await readFully(file, bytes.subarray(0, wanted), offset);
    const stop = parseUnits(bytes, viewOf(bytes), read, offset, state, sink);
    offset += stop.consumed;
    const done = { validEnd: offset, records: state.records, lastSequence: state.lastSequence };
    if (stop.kind === 'end') return { ...done, problem: undefined };
    if (stop.kind === 'bad') return { ...done, problem: stop.what };
    if (read < wanted) return { ...done, problem: 'the file ends inside it' };
    if (stop.neededBytes > bytes.length)
      bytes = new Uint8Array(Math.min(endOffset - offset, Math.max(stop.neededBytes, bytes.length * 2)));
    await options.onProgress?.(offset);
  }
}

/** The highest durable end that any valid mark in `[from, end)` of the file holds, or 0. */
export async function findDurableEnd(file: DiskFile, segmentSeed: number, from: number, end: number): Promise<number> {
  const bytes = new Uint8Array(Math.min(windowBytes, Math.max(0, end - from)));
  let highest = 0;
  for (let offset = from; offset < end; offset += bytes.length - markBytes + 1) {
    const read = await readFully(file, bytes.subarray(0, Math.min(bytes.length, end - offset)), offset);
    highest = Math.max(highest, highestDurableEnd(bytes, viewOf(bytes), read, offset, segmentSeed));
    if (bytes.length < markBytes || offset + read >= end) break;
  }
  return highest;
}

/** Where the last byte of `[from, end)` of the file ends that is not zero; `from` where there is none. */
export async function findContentEnd(file: DiskFile, from: number, end: number): Promise<number> {
  const bytes = new Uint8Array(Math.min(windowBytes, Math.max(0, end - from)));
  let contentEnd = from;
  for (let offset = from; offset < end; ) {
    const read = await readFully(file, bytes.subarray(0, Math.min(bytes.length, end - offset)), offset);
    if (read === 0) break;
    let last = read;
    while (last > 0 && bytes[last - 1] === 0) last--;
    if (last > 0) contentEnd = offset + last;
    offset += read;
  }
  return contentEnd;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
