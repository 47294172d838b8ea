// Small conversions between what callers hold and what the generated messages want: text and bytes, safe integers and
// 64-bit numbers.
import { invariant } from '@shanghai/env';
import type { BytesInput } from '../key-value-store.js';

/** No bytes. Never written to. */
export const noBytes: Buffer = Buffer.alloc(0);

/** 64-bit zero. */
export const zero = 0n;

/** The bytes as the generated code wants them; a view of the caller's, not a copy. Throws `TypeError` for anything else. */
export function toBuffer(input: BytesInput, what: string): Buffer {
  if (typeof input === 'string') return Buffer.from(input, 'utf8');
  if (Buffer.isBuffer(input)) return input;
  if (input instanceof Uint8Array) return Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  throw new TypeError(`${what} must be a string or a Uint8Array, got ${input === null ? 'null' : typeof input}`);
}

/** As `toBuffer`; nothing gives no bytes. */
export function toOptionalBuffer(input: BytesInput | undefined, what: string): Buffer {
  return input === undefined ? noBytes : toBuffer(input, what);
}

/** A count, size, time or number of the caller as 64 bits. Throws `RangeError` unless it is a safe integer ≥ `least`. */
export function toUint64(value: number | undefined, what: string, least = 0): bigint {
  if (value === undefined || value === 0) {
    if (value === 0 && least > 0) throw new RangeError(`${what} must be an integer of at least ${least}, got 0`);
    return zero;
  }
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`${what} must be an integer of at least ${least}, got ${value}`);
  }
  return BigInt(value);
}

/** A 64-bit number of the server as a number. Counters do not reach 2^53; one that did would be a defect. */
export function toNumber(value: bigint): number {
  const number = Number(value);
  invariant(Number.isSafeInteger(number), `the server sent ${value}, which is beyond 2^53`);
  return number;
}
