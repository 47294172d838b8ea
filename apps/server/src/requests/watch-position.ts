import { readU32, readU64, writeU32, writeU64 } from '../apply/byte-fields.js';
import { invalidRequest } from './request-checks.js';

/** How far a watcher has seen one group. */
export interface GroupPosition {
  readonly groupId: number;
  readonly revision: number;
}

const version = 1;
const maxGroups = 65_536;

/** A position as callers carry it, opaque to them: version, count, then group and revision of each. */
export function encodeWatchPosition(positions: readonly GroupPosition[]): Uint8Array {
  const bytes = new Uint8Array(5 + positions.length * 12);
  bytes[0] = version;
  writeU32(bytes, 1, positions.length);
  for (const [i, { groupId, revision }] of positions.entries()) {
    writeU32(bytes, 5 + i * 12, groupId);
    writeU64(bytes, 9 + i * 12, revision);
  }
  return bytes;
}

/** Reads a position. `INVALID_REQUEST` for anything else. */
export function decodeWatchPosition(bytes: Uint8Array): GroupPosition[] {
  const count = bytes.length < 5 || bytes[0] !== version ? -1 : readU32(bytes, 1);
  if (count < 1 || count > maxGroups || bytes.length !== 5 + count * 12) {
    throw invalidRequest('the position is not one this cluster gave out');
  }
  const positions: GroupPosition[] = [];
  try {
    for (let at = 5; at < bytes.length; at += 12) {
      positions.push({ groupId: readU32(bytes, at), revision: readU64(bytes, at + 4) });
    }
  } catch {
    throw invalidRequest('the position is not one this cluster gave out');
  }
  return positions;
}
