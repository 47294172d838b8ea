/**
 * One entry of a named log as its files keep it (docs/formats/state-machine.md, "log files"):
 *
 *   0        1      2..7  8            16        24                                     24 or 48
 *   version  flags  0     entry index  log time  producer id, epoch, sequence (flag 1)  record (log-record-codec.ts)
 *
 * The index of the command log's entry says where the record comes from; its sequence is its place in the file log.
 */

import { readU64, writeU64 } from '../apply/byte-fields.js';
import { readLogRecord, splitLogRecords } from '../apply/log-record-codec.js';
import type { AcceptedAppend } from '../apply/log-table.js';
import type { LogEntry } from './log-requests.js';

const version = 1;
const producerFlag = 1;
const plainHeadBytes = 24;
const producerHeadBytes = 48;

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

/** Reads a file record. Throws `RangeError` where it is none. */
export function decodeFileRecord(bytes: Uint8Array, origin: number, epoch: number, sequence: number): LogEntry {
  if (bytes[0] !== version) throw new RangeError(`a log record of version ${bytes[0]} is not known`);
  const hasProducer = ((bytes[1] as number) & producerFlag) !== 0;
  const record = readLogRecord(bytes.subarray(hasProducer ? producerHeadBytes : plainHeadBytes));
  const entry = { ...record, origin, epoch, sequence, timeMs: readU64(bytes, 16) };
  if (!hasProducer) return entry;
  const producer = { producerId: readU64(bytes, 24), epoch: readU64(bytes, 32), sequence: readU64(bytes, 40) };
  return { ...entry, producer };
}

/** A file record's log time. */
export function fileRecordTime(bytes: Uint8Array): number {
  return readU64(bytes, 16);
}

/** Index of the command log's entry that a file record comes from. */
export function fileRecordIndex(bytes: Uint8Array): number {
  return readU64(bytes, 8);
}
