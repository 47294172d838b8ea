/**
 * One entry of a named log as its files keep it (docs/formats/state-machine.md, "Log files"):
 *
 *   0        1      2..7  8            16        24                                     24 or 48
 *   version  flags  0     entry index  log time  producer id, epoch, sequence (flag 1)  record (log-record-codec.ts)
 *
 * Flag 2: compaction took the entry away; nothing follows the head, which ends at 24.
 * The index of the command log's entry says where the record comes from; its sequence is its place in the file log.
 * Entries of streams are the same on every node, and carry their stamp instead ("Files of streams"):
 *
 *   0        1      2      10                                       10 or 34
 *   version  flags  stamp  producer id, epoch, sequence (flag 1)    record
 */

import { invariant } from '@shanghai/env';
import { type Hlc, nextHlc } from '@shanghai/replication';
import { readU32, readU64, writeU32, writeU64 } from '../apply/byte-fields.js';
import { readHlc, writeHlc } from '../apply/hlc-field.js';
import { encodeLogRecords, readLogRecord, splitLogRecords } from '../apply/log-record-codec.js';
import type { AcceptedAppend } from '../apply/log-table.js';
import type { LogEntry, LogRecord, Producer } from './log-requests.js';

const version = 1;
const streamVersion = 2;
const producerFlag = 1;
const hiddenFlag = 2;
const plainHeadBytes = 24;
const producerHeadBytes = 48;
const streamHeadBytes = 10;
const producerBytes = 24;

/** The file records of an accepted append, from its `skip`-th record on, as views of one buffer. */
export function encodeFileRecords(append: AcceptedAppend, skip: number): Uint8Array[] {
  const { command, entryIndex, timeMs } = append;
  const { producer } = command;
  const records = splitLogRecords(command.recordBytes, command.recordCount);
  const headBytes = producer === undefined ? plainHeadBytes : producerHeadBytes;
  let length = 0;
  for (let i = skip; i < records.length; i++) length += headBytes + (records[i] as Uint8Array).length;
  const bytes = Buffer.alloc(length);
  const encoded: Uint8Array[] = [];
  let at = 0;
  for (let i = skip; i < records.length; i++) {
    const record = records[i] as Uint8Array;
    bytes[at] = version;
    writeU64(bytes, at + 8, entryIndex);
    writeU64(bytes, at + 16, timeMs);
    if (producer !== undefined) {
      bytes[at + 1] = producerFlag;
      writeU64(bytes, at + 24, producer.producerId);
      writeU64(bytes, at + 32, producer.epoch);
      writeU64(bytes, at + 40, producer.sequence + i);
    }
    bytes.set(record, at + headBytes);
    const end = at + headBytes + record.length;
    encoded.push(bytes.subarray(at, end));
    at = end;
  }
  return encoded;
}

/** Records as a run of a stream, the first of them with this stamp, the others with those that follow. */
export function encodeStreamEntries(records: readonly LogRecord[], firstHlc: Hlc, producer?: Producer): Uint8Array {
  return stampRecords(encodeLogRecords(records), records.length, firstHlc, producer);
}

/** The same of records that `encodeLogRecords` wrote. */
export function stampRecords(records: Uint8Array, count: number, firstHlc: Hlc, producer?: Producer): Uint8Array {
  const headBytes = streamHeadBytes + (producer === undefined ? 0 : producerBytes);
  const bytes = Buffer.allocUnsafe(records.length + count * headBytes);
  let hlc = firstHlc;
  let from = 0;
  let at = 0;
  for (let i = 0; i < count; i++) {
    const end = from + 4 + readU32(records, from);
    const head = at + 4;
    writeU32(bytes, at, end - from - 4 + headBytes);
    bytes[head] = streamVersion;
    bytes[head + 1] = producer === undefined ? 0 : producerFlag;
    writeHlc(bytes, head + 2, hlc);
    if (producer !== undefined) {
      writeU64(bytes, head + 10, producer.producerId);
      writeU64(bytes, head + 18, producer.epoch);
      writeU64(bytes, head + 26, producer.sequence + i);
    }
    bytes.set(records.subarray(from + 4, end), head + headBytes);
    at = head + headBytes + end - from - 4;
    from = end;
    hlc = nextHlc(hlc);
  }
  invariant(from === records.length && at === bytes.length, `${count} records do not fill ${records.length} bytes`);
  return bytes;
}

/** Reads a file record. Throws `RangeError` where it is none. */
export function decodeFileRecord(bytes: Uint8Array, origin: number, epoch: number, sequence: number): LogEntry {
  if (bytes[0] === streamVersion) return decodeStreamRecord(bytes, origin, epoch, sequence);
  if (bytes[0] !== version) throw new RangeError(`a log record of version ${bytes[0]} is not known`);
  const hasProducer = ((bytes[1] as number) & producerFlag) !== 0;
  const record = readLogRecord(bytes.subarray(hasProducer ? producerHeadBytes : plainHeadBytes));
  const entry = { ...record, origin, epoch, sequence, timeMs: readU64(bytes, 16) };
  if (!hasProducer) return entry;
  const producer = { producerId: readU64(bytes, 24), epoch: readU64(bytes, 32), sequence: readU64(bytes, 40) };
  return { ...entry, producer };
}

function decodeStreamRecord(bytes: Uint8Array, origin: number, epoch: number, sequence: number): LogEntry {
  const hasProducer = ((bytes[1] as number) & producerFlag) !== 0;
  const record = readLogRecord(bytes.subarray(streamHeadBytes + (hasProducer ? producerBytes : 0)));
  const hlc = readHlc(bytes, 2);
  const entry = { ...record, origin, epoch, sequence, timeMs: hlc.ms, hlc };
  if (!hasProducer) return entry;
  const producer = { producerId: readU64(bytes, 10), epoch: readU64(bytes, 18), sequence: readU64(bytes, 26) };
  return { ...entry, producer };
}

/** What is left of a file record that compaction took away: that it was there, from which entry, and when. */
export function hiddenRecord(bytes: Uint8Array): Uint8Array {
  const head = Uint8Array.from(bytes.subarray(0, plainHeadBytes));
  head[1] = hiddenFlag;
  return head;
}

/** Whether of the file record at `at` only that is left. */
export function isHiddenRecord(bytes: Uint8Array, at = 0): boolean {
  return bytes[at] === version && ((bytes[at + 1] as number) & hiddenFlag) !== 0;
}

/** Whether the file record at `at` is of a version that `decodeFileRecord` reads. */
export function isKnownRecord(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === version || bytes[at] === streamVersion;
}

/** A file record's log time; of one of a stream that of its stamp. */
export function fileRecordTime(bytes: Uint8Array): number {
  return bytes[0] === streamVersion ? readHlc(bytes, 2).ms : readU64(bytes, 16);
}

/** The stamp of the record of a stream at `at`. */
export function streamRecordHlc(bytes: Uint8Array, at = 0): Hlc {
  return readHlc(bytes, at + 2);
}

/** Whether two records of streams carry the same stamp, and so are the same. */
export function isSameStamp(a: Uint8Array, b: Uint8Array): boolean {
  return a[0] === b[0] && Buffer.compare(a.subarray(2, streamHeadBytes), b.subarray(2, streamHeadBytes)) === 0;
}

/** Index of the command log's entry that a file record comes from. */
export function fileRecordIndex(bytes: Uint8Array): number {
  return readU64(bytes, 8);
}
