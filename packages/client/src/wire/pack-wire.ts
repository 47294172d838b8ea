/**
 * Records as they travel in packs, one behind the other, in the form that nodes keep them in: a node need not take a
 * record apart to store it. proto/shanghai/v1/log.proto draws it (`LogAppendPack.records`).
 */
import type { LogRecord } from '@shanghai/proto';
import type { LogRecordInput } from '../named-logs.js';
import { noBytes, toBuffer, toOptionalBuffer } from './wire-values.js';

/** A record to pack: what a caller gave, as bytes. */
export interface PackableRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly headers: readonly PackableHeader[];
}

/** One header of it. */
export interface PackableHeader {
  readonly name: Buffer;
  readonly value: Uint8Array;
}

const lengthBytes = 4;
const headBytes = 10;
const headerHeadBytes = 6;
const maxHeaderNameBytes = 0xffff;
const noHeaders: readonly PackableHeader[] = [];

/** What a caller gave, as bytes; views of the caller's, no copies. Throws `TypeError`, or `RangeError` for a name of a header that fits nowhere. */
export function packableRecord(record: LogRecordInput): PackableRecord {
  if (record instanceof Uint8Array) return { key: noBytes, value: record, headers: noHeaders };
  if (typeof record === 'string') return { key: noBytes, value: Buffer.from(record, 'utf8'), headers: noHeaders };
  return {
    key: toOptionalBuffer(record.key, 'key'),
    value: toBuffer(record.value, 'value'),
    headers: record.headers === undefined ? noHeaders : record.headers.map(packableHeader),
  };
}

function packableHeader({ name, value }: LogRecord['headers'][number] | { name: string; value: string | Uint8Array }) {
  const bytes = Buffer.from(name, 'utf8');
  if (bytes.length > maxHeaderNameBytes) throw new RangeError(`the name of a header has ${bytes.length} bytes`);
  return { name: bytes, value: toBuffer(value, 'header value') };
}

/** Bytes of a record in a pack. */
export function packedBytes({ key, value, headers }: PackableRecord): number {
  let bytes = lengthBytes + headBytes + key.length + value.length;
  for (const header of headers) bytes += headerHeadBytes + header.name.length + header.value.length;
  return bytes;
}

/** The records as the body of a pack. `totalBytes`: what `packedBytes` says of all of them. */
export function packRecords(records: readonly PackableRecord[], totalBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(totalBytes);
  let at = 0;
  for (const record of records) at = writeRecord(bytes, at, record);
  return bytes;
}

function writeRecord(bytes: Buffer, start: number, record: PackableRecord): number {
  const { key, value, headers } = record;
  writeU32(bytes, start + 4, key.length);
  writeU32(bytes, start + 8, value.length);
  writeU16(bytes, start + 12, headers.length);
  let at = start + lengthBytes + headBytes;
  if (key.length > 0) bytes.set(key, at);
  at += key.length;
  bytes.set(value, at);
  at += value.length;
  for (const header of headers) {
    writeU16(bytes, at, header.name.length);
    writeU32(bytes, at + 2, header.value.length);
    bytes.set(header.name, at + headerHeadBytes);
    bytes.set(header.value, at + headerHeadBytes + header.name.length);
    at += headerHeadBytes + header.name.length + header.value.length;
  }
  writeU32(bytes, start, at - start - lengthBytes);
  return at;
}

/** The record as a message of its own. */
export function unpackedRecord({ key, value, headers }: PackableRecord): LogRecord {
  return {
    key: toBuffer(key, 'key'),
    value: toBuffer(value, 'value'),
    headers: headers.map((header) => ({ name: header.name.toString('utf8'), value: toBuffer(header.value, 'value') })),
  };
}

/** What `packRecords` wrote, as messages. Throws `RangeError` where the lengths do not fit. */
export function readPackedRecords(bytes: Buffer): LogRecord[] {
  const records: LogRecord[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + lengthBytes + bytes.readUInt32LE(at);
    records.push(readRecord(bytes.subarray(at + lengthBytes, end)));
    at = end;
  }
  return records;
}

function readRecord(bytes: Buffer): LogRecord {
  let at = headBytes;
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new RangeError(`a record of ${bytes.length} bytes ends too early`);
    at += length;
    return bytes.subarray(at - length, at);
  };
  const key = take(bytes.readUInt32LE(0));
  const value = take(bytes.readUInt32LE(4));
  const headers = Array.from({ length: bytes.readUInt16LE(8) }, () => {
    const lengths = take(headerHeadBytes);
    const name = take(lengths.readUInt16LE(0)).toString('utf8');
    return { name, value: take(lengths.readUInt32LE(2)) };
  });
  if (at !== bytes.length) throw new RangeError(`${bytes.length - at} bytes follow a record`);
  return { key, value, headers };
}

function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
