/**
 * Records of a named log as bytes: the same in the command that appends them and in the log's files.
 *
 *   0           4             8              10
 *   key length  value length  header count   key, value, then per header: name length (2), value length (4), name, value
 */
import type { LogRecord } from '../logs/log-requests.js';
import { writeU16, writeU32 } from './byte-fields.js';
import { FieldReader } from './field-reader.js';

/** Bytes of a record before its key. */
export const recordHeadBytes = 10;
const headerHeadBytes = 6;

/** Bytes that `encodeLogRecord` will write. */
export function encodedRecordBytes(record: LogRecord): number {
  let length = recordHeadBytes + record.key.length + record.value.length;
  for (const header of record.headers) {
    length += headerHeadBytes + Buffer.byteLength(header.name) + header.value.length;
  }
  return length;
}

/** Writes a record at `start` and returns the position behind it. */
export function encodeLogRecord(bytes: Uint8Array, start: number, record: LogRecord): number {
  const { key, value, headers } = record;
  writeU32(bytes, start, key.length);
  writeU32(bytes, start + 4, value.length);
  writeU16(bytes, start + 8, headers.length);
  bytes.set(key, start + recordHeadBytes);
  bytes.set(value, start + recordHeadBytes + key.length);
  let at = start + recordHeadBytes + key.length + value.length;
  for (const header of headers) {
    const name = Buffer.from(header.name);
    writeU16(bytes, at, name.length);
    writeU32(bytes, at + 2, header.value.length);
    bytes.set(name, at + headerHeadBytes);
    bytes.set(header.value, at + headerHeadBytes + name.length);
    at += headerHeadBytes + name.length + header.value.length;
  }
  return at;
}

/** Records one after the other, each with its length (4 bytes) in front. */
export function encodeLogRecords(records: readonly LogRecord[]): Buffer {
  let length = 0;
  for (const record of records) length += 4 + encodedRecordBytes(record);
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const record of records) {
    const end = encodeLogRecord(bytes, at + 4, record);
    writeU32(bytes, at, end - at - 4);
    at = end;
  }
  return bytes;
}

/** The encoded records of `encodeLogRecords`, as views, without decoding them. Throws `RangeError`. */
export function splitLogRecords(bytes: Uint8Array, count: number): Uint8Array[] {
  const reader = new FieldReader(bytes);
  const records: Uint8Array[] = [];
  for (let i = 0; i < count; i++) records.push(reader.take(reader.u32()));
  reader.finish();
  return records;
}

/** Reads a record; key and values are views of `bytes`. Throws `RangeError` where the lengths do not fit. */
export function readLogRecord(bytes: Uint8Array): LogRecord {
  const reader = new FieldReader(bytes);
  const keyBytes = reader.u32();
  const valueBytes = reader.u32();
  const headerCount = reader.u16();
  const key = reader.take(keyBytes);
  const value = reader.take(valueBytes);
  const headers = [];
  for (let i = 0; i < headerCount; i++) {
    const nameBytes = reader.u16();
    const headerValueBytes = reader.u32();
    headers.push({ name: reader.text(nameBytes), value: reader.take(headerValueBytes) });
  }
  reader.finish();
  return { key, value, headers };
}
