import { encodedRecordBytes } from '../apply/log-record-codec.js';
import type { NodeLimits } from '../limits.js';
import { checkCount, invalidRequest } from '../requests/request-checks.js';
import { ServerError } from '../requests/server-error.js';
import type { LogAppend, LogRead, LogRecord, LogSettings } from './log-requests.js';

/** Headers a record may have. */
const maxHeaders = 64;

/** Longest name of a header, in bytes. */
const maxHeaderNameBytes = 255;

/** A log's name is 1 to 255 of `[A-Za-z0-9._-]`, not `.` or `..`. */
export function checkLogName(name: string): void {
  if (/^[A-Za-z0-9._-]{1,255}$/.test(name) && name !== '.' && name !== '..') return;
  throw invalidRequest(`'${name.slice(0, 300)}' is no name for a log: 1 to 255 of A-Z a-z 0-9 . _ - (not '.' or '..')`);
}

/** Settings with nothing but their own fields, or `INVALID_REQUEST`; what this version cannot do is `UNSUPPORTED`. */
export function checkSettings(settings: LogSettings): LogSettings {
  const { mode, acknowledgement, retentionMs, retentionBytes, cleanupPolicy } = settings;
  if (mode !== 'quorum' && mode !== 'multi-master') throw invalidRequest(`'${String(mode)}' is no mode of a log`);
  if (!['local', 'quorum', 'all'].includes(acknowledgement)) {
    throw invalidRequest(`'${String(acknowledgement)}' is no acknowledgement level`);
  }
  checkCount('retention time', retentionMs, 0);
  checkCount('retention size', retentionBytes, 0);
  if (cleanupPolicy === 'compact' && mode !== 'quorum') {
    throw new ServerError('UNSUPPORTED', "only logs in mode 'quorum' are compacted; use cleanup policy 'delete'");
  }
  if (cleanupPolicy !== 'delete' && cleanupPolicy !== 'compact') {
    throw invalidRequest(`'${String(cleanupPolicy)}' is no cleanup policy`);
  }
  const { retentionEntries, tombstoneRetentionMs } = settings;
  if (retentionEntries !== undefined) checkCount('retention by entries', retentionEntries, 1);
  if (tombstoneRetentionMs !== undefined) {
    checkCount('retention of deletions', tombstoneRetentionMs, 1);
    if (cleanupPolicy !== 'compact') throw invalidRequest("only logs with cleanup policy 'compact' keep deletions");
  }
  const limits = {
    ...(retentionEntries === undefined ? {} : { retentionEntries }),
    ...(tombstoneRetentionMs === undefined ? {} : { tombstoneRetentionMs }),
  };
  return { mode, acknowledgement, retentionMs, retentionBytes, cleanupPolicy, ...limits };
}

/** Refuses an append that breaks a limit. */
export function checkAppend(request: LogAppend, limits: NodeLimits): void {
  const { records, producer, expectedLastSequence } = request;
  if (records.length === 0) throw invalidRequest('the append holds no records');
  if (records.length > limits.maxOperations) {
    throw invalidRequest(`the append holds ${records.length} records, at most ${limits.maxOperations} are allowed`);
  }
  let bytes = 0;
  for (const record of records) bytes += checkRecord(record, limits);
  if (bytes > limits.maxRequestBytes) {
    throw invalidRequest(`the append holds ${bytes} bytes, at most ${limits.maxRequestBytes} are allowed`);
  }
  if (expectedLastSequence !== undefined) checkCount('expected last sequence', expectedLastSequence, 0);
  if (producer === undefined) return;
  checkCount('producer id', producer.producerId, 1);
  checkCount('producer epoch', producer.epoch, 0);
  checkCount('producer sequence', producer.sequence, 1);
}

/** Refuses records without keys, where the log keeps the last record of each. */
export function checkKeys(log: string, records: readonly LogRecord[]): void {
  if (records.every(({ key }) => key.length > 0)) return;
  throw invalidRequest(`log '${log}' keeps the last record of every key, and a record has none`);
}

/** Refuses a read that makes no sense. */
export function checkLogRead(request: LogRead): void {
  checkCount('limit', request.limit, 1);
  checkCount('largest size', request.maxBytes, 1);
  if (request.start.from === 'sequence') checkCount('sequence', request.start.sequence, 0);
  if (request.start.from === 'time') checkCount('time', request.start.timeMs, 0);
  if (request.start.from === 'last') checkCount('number of last entries', request.start.entries, 0);
}

/** Refuses a record that breaks a limit; the bytes it takes. */
export function checkRecord(record: LogRecord, limits: NodeLimits): number {
  const { key, value, headers } = record;
  if (key.length > limits.maxKeyBytes) {
    throw invalidRequest(`a record's key has ${key.length} bytes, at most ${limits.maxKeyBytes} are allowed`);
  }
  if (value.length > limits.maxValueBytes) {
    throw invalidRequest(`a record's value has ${value.length} bytes, at most ${limits.maxValueBytes} are allowed`);
  }
  if (headers.length > maxHeaders) {
    throw invalidRequest(`a record has ${headers.length} headers, at most ${maxHeaders} are allowed`);
  }
  // Framing counts: thousands of empty headers are not nothing.
  const bytes = encodedRecordBytes(record);
  for (const header of headers) {
    const nameBytes = Buffer.byteLength(header.name);
    if (nameBytes === 0 || nameBytes > maxHeaderNameBytes) {
      throw invalidRequest(`a header's name has ${nameBytes} bytes, it must have 1 to ${maxHeaderNameBytes}`);
    }
  }
  return bytes;
}
