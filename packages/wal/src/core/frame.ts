/**
 * Frames, as they lie in a segment (docs/formats/wal.md, section 3):
 *
 *     0     4        8           16         24            28      32      36           40
 *     | crc | length | first LSN | wall time| durable end | count | flags | raw length | records, zero pad |
 *
 * The checksum covers everything behind itself, so also the length; its seed carries the segment's id and the frame's
 * offset, so stale bytes of a recycled file and misplaced blocks never validate. Fields are read in place: a log that
 * moves a million records a second cannot afford an object for each.
 */
import { crc32, invariant } from '@shanghai/env';
import { getUint64, setUint64 } from './uint64.js';

/** Bytes of a frame before its records. */
export const frameHeaderBytes = 40;
/** Frames begin at multiples of this. */
export const frameAlignment = 8;
/** The longest frame a writer makes; a reader refuses longer ones before it allocates anything. */
export const maxFrameBytes = 1_073_741_824;

/** Flag: the segment's footer. */
export const footerFlag = 1;
/** Flag: stands for records that a salvage could not read, and holds none. */
export const lostFlag = 2;
/** Flag: the records are one LZ4 block. */
export const compressedFlag = 4;
/** Flag: the records are the whole of their stream so far; earlier ones of it are replaced. */
export const replacesFlag = 8;
/** Flag, beside `replacesFlag`: the stream is empty, the frame's one record a placeholder. */
export const emptiesFlag = 16;
const paddingShift = 8;
const paddingMask = 0x700;
const knownFlags = footerFlag | lostFlag | compressedFlag | replacesFlag | emptiesFlag | paddingMask;

/** What a frame says beside its records. */
export interface FrameFields {
  readonly firstLsn: number;
  readonly wallTimeMs: number;
  readonly durableEnd: number;
  readonly count: number;
  readonly flags: number;
  /** Bytes of the records before compression. Default 0: not compressed. */
  readonly rawBytes?: number;
}

/** `bytes` rounded up to where the next frame may begin. */
export function alignFrame(bytes: number): number {
  return Math.ceil(bytes / frameAlignment) * frameAlignment;
}

const offsetBytes = new Uint8Array(4);
const offsetView = new DataView(offsetBytes.buffer);

/** The seed of a frame's checksum. `segmentSeed` is the checksum of the segment's id. */
export function frameSeed(segmentSeed: number, offset: number): number {
  offsetView.setUint32(0, offset, true);
  return crc32(offsetBytes, segmentSeed);
}

/**
 * Completes the frame in `bytes[at, at + length)`, whose records and padding are in place: writes the header and the
 * checksum for a frame that will lie at `offset` of the segment.
 */
export function sealFrame(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  length: number,
  place: { readonly segmentSeed: number; readonly offset: number },
  fields: FrameFields,
): void {
  // Each message would be built for each frame, which a lone append would feel.
  const hasLength = length >= frameHeaderBytes && length % frameAlignment === 0;
  if (!hasLength) invariant(false, `a frame cannot be ${length} bytes long`);
  const { durableEnd } = fields;
  if (durableEnd > place.offset) invariant(false, `durable end ${durableEnd} beyond the frame at ${place.offset}`);
  view.setUint32(at + 4, length, true);
  setUint64(view, at + 8, fields.firstLsn);
  setUint64(view, at + 16, fields.wallTimeMs);
  view.setUint32(at + 24, durableEnd, true);
  view.setUint32(at + 28, fields.count, true);
  view.setUint32(at + 32, fields.flags, true);
  view.setUint32(at + 36, fields.rawBytes ?? 0, true);
  view.setUint32(at, crc32(bytes, frameSeed(place.segmentSeed, place.offset), at + 4, at + length), true);
}

/** The length a frame claims. Not checked: compare it with what is there before using it. */
export function frameLength(view: DataView, at: number): number {
  return view.getUint32(at + 4, true);
}

/** First LSN of the frame at `at`. */
export function frameFirstLsn(view: DataView, at: number): number {
  return getUint64(view, at + 8);
}

/** Wall time of the frame at `at`. */
export function frameWallTimeMs(view: DataView, at: number): number {
  return getUint64(view, at + 16);
}

/** Durable end of the frame at `at`. */
export function frameDurableEnd(view: DataView, at: number): number {
  return view.getUint32(at + 24, true);
}

/** Number of records of the frame at `at`. */
export function frameCount(view: DataView, at: number): number {
  return view.getUint32(at + 28, true);
}

/** Flags of the frame at `at`. */
export function frameFlags(view: DataView, at: number): number {
  return view.getUint32(at + 32, true);
}

/** Bytes of the records of the compressed frame at `at` before compression. */
export function frameRawBytes(view: DataView, at: number): number {
  return view.getUint32(at + 36, true);
}

/** The flags of a compressed frame with `paddingBytes` behind its block. */
export function compressedFlags(paddingBytes: number): number {
  invariant(paddingBytes >= 0 && paddingBytes < frameAlignment, `${paddingBytes} bytes of padding`);
  return compressedFlag | (paddingBytes << paddingShift);
}

/** Bytes of padding behind a compressed frame's block. */
export function paddingBytes(flags: number): number {
  return (flags & paddingMask) >>> paddingShift;
}

/** Whether a valid frame's flags are of this format version, each with those it needs. */
export function areFlagsKnown(flags: number): boolean {
  if ((flags & ~knownFlags) !== 0) return false;
  if ((flags & (footerFlag | lostFlag)) !== 0 && (flags & (compressedFlag | replacesFlag)) !== 0) return false;
  if ((flags & emptiesFlag) !== 0 && (flags & replacesFlag) === 0) return false;
  return (flags & paddingMask) === 0 || (flags & compressedFlag) !== 0;
}

/** Whether nothing was ever written here: `available` bytes, at most a header's, are zero. */
export function isUnwritten(bytes: Uint8Array, at: number, available: number): boolean {
  const end = at + Math.min(available, frameHeaderBytes);
  for (let i = at; i < end; i++) {
    if (bytes[i] !== 0) return false;
  }
  return true;
}

/** Whether the header at `at` could be a frame's that ends within `available` bytes: cheap, before the checksum. */
export function isPlausible(view: DataView, at: number, offset: number, available: number): boolean {
  const length = view.getUint32(at + 4, true);
  return (
    length >= frameHeaderBytes &&
    length <= available &&
    length <= maxFrameBytes &&
    length % frameAlignment === 0 &&
    view.getUint32(at + 24, true) <= offset
  );
}

/** Whether the checksum of a plausible frame, wholly in `bytes`, holds. */
export function isIntact(bytes: Uint8Array, view: DataView, at: number, segmentSeed: number, offset: number): boolean {
  const length = frameLength(view, at);
  return crc32(bytes, frameSeed(segmentSeed, offset), at + 4, at + length) === view.getUint32(at, true);
}
