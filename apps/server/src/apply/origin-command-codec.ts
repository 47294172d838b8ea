/**
 * The bodies of an own group's commands as bytes. docs/formats/state-machine.md draws them.
 *
 *   append, each:  log id (4), flags (2), 0 (2), producer id, epoch, sequence, expected last (8 each), first stamp, last stamp (8 each),
 *                  count (4), bytes (4), entries
 *   run, each:     log id (4), origin (4), epoch (8), first sequence (8), last stamp (8), count (4), bytes (4), entries
 *   mark, each:    origin (4), stamp (8), logs (4), then each: log id (4), stamp (8)
 */
import { hlcBytes, type OriginMark, type StreamId } from '@shanghai/replication';
import { readU16, writeU16, writeU32, writeU64 } from './byte-fields.js';
import type { FieldReader } from './field-reader.js';
import { readHlc, writeHlc } from './hlc-field.js';
import { keyspaceBodyLength, readKeyspaceBody, writeKeyspaceBody } from './keyspace-command-codec.js';
import type { OriginAppend, OriginCommand } from './origin-command.js';
import type { StreamRun } from './stream-run.js';

const producerFlag = 1;
const expectedFlag = 2;
const appendHeadBytes = 64;
const runHeadBytes = 40;
const streamBytes = 16;
const markHeadBytes = 16;
const behindBytes = 12;

/** Bytes of the body. */
export function originBodyLength(body: OriginCommand): number {
  switch (body.kind) {
    case 'originAppend':
      return body.appends.reduce((sum, { bytes }) => sum + appendHeadBytes + bytes.length, 4);
    case 'originReceive':
      return body.runs.reduce((sum, { bytes }) => sum + runHeadBytes + bytes.length, 4);
    case 'originSkip':
    case 'originTrim':
      return streamBytes + 8;
    case 'originEpoch':
      return 12;
    case 'originRun':
      return 8;
    case 'originForget':
      return streamBytes;
    case 'originDrop':
      return 4;
    case 'hlcCeiling':
      return hlcBytes;
    case 'originMarks':
      return body.marks.reduce((sum, { behind }) => sum + markHeadBytes + behind.length * behindBytes, 4);
    case 'keyspaceSettle':
    case 'keyspaceRows':
    case 'keyspaceClean':
    case 'keyspacePurge':
      return keyspaceBodyLength(body);
  }
}

/** Writes the body. */
export function writeOriginBody(bytes: Uint8Array, start: number, body: OriginCommand): void {
  switch (body.kind) {
    case 'originAppend': {
      writeU32(bytes, start, body.appends.length);
      let at = start + 4;
      for (const append of body.appends) at = writeAppend(bytes, at, append);
      return;
    }
    case 'originReceive': {
      writeU32(bytes, start, body.runs.length);
      let at = start + 4;
      for (const run of body.runs) at = writeRun(bytes, at, run);
      return;
    }
    case 'originSkip':
    case 'originTrim':
      writeStream(bytes, start, body.stream);
      writeU64(bytes, start + streamBytes, body.firstSequence);
      return;
    case 'originEpoch':
      writeU32(bytes, start, body.origin);
      writeU64(bytes, start + 4, body.epoch);
      return;
    case 'originRun':
      writeU32(bytes, start, body.run);
      writeU32(bytes, start + 4, body.isClosed ? 1 : 0);
      return;
    case 'originForget':
      writeStream(bytes, start, body.stream);
      return;
    case 'originDrop':
      writeU32(bytes, start, body.logId);
      return;
    case 'hlcCeiling':
      writeHlc(bytes, start, body.hlc);
      return;
    case 'originMarks':
      writeMarks(bytes, start, body.marks);
      return;
    case 'keyspaceSettle':
    case 'keyspaceRows':
    case 'keyspaceClean':
    case 'keyspacePurge':
      writeKeyspaceBody(bytes, start, body);
      return;
  }
}

/** Reads a body; entries are views. Throws `RangeError`. */
export function readOriginBody(reader: FieldReader, kind: OriginCommand['kind']): OriginCommand {
  switch (kind) {
    case 'originAppend':
      return { kind, appends: Array.from({ length: reader.count(appendHeadBytes) }, () => readAppend(reader)) };
    case 'originReceive':
      return { kind, runs: Array.from({ length: reader.count(runHeadBytes) }, () => readRun(reader)) };
    case 'originSkip':
    case 'originTrim':
      return { kind, stream: readStream(reader), firstSequence: reader.u64() };
    case 'originEpoch':
      return { kind, origin: reader.u32(), epoch: reader.u64() };
    case 'originRun':
      return { kind, run: reader.u32(), isClosed: reader.u32() === 1 };
    case 'originForget':
      return { kind, stream: readStream(reader) };
    case 'originDrop':
      return { kind, logId: reader.u32() };
    case 'hlcCeiling':
      return { kind, hlc: readHlc(reader.take(hlcBytes), 0) };
    case 'originMarks':
      return { kind, marks: Array.from({ length: reader.count(markHeadBytes) }, () => readMark(reader)) };
    case 'keyspaceSettle':
    case 'keyspaceRows':
    case 'keyspaceClean':
    case 'keyspacePurge':
      return readKeyspaceBody(reader, kind);
  }
}

function writeAppend(bytes: Uint8Array, at: number, append: OriginAppend): number {
  const { producer, expectedLastSequence } = append;
  const flags = (producer === undefined ? 0 : producerFlag) | (expectedLastSequence === undefined ? 0 : expectedFlag);
  writeU32(bytes, at, append.logId);
  writeU16(bytes, at + 4, flags);
  writeU16(bytes, at + 6, 0);
  writeU64(bytes, at + 8, producer?.producerId ?? 0);
  writeU64(bytes, at + 16, producer?.epoch ?? 0);
  writeU64(bytes, at + 24, producer?.sequence ?? 0);
  writeU64(bytes, at + 32, expectedLastSequence ?? 0);
  writeHlc(bytes, at + 40, append.firstHlc);
  writeHlc(bytes, at + 48, append.lastHlc);
  writeU32(bytes, at + 56, append.count);
  writeU32(bytes, at + 60, append.bytes.length);
  bytes.set(append.bytes, at + appendHeadBytes);
  return at + appendHeadBytes + append.bytes.length;
}

function readAppend(reader: FieldReader): OriginAppend {
  const logId = reader.u32();
  const flags = readU16(reader.take(4), 0);
  const producer = { producerId: reader.u64(), epoch: reader.u64(), sequence: reader.u64() };
  const expectedLastSequence = reader.u64();
  const firstHlc = readHlc(reader.take(hlcBytes), 0);
  const lastHlc = readHlc(reader.take(hlcBytes), 0);
  const { count, bytes } = readEntries(reader);
  return {
    ...{ logId, firstHlc, lastHlc, count, bytes },
    ...((flags & producerFlag) === 0 ? {} : { producer }),
    ...((flags & expectedFlag) === 0 ? {} : { expectedLastSequence }),
  };
}

function writeRun(bytes: Uint8Array, at: number, run: StreamRun): number {
  writeStream(bytes, at, run.stream);
  writeU64(bytes, at + streamBytes, run.firstSequence);
  writeHlc(bytes, at + 24, run.lastHlc);
  writeU32(bytes, at + 32, run.count);
  writeU32(bytes, at + 36, run.bytes.length);
  bytes.set(run.bytes, at + runHeadBytes);
  return at + runHeadBytes + run.bytes.length;
}

function readRun(reader: FieldReader): StreamRun {
  const stream = readStream(reader);
  const firstSequence = reader.u64();
  const lastHlc = readHlc(reader.take(hlcBytes), 0);
  return { stream, firstSequence, lastHlc, ...readEntries(reader) };
}

/** How many there are is believed only as far as their lengths would fit. */
function readEntries(reader: FieldReader): { count: number; bytes: Uint8Array } {
  const count = reader.u32();
  const bytes = reader.take(reader.u32());
  if (count === 0 || count * 4 > bytes.length) throw new RangeError(`${count} entries in ${bytes.length} bytes`);
  return { count, bytes };
}

function writeStream(bytes: Uint8Array, at: number, { logId, origin, epoch }: StreamId): void {
  writeU32(bytes, at, logId);
  writeU32(bytes, at + 4, origin);
  writeU64(bytes, at + 8, epoch);
}

function readStream(reader: FieldReader): StreamId {
  return { logId: reader.u32(), origin: reader.u32(), epoch: reader.u64() };
}

function writeMarks(bytes: Uint8Array, start: number, marks: readonly OriginMark[]): void {
  writeU32(bytes, start, marks.length);
  let at = start + 4;
  for (const { origin, hlc, behind } of marks) {
    writeU32(bytes, at, origin);
    writeHlc(bytes, at + 4, hlc);
    writeU32(bytes, at + 12, behind.length);
    at += markHeadBytes;
    for (const { logId, hlc: known } of behind) {
      writeU32(bytes, at, logId);
      writeHlc(bytes, at + 4, known);
      at += behindBytes;
    }
  }
}

function readMark(reader: FieldReader): OriginMark {
  const origin = reader.u32();
  const hlc = readHlc(reader.take(hlcBytes), 0);
  const behind = Array.from({ length: reader.count(behindBytes) }, () => {
    return { logId: reader.u32(), hlc: readHlc(reader.take(hlcBytes), 0) };
  });
  return { origin, hlc, behind };
}
