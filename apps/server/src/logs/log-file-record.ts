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
import { encodeLogRecords, readLogRecord } from '../apply/log-record-codec.js';
import type { AcceptedAppend } from '../apply/log-table.js';
import { type StreamRun, splitRun } from '../apply/stream-run.js';
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
  return splitRun(encodeFileRun(append, skip));
}

/** The same as a run: one behind the other, each with its length before it. */
export function encodeFileRun(append: AcceptedAppend, skip: number): Pick<StreamRun, 'bytes' | 'count'> {
  const { command, entryIndex, timeMs } = append;
  const { producer, recordCount } = command;
  const count = recordCount - skip;
  const records = command.recordBytes.subarray(recordStart(command.recordBytes, skip));
  const headBytes = producer === undefined ? plainHeadBytes : producerHeadBytes;
  const bytes = withHeads(records, count, headBytes, (run, at, i) => {
    run.fill(0, at, at + headBytes);
    run[at] = version;
    writeU64(run, at + 8, entryIndex);
    writeU64(run, at + 16, timeMs);
    if (producer === undefined) return;
    run[at + 1] = producerFlag;
    writeU64(run, at + 24, producer.producerId);
    writeU64(run, at + 32, producer.epoch);
    writeU64(run, at + 40, producer.sequence + skip + i);
  });
  return { bytes, count };
}

/** Records as a run of a stream, the first of them with this stamp, the others with those that follow. */
export function encodeStreamEntries(records: readonly LogRecord[], firstHlc: Hlc, producer?: Producer): Uint8Array {
  return stampRecords(encodeLogRecords(records), records.length, firstHlc, producer);
}

/** The same of records that `encodeLogRecords` wrote. */
export function stampRecords(records: Uint8Array, count: number, firstHlc: Hlc, producer?: Producer): Uint8Array {
  const headBytes = streamHeadBytes + (producer === undefined ? 0 : producerBytes);
  let hlc = firstHlc;
  return withHeads(records, count, headBytes, (run, at, i) => {
    run[at] = streamVersion;
    run[at + 1] = producer === undefined ? 0 : producerFlag;
    writeHlc(run, at + 2, hlc);
    hlc = nextHlc(hlc);
    if (producer === undefined) return;
    writeU64(run, at + 10, producer.producerId);
    writeU64(run, at + 18, producer.epoch);
    writeU64(run, at + 26, producer.sequence + i);
  });
}

/**
 * Records with a head before each, as a run. They are copied at once, to the end of where they will lie, and each is moved down
 * to its place: it never moves over one that was not moved yet, and no record costs an object.
 */
function withHeads(
  records: Uint8Array,
  count: number,
  headBytes: number,
  writeHead: (run: Uint8Array, at: number, record: number) => void,
): Uint8Array {
  const run = Buffer.allocUnsafe(records.length + count * headBytes);
  let from = count * headBytes;
  let to = 0;
  run.set(records, from);
  for (let i = 0; i < count; i++) {
    const length = readU32(run, from);
    const record = from + 4;
    from = record + length;
    invariant(from <= run.length, `record ${i} of ${count} passes the end of ${records.length} bytes`);
    writeU32(run, to, headBytes + length);
    writeHead(run, to + 4, i);
    to += 4 + headBytes;
    run.copyWithin(to, record, from);
    to += length;
  }
  invariant(to === run.length, `${count} records do not fill ${records.length} bytes`);
  return run;
}

function recordStart(records: Uint8Array, skip: number): number {
  let at = 0;
  for (let i = 0; i < skip; i++) at += 4 + readU32(records, at);
  return at;
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
