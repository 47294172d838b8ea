import { ServerError } from '../../requests/server-error.js';

/** A uint64 of the wire as a number, or `INVALID_REQUEST` where it is beyond 2^53 − 1. */
export function safeNumber(value: bigint, field: string): number {
  if (value > 9_007_199_254_740_991n) {
    throw new ServerError('INVALID_REQUEST', `${field} is ${value}, above the largest number supported, 2^53 - 1`);
  }
  return Number(value);
}

/** The same bytes as a Buffer, without a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** `undefined` for an empty field: proto3 does not tell it from an absent one. */
export function nonEmpty(bytes: Buffer): Buffer | undefined {
  return bytes.length === 0 ? undefined : bytes;
}
