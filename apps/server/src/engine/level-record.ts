/**
 * How entries lie in LevelDB; docs/formats/level.md.
 *
 *   value:  | crc u32 | flags u8 | sequence u64 | [expires u64] | value |
 *   meta:   | crc u32 | version u8 | sequence u64 | first byte u8, keys u64 … |   under the empty key
 *
 * Integers are big-endian. The checksum is over everything behind it and seeded with the key's, because LevelDB does
 * not check its blocks when it reads them. The meta record is written with every batch, so it always says which
 * operation the state ends with.
 */
import { crc32 } from '@shanghai/env';
import { readU64Ordered, writeU64Ordered } from '../apply/byte-fields.js';
import { EngineError } from './engine-error.js';

const headBytes = 13;
const expiresFlag = 1;
const countBytes = 9;
const metaVersion = 1;

/** The key of the meta record. */
export const levelMetaKey = new Uint8Array(0);

/** What the meta record says. */
export interface LevelMeta {
  readonly sequence: number;
  readonly keysByFirstByte: Float64Array;
}

/** What a stored value says. `value` is a view. */
export interface LevelValue {
  readonly value: Uint8Array;
  readonly sequence: number;
  readonly expiresAtMs: number;
}

/** A value as it is stored. */
export function encodeLevelValue(key: Uint8Array, { value, sequence, expiresAtMs }: LevelValue): Buffer {
  const start = headBytes + (expiresAtMs === 0 ? 0 : 8);
  const bytes = Buffer.allocUnsafe(start + value.length);
  bytes[4] = expiresAtMs === 0 ? 0 : expiresFlag;
  writeU64Ordered(bytes, 5, sequence);
  if (expiresAtMs !== 0) writeU64Ordered(bytes, headBytes, expiresAtMs);
  bytes.set(value, start);
  bytes.writeUInt32BE(crc32(bytes, crc32(key), 4, bytes.length), 0);
  return bytes;
}

/** Throws `CORRUPT` where the stored bytes are not what was written under this key. */
export function decodeLevelValue(key: Uint8Array, bytes: Uint8Array): LevelValue {
  const flags = bytes[4] ?? 0xff;
  const start = headBytes + (flags === expiresFlag ? 8 : 0);
  if (bytes.length < start || flags > expiresFlag || !isSound(key, bytes)) throw damaged(key);
  return {
    value: bytes.subarray(start),
    sequence: numberAt(key, bytes, 5),
    expiresAtMs: flags === expiresFlag ? numberAt(key, bytes, headBytes) : 0,
  };
}

/** A number of 2^53 or more was never written. */
function numberAt(key: Uint8Array, bytes: Uint8Array, at: number): number {
  try {
    return readU64Ordered(bytes, at);
  } catch {
    throw damaged(key);
  }
}

/** The meta record. */
export function encodeLevelMeta({ sequence, keysByFirstByte }: LevelMeta): Buffer {
  const used = [...keysByFirstByte.entries()].filter(([, keys]) => keys > 0);
  const bytes = Buffer.allocUnsafe(headBytes + used.length * countBytes);
  bytes[4] = metaVersion;
  writeU64Ordered(bytes, 5, sequence);
  for (const [i, [first, keys]] of used.entries()) {
    bytes[headBytes + i * countBytes] = first;
    writeU64Ordered(bytes, headBytes + i * countBytes + 1, keys);
  }
  bytes.writeUInt32BE(crc32(bytes, crc32(levelMetaKey), 4, bytes.length), 0);
  return bytes;
}

/** Throws `CORRUPT` or `UNSUPPORTED_FORMAT`. */
export function decodeLevelMeta(bytes: Uint8Array): LevelMeta {
  const isWhole = bytes.length >= headBytes && (bytes.length - headBytes) % countBytes === 0;
  if (!isSound(levelMetaKey, bytes)) throw damaged(levelMetaKey);
  if (bytes[4] !== metaVersion) {
    throw new EngineError('UNSUPPORTED_FORMAT', `a level store has version ${bytes[4]}; use the newer program`);
  }
  if (!isWhole) throw damaged(levelMetaKey);
  const keysByFirstByte = new Float64Array(256);
  for (let at = headBytes; at < bytes.length; at += countBytes) {
    keysByFirstByte[bytes[at] as number] = numberAt(levelMetaKey, bytes, at + 1);
  }
  return { sequence: numberAt(levelMetaKey, bytes, 5), keysByFirstByte };
}

function isSound(key: Uint8Array, bytes: Uint8Array): boolean {
  if (bytes.length < headBytes) return false;
  const stored = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  return stored === crc32(bytes, crc32(key), 4, bytes.length);
}

function damaged(key: Uint8Array): EngineError {
  const name = key.length === 0 ? 'the meta record' : `the record of key 0x${Buffer.from(key).toString('hex')}`;
  return new EngineError('CORRUPT', `${name} of a level store is damaged; restore it from a replica or a backup`);
}
