/**
 * The records of a group's stream in the write-ahead log. docs/formats/command-log.md draws them. The kind of a record
 * is the log's own kind byte; all payloads begin with the same 24 bytes, little-endian:
 *
 *   0        1           2..7  8      16    24
 *   version  entry type  0     index  term  command (entries only)
 *
 * entry: index and term of the entry. hardState: commit index and current term, then the vote (8 bytes).
 * compaction: index and term of the last entry that is no longer needed.
 */
import { readU64, writeU64 } from '../apply/byte-fields.js';
import { commandHeadroomBytes } from './command-log.js';
import { CommandLogError } from './command-log-error.js';

/** Kinds of records. The reserved ones belong to consensus and are refused by this version. */
export const recordKind = { entry: 1, hardState: 2, compaction: 3, truncation: 4, snapshot: 5 } as const;

/** What an entry holds: a command, nothing (it begins a term), or a change of the group's members (reserved). */
export const entryType = { normal: 0, empty: 1, config: 2 } as const;

/** A record's head, and the vote of a hard state. */
export interface LogRecordHead {
  readonly type: number;
  readonly index: number;
  readonly term: number;
}

const version = 1;

/** Fills the head of an entry in front of its command. */
export function writeEntryHead(bytes: Uint8Array, type: number, index: number, term: number): void {
  bytes[0] = version;
  bytes[1] = type;
  bytes.fill(0, 2, 8);
  writeU64(bytes, 8, index);
  writeU64(bytes, 16, term);
}

/** An entry without a command. */
export function encodeEmptyEntry(index: number, term: number): Buffer {
  const bytes = Buffer.alloc(commandHeadroomBytes);
  writeEntryHead(bytes, entryType.empty, index, term);
  return bytes;
}

/** A group's hard state. */
export function encodeHardState(commitIndex: number, term: number, vote: number): Buffer {
  const bytes = Buffer.alloc(commandHeadroomBytes + 8);
  writeEntryHead(bytes, entryType.normal, commitIndex, term);
  writeU64(bytes, commandHeadroomBytes, vote);
  return bytes;
}

/** Says that entries up to `index` are no longer needed. */
export function encodeCompaction(index: number, term: number): Buffer {
  const bytes = Buffer.alloc(commandHeadroomBytes);
  writeEntryHead(bytes, entryType.normal, index, term);
  return bytes;
}

/** Reads the head that all records share. Throws `CommandLogError`. */
export function decodeRecordHead(payload: Uint8Array): LogRecordHead {
  if (payload.length < commandHeadroomBytes) {
    throw new CommandLogError('CORRUPT', `a record of ${payload.length} bytes is shorter than its head`);
  }
  if (payload[0] !== version) {
    throw new CommandLogError(
      'UNSUPPORTED_FORMAT',
      `a record of version ${payload[0]} is not known; a newer version of this program wrote it`,
    );
  }
  return { type: payload[1] as number, index: readU64(payload, 8), term: readU64(payload, 16) };
}
