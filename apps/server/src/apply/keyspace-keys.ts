/** Where the fold of a keyspace lies in an own group's store. docs/formats/state-machine.md, "Keyspaces". */
import { type EntryStamp, type Hlc, hlcBytes } from '@shanghai/replication';
import { readU32Ordered, readU64Ordered, writeU32Ordered, writeU64Ordered } from './byte-fields.js';
import { readHlc, writeHlc } from './hlc-field.js';
import { statePrefix } from './state-keys.js';

const headBytes = 5;
const stampBytes = hlcBytes + 20;

/** Numbers of a keyspace's fold. */
export function foldStateKey(keyspaceId: number): Buffer {
  return head(statePrefix.keyspace, keyspaceId, 0);
}

/** A row. */
export function rowKey(keyspaceId: number, key: Uint8Array): Buffer {
  const bytes = head(statePrefix.row, keyspaceId, key.length);
  bytes.set(key, headBytes);
  return bytes;
}

/** The caller's key of a row's key. */
export function keyOfRow(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(headBytes);
}

/** Says that a row has something to forget once `hlc` is stable. */
export function dueKey(keyspaceId: number, hlc: Hlc, key: Uint8Array): Buffer {
  const bytes = head(statePrefix.due, keyspaceId, hlcBytes + key.length);
  writeHlc(bytes, headBytes, hlc);
  bytes.set(key, headBytes + hlcBytes);
  return bytes;
}

/** The caller's key of a due key. */
export function keyOfDue(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(headBytes + hlcBytes);
}

/** A held entry, a verdict (without a time: `zeroHlc`) or a version that lost, by its stamp. */
export function stampedKey(
  part: 'keyspaceHeld' | 'keyspaceVerdict' | 'keyspaceLost',
  keyspaceId: number,
  { hlc, origin, epoch, sequence }: EntryStamp,
): Buffer {
  const bytes = head(statePrefix[part], keyspaceId, stampBytes);
  writeHlc(bytes, headBytes, hlc);
  writeU32Ordered(bytes, headBytes + hlcBytes, origin);
  writeU64Ordered(bytes, headBytes + hlcBytes + 4, epoch);
  writeU64Ordered(bytes, headBytes + hlcBytes + 12, sequence);
  return bytes;
}

/** The stamp in a key of `stampedKey`. */
export function stampOf(bytes: Uint8Array): EntryStamp {
  return {
    hlc: readHlc(bytes, headBytes),
    origin: readU32Ordered(bytes, headBytes + hlcBytes),
    epoch: readU64Ordered(bytes, headBytes + hlcBytes + 4),
    sequence: readU64Ordered(bytes, headBytes + hlcBytes + 12),
  };
}

/** Whether a key of the store is one of a keyspace's rows, or says what those have to forget. */
export function isRowOf(keyspaceId: number, bytes: Uint8Array): boolean {
  const isRow = bytes[0] === statePrefix.row || bytes[0] === statePrefix.due;
  return isRow && bytes.length >= headBytes && keyspaceOfKey(bytes) === keyspaceId;
}

/** The keyspace of a key of this file. */
export function keyspaceOfKey(bytes: Uint8Array): number {
  return readU32Ordered(bytes, 1);
}

function head(prefix: number, keyspaceId: number, more: number): Buffer {
  const bytes = Buffer.alloc(headBytes + more);
  bytes[0] = prefix;
  writeU32Ordered(bytes, 1, keyspaceId);
  return bytes;
}
