/**
 * A row in bytes, as a store keeps it and as a snapshot of rows carries it. The winner comes first: who reads a key needs
 * no more.
 *
 *   version u8 = 1 | count | count × version, the latest first
 *   version  hlc 8 B | origin | epoch | sequence | kind u8 (1 put, 2 tombstone) | seen
 *            put: expires at ms | value length | value
 *
 * Numbers are LEB128 in their shortest form; equal rows are equal bytes.
 */
import { compareStamps } from '../entry-id.js';
import { FieldReader, FieldWriter } from './field-bytes.js';
import type { Row, Version } from './row.js';
import { readSeen, writeSeen } from './seen-vector.js';

const formatVersion = 1;
const kinds = { put: 1, tombstone: 2 } as const;
const minVersionBytes = 13;

/** Writes a row. */
export function encodeRow(row: Row): Uint8Array {
  const fields = new FieldWriter();
  fields.u8(formatVersion);
  fields.number(row.length);
  for (let i = row.length - 1; i >= 0; i--) writeVersion(fields, row[i] as Version);
  return fields.finish();
}

/** Reads what `encodeRow` wrote, values as views of `bytes`. Anything else: `CORRUPT`. */
export function decodeRow(bytes: Uint8Array): Row {
  const fields = new FieldReader(bytes, 'a row');
  const count = readHead(fields);
  const versions: Version[] = [];
  for (let i = 0; i < count; i++) {
    const version = readVersion(fields);
    const above = versions.at(-1);
    if (above !== undefined && compareStamps(version.stamp, above.stamp) >= 0) {
      throw fields.corrupt('holds versions out of order');
    }
    versions.push(version);
  }
  fields.finish();
  return versions.reverse();
}

/** The winner of an encoded row, without looking at the rest. */
export function decodeWinner(bytes: Uint8Array): Version {
  const fields = new FieldReader(bytes, 'a row');
  readHead(fields);
  return readVersion(fields);
}

function readHead(fields: FieldReader): number {
  const found = fields.u8();
  if (found !== formatVersion) throw fields.corrupt(`is of version ${found}; this program reads ${formatVersion}`);
  const count = fields.count(minVersionBytes);
  if (count === 0) throw fields.corrupt('holds no version');
  return count;
}

function writeVersion(fields: FieldWriter, { stamp, seen, value, expiresAtMs }: Version): void {
  fields.stamp(stamp);
  fields.u8(value === undefined ? kinds.tombstone : kinds.put);
  writeSeen(fields, seen);
  if (value === undefined) return;
  fields.number(expiresAtMs);
  fields.bytes(value);
}

function readVersion(fields: FieldReader): Version {
  const stamp = fields.stamp();
  const kind = fields.u8();
  const seen = readSeen(fields);
  if (kind === kinds.tombstone) return { stamp, seen, expiresAtMs: 0 };
  if (kind !== kinds.put) throw fields.corrupt(`holds a version of kind ${kind}`);
  const expiresAtMs = fields.number();
  return { stamp, seen, value: fields.bytes(), expiresAtMs };
}
