/**
 * The last frame of a sealed segment (docs/formats/wal.md, section 4): what a log needs to know of a segment without
 * reading it. It is a frame like any other, so one checksum and one scan serve both; its last eight bytes say where it
 * begins, so it is found from the end of the file.
 */

import { footerFlag, frameFlags, frameHeaderBytes, frameLength, sealFrame } from './frame.js';
import { FrameIndex } from './frame-index.js';
import { StreamMarks } from './stream-marks.js';
import { getUint64, setUint64 } from './uint64.js';

/** Bytes at the end of a sealed file that lead to its footer. */
export const footerTrailerBytes = 8;

const trailerMagic = 0x4657_4853;
const fixedBytes = 40;
const streamBytes = 24;
const indexBytes = 16;

/** What a footer tells of its segment. */
export interface SegmentSummary {
  readonly records: number;
  /** Base LSN − 1 where there is no record. */
  readonly lastLsn: number;
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly marks: StreamMarks;
  readonly index: FrameIndex;
}

/** The footer's frame, for `offset` of the segment. */
export function encodeFooter(
  summary: SegmentSummary,
  place: { readonly segmentSeed: number; readonly offset: number },
  fields: { readonly wallTimeMs: number; readonly durableEnd: number },
): Uint8Array {
  const streams = summary.marks.entries();
  const { index } = summary;
  const length =
    frameHeaderBytes + fixedBytes + streams.length * streamBytes + index.size * indexBytes + footerTrailerBytes;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  setUint64(view, 40, summary.records);
  setUint64(view, 48, summary.lastLsn);
  setUint64(view, 56, summary.minTimeMs);
  setUint64(view, 64, summary.maxTimeMs);
  view.setUint32(72, streams.length, true);
  view.setUint32(76, index.size, true);
  let at = frameHeaderBytes + fixedBytes;
  for (const { stream, low, high } of streams) {
    view.setUint32(at, stream, true);
    setUint64(view, at + 8, low);
    setUint64(view, at + 16, high);
    at += streamBytes;
  }
  for (let i = 0; i < index.size; i++, at += indexBytes) {
    setUint64(view, at, index.lsnAt(i));
    view.setUint32(at + 8, index.offsetAt(i), true);
  }
  view.setUint32(at, place.offset, true);
  view.setUint32(at + 4, trailerMagic, true);
  sealFrame(bytes, view, 0, length, place, { ...fields, firstLsn: summary.lastLsn + 1, count: 0, flags: footerFlag });
  return bytes;
}

/** Where the footer begins, by the last bytes of a file, or `undefined` where they are no footer's. Not checked yet. */
export function footerOffset(trailer: Uint8Array): number | undefined {
  if (trailer.length !== footerTrailerBytes) return undefined;
  const view = new DataView(trailer.buffer, trailer.byteOffset, footerTrailerBytes);
  return view.getUint32(4, true) === trailerMagic ? view.getUint32(0, true) : undefined;
}

/** Reads the footer in the frame at `at`, whose checksum holds; `undefined` where its counts contradict its length. */
export function decodeFooter(view: DataView, at: number): SegmentSummary | undefined {
  const length = frameLength(view, at);
  if ((frameFlags(view, at) & footerFlag) === 0 || length < frameHeaderBytes + fixedBytes) return undefined;
  const streams = view.getUint32(at + 72, true);
  const entries = view.getUint32(at + 76, true);
  if (length !== frameHeaderBytes + fixedBytes + streams * streamBytes + entries * indexBytes + footerTrailerBytes) {
    return undefined;
  }
  const marks = new StreamMarks();
  const index = new FrameIndex();
  let position = at + frameHeaderBytes + fixedBytes;
  for (let i = 0; i < streams; i++, position += streamBytes) {
    marks.set(view.getUint32(position, true), getUint64(view, position + 8), getUint64(view, position + 16));
  }
  for (let i = 0; i < entries; i++, position += indexBytes) {
    index.add(getUint64(view, position), view.getUint32(position + 8, true));
  }
  return {
    records: getUint64(view, at + 40),
    lastLsn: getUint64(view, at + 48),
    minTimeMs: getUint64(view, at + 56),
    maxTimeMs: getUint64(view, at + 64),
    marks,
    index,
  };
}
