import { readU32, readU64, readU64Ordered, writeU32, writeU64Ordered } from '../apply/byte-fields.js';
import { ServerError } from './server-error.js';

/** What a reader has seen: a group's state up to an entry. */
export interface ReadToken {
  readonly groupId: number;
  readonly index: number;
}

const version = 2;
/** Its index stood least significant byte first. */
const firstVersion = 1;
const tokenBytes = 13;

/**
 * The token as callers carry it, opaque to them: version, group, applied index. Of two of one group the bytewise larger
 * one has seen more: clients keep that one, for answers do not come in the order of what they saw.
 */
export function encodeReadToken(token: ReadToken): Uint8Array {
  const bytes = new Uint8Array(tokenBytes);
  bytes[0] = version;
  writeU32(bytes, 1, token.groupId);
  writeU64Ordered(bytes, 5, token.index);
  return bytes;
}

/** Reads a token. Throws `INVALID_REQUEST` for anything else. */
export function decodeReadToken(bytes: Uint8Array): ReadToken {
  try {
    const isFirst = bytes[0] === firstVersion;
    if (bytes.length === tokenBytes && (isFirst || bytes[0] === version)) {
      return { groupId: readU32(bytes, 1), index: isFirst ? readU64(bytes, 5) : readU64Ordered(bytes, 5) };
    }
  } catch (error) {
    throw notAToken(error);
  }
  throw notAToken(undefined);
}

function notAToken(cause: unknown): ServerError {
  return new ServerError('INVALID_REQUEST', 'the token is not one this cluster gave out', { cause });
}
