import { readU32, readU64, writeU32, writeU64 } from '../apply/byte-fields.js';
import { ServerError } from './server-error.js';

/** What a reader has seen: a group's state up to an entry. */
export interface ReadToken {
  readonly groupId: number;
  readonly index: number;
}

const version = 1;
const tokenBytes = 13;

/** The token as callers carry it, opaque to them: version, group, applied index. */
export function encodeReadToken(token: ReadToken): Uint8Array {
  const bytes = new Uint8Array(tokenBytes);
  bytes[0] = version;
  writeU32(bytes, 1, token.groupId);
  writeU64(bytes, 5, token.index);
  return bytes;
}

/** Reads a token. Throws `INVALID_REQUEST` for anything else. */
export function decodeReadToken(bytes: Uint8Array): ReadToken {
  try {
    if (bytes.length === tokenBytes && bytes[0] === version) {
      return { groupId: readU32(bytes, 1), index: readU64(bytes, 5) };
    }
  } catch (error) {
    throw notAToken(error);
  }
  throw notAToken(undefined);
}

function notAToken(cause: unknown): ServerError {
  return new ServerError('INVALID_REQUEST', 'the token is not one this cluster gave out', { cause });
}
