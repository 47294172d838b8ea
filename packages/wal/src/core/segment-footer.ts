/**
 * The last frame of a sealed segment (docs/formats/wal.md, section 4): what a log needs to know of a segment without
 * reading it. It is a frame like any other, so one checksum and one scan serve both; its last eight bytes say where it
 * begins, so it is found from the end of the file.
 */

import { invariant } from '@shanghai/env';
import { footerFlag, frameFlags, frameHeaderBytes, frameLength, sealFrame } from './frame.js';
import { FrameIndex } from './frame-index.js';
import { ReplacedStreams } from './replaced-streams.js';
import { replacesFeature } from './segment-header.js';
import { StreamMarks } from './stream-marks.js';
import { getUint64, setUint64 } from './uint64.js';

/** Bytes at the end of a sealed file that lead to its footer. */
export const footerTrailerBytes = 8;

const trailerMagic = 0x4657_4853;
const fixedBytes = 40;
const streamBytes = 24;
const indexBytes = 16;
/** With the table of replaced streams: its count, and its entries. */
const replacedFixedBytes = 8;
const replacedBytes = 16;

/** What a footer tells of its segment. */
export interface SegmentSummary {
  readonly records: number;
  /** Base LSN − 1 where there is no record. */
  readonly lastLsn: number;
  readonly minTimeMs: number;
  readonly maxTimeMs: number;
  readonly marks: StreamMarks;
  readonly index: FrameIndex;
  readonly replaced: ReplacedStreams;
}

/** The footer's frame, for `offset` of a segment with `features`. */
export function encodeFooter(
  summary: SegmentSummary,
  place: { readonly segmentSeed: number; readonly offset: number; readonly features: number },
  fields: { readonly wallTimeMs: number; readonly durableEnd: number },
): Uint8Array {
  const streams = summary.marks.entries();
  const replaced = summary.replaced.entries();
  const { index } = summary;
  const start = tablesAt(place.features);
  const tables = streams.length * streamBytes + index.size * indexBytes + replaced.length * replacedBytes;
  const bytes = new Uint8Array(start + tables + footerTrailerBytes);
  const view = new DataView(bytes.buffer);
  setUint64(view, 40, summary.records);
  setUint64(view, 48, summary.lastLsn);
  setUint64(view, 56, summary.minTimeMs);
  setUint64(view, 64, summary.maxTimeMs);
  view.setUint32(72, streams.length, true);
  view.setUint32(76, index.size, true);
  invariant(
    hasReplaced(place.features) || replaced.length === 0,
    'a stream was replaced in a segment without the feature',
  );
  if (hasReplaced(place.features)) view.setUint32(80, replaced.length, true);
  let at = start;
  for (const { stream, low, high, bytes: recordBytes } of streams) {
    view.setUint32(at, stream, true);
    view.setUint32(at + 4, recordBytes, true);
    setUint64(view, at + 8, low);
    setUint64(view, at + 16, high);
    at += streamBytes;
  }
  for (let i = 0; i < index.size; i++, at += indexBytes) {
    setUint64(view, at, index.lsnAt(i));
    view.setUint32(at + 8, index.offsetAt(i), true);
  }
  for (const { stream, below } of replaced) {
    view.setUint32(at, stream, true);
    setUint64(view, at + 8, below);
    at += replacedBytes;
  }
  view.setUint32(at, place.offset, true);
  view.setUint32(at + 4, trailerMagic, true);
  const ownFields = { firstLsn: summary.lastLsn + 1, count: 0, flags: footerFlag };
  sealFrame(bytes, view, 0, bytes.length, place, { ...fields, ...ownFields });
  return bytes;
}

/** Where the footer begins, by the last bytes of a file, or `undefined` where they are no footer's. Not checked yet. */
export function footerOffset(trailer: Uint8Array): number | undefined {
  if (trailer.length !== footerTrailerBytes) return undefined;
  const view = new DataView(trailer.buffer, trailer.byteOffset, footerTrailerBytes);
  return view.getUint32(4, true) === trailerMagic ? view.getUint32(0, true) : undefined;
}

/**
 * Reads the footer in the frame at `at`, whose checksum holds, of a segment with `features`; `undefined` where its
 * counts contradict its length.
 */
export function decodeFooter(view: DataView, at: number, features: number): SegmentSummary | undefined {
  const length = frameLength(view, at);
  const start = tablesAt(features);
  if ((frameFlags(view, at) & footerFlag) === 0 || length < start) return undefined;
  const streams = view.getUint32(at + 72, true);
  const entries = view.getUint32(at + 76, true);
  const replacements = hasReplaced(features) ? view.getUint32(at + 80, true) : 0;
  const tables = streams * streamBytes + entries * indexBytes + replacements * replacedBytes;
  if (length !== start + tables + footerTrailerBytes) return undefined;
  const marks = new StreamMarks();
  const index = new FrameIndex();
  const replaced = new ReplacedStreams();
  let position = at + start;
  for (let i = 0; i < streams; i++, position += streamBytes) {
    marks.set(view.getUint32(position, true), {
      low: getUint64(view, position + 8),
      high: getUint64(view, position + 16),
      bytes: view.getUint32(position + 4, true),
    });
  }
  for (let i = 0; i < entries; i++, position += indexBytes) {
    index.add(getUint64(view, position), view.getUint32(position + 8, true));
  }
  for (let i = 0; i < replacements; i++, position += replacedBytes) {
    replaced.note(view.getUint32(position, true), getUint64(view, position + 8));
  }
  return {
    records: getUint64(view, at + 40),
    lastLsn: getUint64(view, at + 48),
    minTimeMs: getUint64(view, at + 56),
    maxTimeMs: getUint64(view, at + 64),
    marks,
    index,
    replaced,
  };
}

function hasReplaced(features: number): boolean {
  return (features & replacesFeature) !== 0;
}

/** Where the tables begin in the footer's frame. */
function tablesAt(features: number): number {
  return frameHeaderBytes + fixedBytes + (hasReplaced(features) ? replacedFixedBytes : 0);
}
