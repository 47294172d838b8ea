/**
 * A position in 16 bytes of a leaf.
 *
 *      0       3       6          8        12                 16
 *     +-------+-------+----------+--------+------------------+
 *     | file  | record| sequence | sequence| offset 31 bits,  |   little-endian words:
 *     | id 24 | bytes | high 16  | low 32  | expires 1 bit    |   u32 (file id << 8 | record bytes >>> 16), u16, u16, u32, u32
 *     +-------+-------+----------+--------+------------------+
 *
 * Almost every record fits: 16 million files, records under 16 MiB, 2^48 sequences. One that does not is *wide*: file
 * id 0, which no file has, and in the last word the id of the position in a side table. So the rare large value costs
 * an object, and every other key is spared three bytes.
 */
import type { KeydirPosition } from '../keydir.js';
import type { SideTable } from './side-table.js';

/** Bytes of an encoded position. */
export const POSITION_BYTES = 16;

/** Positions that do not fit their 16 bytes. */
export type WidePositions = SideTable<KeydirPosition>;

/** Where a wide position goes: keeps it and returns its id. */
export type PositionSink = Pick<WidePositions, 'add'>;

const NARROW_LIMIT = 2 ** 24;
const NARROW_SEQUENCE_LIMIT = 2 ** 48;
const WORD = 2 ** 32;

/** Throws `RangeError` where a field is outside of what `KeydirPosition` promises. */
export function checkPosition(position: KeydirPosition): void {
  const { fileId, offset, recordBytes, sequence } = position;
  if (fileId >>> 0 !== fileId || fileId === 0) throw new RangeError(`fileId ${fileId} is not in [1, 2^32)`);
  if (offset >>> 0 !== offset || offset >= 2 ** 31) throw new RangeError(`offset ${offset} is not in [0, 2^31)`);
  if (recordBytes >>> 0 !== recordBytes || recordBytes === 0) {
    throw new RangeError(`recordBytes ${recordBytes} is not in [1, 2^32)`);
  }
  if (!Number.isSafeInteger(sequence) || sequence < 1) throw new RangeError(`sequence ${sequence} is not in [1, 2^53)`);
}

/** Encodes a valid `position` at `at`. The 16 bytes must not hold a wide position (see `releasePosition`). */
export function writePosition(view: DataView, at: number, position: KeydirPosition, wide: PositionSink): void {
  const { fileId, offset, recordBytes, sequence, expires } = position;
  if (fileId < NARROW_LIMIT && recordBytes < NARROW_LIMIT && sequence < NARROW_SEQUENCE_LIMIT) {
    view.setUint32(at, ((fileId << 8) | (recordBytes >>> 16)) >>> 0, true);
    view.setUint16(at + 4, recordBytes & 0xffff, true);
    view.setUint16(at + 6, Math.floor(sequence / WORD), true);
    view.setUint32(at + 8, sequence >>> 0, true);
    view.setUint32(at + 12, expires ? (offset | 0x80000000) >>> 0 : offset, true);
    return;
  }
  view.setUint32(at, 0, true);
  view.setUint32(at + 4, 0, true);
  view.setUint32(at + 8, 0, true);
  view.setUint32(at + 12, wide.add({ fileId, offset, recordBytes, sequence, expires }), true);
}

/** Decodes the position at `at` into `out`. */
export function readPosition(view: DataView, at: number, out: KeydirPosition, wide: WidePositions): void {
  const first = view.getUint32(at, true);
  const last = view.getUint32(at + 12, true);
  if (first === 0) {
    Object.assign(out, wide.get(last));
    return;
  }
  out.fileId = first >>> 8;
  out.recordBytes = ((first & 0xff) << 16) | view.getUint16(at + 4, true);
  out.sequence = view.getUint16(at + 6, true) * WORD + view.getUint32(at + 8, true);
  out.offset = last & 0x7fffffff;
  out.expires = last >>> 31 === 1;
}

/** Gives back what the position at `at` holds outside of its 16 bytes, before these are overwritten or dropped. */
export function releasePosition(view: DataView, at: number, wide: WidePositions): void {
  if (view.getUint32(at, true) === 0) wide.remove(view.getUint32(at + 12, true));
}
