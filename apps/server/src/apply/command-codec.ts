/**
 * Commands as bytes: what travels through the group's log. docs/formats/state-machine.md draws every field.
 *
 *   0        1      2       3     4      8          16          24              32      40
 *   version  kind   flags   0     slot   log time   session id  request number  epoch   body …
 *
 * The header is the same for all kinds, so that a router or a tool can read it without knowing the body. Log time is in
 * the command and not in the entry because it is the proposer's word, agreed on with the command. Keys and values lie in
 * the body as they are: decoding gives views, and nothing is copied between the caller's bytes and the log.
 */
import type { Condition, WriteOperation } from '../requests/key-value-requests.js';
import { readU16, readU32, readU64, writeU16, writeU32, writeU64 } from './byte-fields.js';
import { parseCatalogueCommand } from './catalogue-command.js';
import {
  type Command,
  type CommandBody,
  type CommandHeader,
  type CommandOfMany,
  type JoinedCommand,
  type LogAppendCommand,
  manySlots,
  type WriteCommand,
} from './command.js';
import { CommandError } from './command-error.js';
import { FieldReader } from './field-reader.js';
import { logUpkeepLength, takeLogUpkeep, writeLogUpkeep } from './log-upkeep-codec.js';
import { originBodyLength, readOriginBody, writeOriginBody } from './origin-command-codec.js';

/** The version this program writes. It reads every older one. */
export const commandVersion = 1;

/** Bytes before a command's body. */
export const commandHeaderBytes = 40;

const kindNumbers = {
  independent: 1,
  atomic: 2,
  transact: 3,
  openSession: 4,
  time: 5,
  settings: 6,
  logStart: 16,
  logAppend: 17,
  logTrim: 18,
  logDrop: 19,
  consumerCommit: 20,
  consumerSeek: 21,
  consumerDelete: 22,
  logHide: 23,
  originAppend: 24,
  originReceive: 25,
  originSkip: 26,
  originTrim: 27,
  originEpoch: 28,
  hlcCeiling: 29,
  originDrop: 30,
  keyspaceSettle: 31,
  catalogue: 32,
  originForget: 33,
  joined: 34,
  keyspaceRows: 35,
  keyspaceClean: 36,
  originMarks: 37,
  keyspacePurge: 38,
  originRun: 39,
} as const satisfies Record<CommandBody['kind'], number>;

const kindOfNumber = new Map<number, CommandBody['kind']>(
  Object.entries(kindNumbers).map(([kind, number]) => [number, kind as CommandBody['kind']]),
);

const logTimeAt = 8;
const retryFlag = 1;
const operationBytes = 20;
const conditionBytes = 13;
const producerFlag = 1;
const expectedFlag = 2;

/** The command in a buffer of its own. */
export function encodeCommand(header: CommandHeader, body: CommandBody): Buffer {
  const at = commandHeaderBytes;
  const json = body.kind === 'catalogue' ? Buffer.from(JSON.stringify(body.change)) : undefined;
  const bytes = Buffer.allocUnsafe(at + (json?.length ?? bodyLength(body)));
  writeHeader(bytes, header, kindNumbers[body.kind]);
  if (json === undefined) writeBody(bytes, at, body);
  else bytes.set(json, at);
  return bytes;
}

/** Whether a command is one of those that may share an entry. */
export function mayJoin(command: Uint8Array): boolean {
  const kind = command[1] as number;
  return command[0] === commandVersion && kind >= kindNumbers.independent && kind <= kindNumbers.transact;
}

/** One entry of commands that may share one, at least two, in the order in which they are to be performed. */
export function joinCommands(commands: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.allocUnsafe(commandHeaderBytes + joinedLength(commands));
  let logTimeMs = 0;
  for (const command of commands) logTimeMs = Math.max(logTimeMs, readU64(command, logTimeAt));
  const header = { retry: false, slot: manySlots, logTimeMs, sessionId: 0, requestNumber: 0, epoch: 0 };
  writeHeader(bytes, header, kindNumbers.joined);
  writeJoined(bytes, commandHeaderBytes, commands);
  return bytes;
}

/** Reads a command; keys and values are views of `bytes`. Throws `CommandError`. */
export function decodeCommand(bytes: Uint8Array): Command {
  if (bytes.length < commandHeaderBytes) {
    throw new CommandError('MALFORMED', `a command of ${bytes.length} bytes is shorter than its header`);
  }
  const version = bytes[0] as number;
  const kind = kindOfNumber.get(bytes[1] as number);
  if (version !== commandVersion || kind === undefined) {
    throw new CommandError(
      'UNSUPPORTED_COMMAND',
      `command version ${version}, kind ${bytes[1]} is not known; a newer version of this program wrote it`,
    );
  }
  try {
    const header: CommandHeader = {
      retry: ((bytes[2] as number) & retryFlag) !== 0,
      slot: readU32(bytes, 4),
      logTimeMs: readU64(bytes, logTimeAt),
      sessionId: readU64(bytes, 16),
      requestNumber: readU64(bytes, 24),
      epoch: readU64(bytes, 32),
    };
    return { header, body: readBody(bytes, kind) };
  } catch (error) {
    throw new CommandError('MALFORMED', `a command of kind '${kind}' cannot be read: ${String(error)}`, {
      cause: error,
    });
  }
}

function writeHeader(bytes: Uint8Array, header: CommandHeader, kind: number): void {
  bytes[0] = commandVersion;
  bytes[1] = kind;
  bytes[2] = header.retry ? retryFlag : 0;
  bytes[3] = 0;
  writeU32(bytes, 4, header.slot);
  writeU64(bytes, logTimeAt, header.logTimeMs);
  writeU64(bytes, 16, header.sessionId);
  writeU64(bytes, 24, header.requestNumber);
  writeU64(bytes, 32, header.epoch);
}

function bodyLength(body: CommandBody): number {
  switch (body.kind) {
    case 'independent':
    case 'atomic':
    case 'transact':
      return writeLength(body);
    case 'joined':
      return joinedLength(body.commands.map(encodeOneOfMany));
    case 'openSession':
      return 8;
    case 'time':
      return 0;
    case 'settings':
      return 20;
    case 'logStart':
      return 8;
    case 'logAppend':
      return logAppendHeadBytes + body.recordBytes.length;
    case 'logTrim':
      return 12;
    case 'logDrop':
      return 4;
    case 'consumerCommit':
    case 'consumerSeek':
    case 'consumerDelete':
    case 'logHide':
      return logUpkeepLength(body);
    case 'originAppend':
    case 'originReceive':
    case 'originSkip':
    case 'originTrim':
    case 'originEpoch':
    case 'originDrop':
    case 'originForget':
    case 'hlcCeiling':
    case 'originMarks':
    case 'originRun':
    case 'keyspaceSettle':
    case 'keyspaceRows':
    case 'keyspaceClean':
    case 'keyspacePurge':
      return originBodyLength(body);
    case 'catalogue':
      return 0;
  }
}

function writeBody(bytes: Uint8Array, at: number, body: CommandBody): void {
  switch (body.kind) {
    case 'independent':
    case 'atomic':
    case 'transact':
      writeWrites(bytes, at, body);
      return;
    case 'joined':
      writeJoined(bytes, at, body.commands.map(encodeOneOfMany));
      return;
    case 'openSession':
      writeU64(bytes, at, body.ttlMs);
      return;
    case 'time':
      return;
    case 'settings':
      writeU64(bytes, at, body.version);
      writeU64(bytes, at + 8, body.maxValueBytes);
      writeU32(bytes, at + 16, body.slots);
      return;
    case 'logStart':
      writeU32(bytes, at, body.logId);
      writeU32(bytes, at + 4, body.origin);
      return;
    case 'logAppend':
      writeLogAppend(bytes, at, body);
      return;
    case 'logTrim':
      writeU32(bytes, at, body.logId);
      writeU64(bytes, at + 4, body.firstSequence);
      return;
    case 'logDrop':
      writeU32(bytes, at, body.logId);
      return;
    case 'consumerCommit':
    case 'consumerSeek':
    case 'consumerDelete':
    case 'logHide':
      writeLogUpkeep(bytes, at, body);
      return;
    case 'originAppend':
    case 'originReceive':
    case 'originSkip':
    case 'originTrim':
    case 'originEpoch':
    case 'originDrop':
    case 'originForget':
    case 'hlcCeiling':
    case 'originMarks':
    case 'originRun':
    case 'keyspaceSettle':
    case 'keyspaceRows':
    case 'keyspaceClean':
    case 'keyspacePurge':
      writeOriginBody(bytes, at, body);
      return;
    case 'catalogue':
      return;
  }
}

function readBody(bytes: Uint8Array, kind: CommandBody['kind']): CommandBody {
  const reader = new FieldReader(bytes, commandHeaderBytes);
  const body = readBodyFields(reader, kind);
  reader.finish();
  return body;
}

function readBodyFields(reader: FieldReader, kind: CommandBody['kind']): CommandBody {
  switch (kind) {
    case 'independent':
    case 'atomic':
    case 'transact':
      return readWrites(reader, kind);
    case 'joined':
      return readJoined(reader);
    case 'openSession':
      return { kind, ttlMs: reader.u64() };
    case 'time':
      return { kind };
    case 'settings':
      return { kind, version: reader.u64(), maxValueBytes: reader.u64(), slots: reader.u32() };
    case 'logStart':
      return { kind, logId: reader.u32(), origin: reader.u32() };
    case 'logAppend':
      return readLogAppend(reader);
    case 'logTrim':
      return { kind, logId: reader.u32(), firstSequence: reader.u64() };
    case 'logDrop':
      return { kind, logId: reader.u32() };
    case 'consumerCommit':
    case 'consumerSeek':
    case 'consumerDelete':
    case 'logHide':
      return takeLogUpkeep(reader, kind);
    case 'originAppend':
    case 'originReceive':
    case 'originSkip':
    case 'originTrim':
    case 'originEpoch':
    case 'originDrop':
    case 'originForget':
    case 'hlcCeiling':
    case 'originMarks':
    case 'originRun':
    case 'keyspaceSettle':
    case 'keyspaceRows':
    case 'keyspaceClean':
    case 'keyspacePurge':
      return readOriginBody(reader, kind);
    case 'catalogue':
      return { kind, change: parseCatalogueCommand(reader.take(reader.left)) };
  }
}

// Key-value writes: keyspace, counts, then conditions, then operations.
//   condition: type, key length, revision or value length, key, value
//   operation: type, 3 zero bytes, key length, value length, ttl, key, value

const conditionTypes = ['', 'exists', 'absent', 'revision', 'value'] as const;
const operationTypes = ['', 'put', 'append', 'delete'] as const;

function writeLength(body: WriteCommand): number {
  let length = 12;
  for (const condition of body.conditions) {
    length += conditionBytes + condition.key.length + (condition.type === 'value' ? condition.value.length : 0);
  }
  for (const operation of body.operations) {
    length += operationBytes + operation.key.length + (operation.type === 'delete' ? 0 : operation.value.length);
  }
  return length;
}

function writeWrites(bytes: Uint8Array, start: number, body: WriteCommand): void {
  writeU32(bytes, start, body.keyspaceId);
  writeU32(bytes, start + 4, body.conditions.length);
  writeU32(bytes, start + 8, body.operations.length);
  let at = start + 12;
  for (const condition of body.conditions) at = writeCondition(bytes, at, condition);
  for (const operation of body.operations) at = writeOperation(bytes, at, operation);
}

function writeCondition(bytes: Uint8Array, at: number, condition: Condition): number {
  const { key } = condition;
  writeU32(bytes, at + 1, key.length);
  let type = 4;
  let number = 0;
  if (condition.type === 'exists') type = condition.exists ? 1 : 2;
  else if (condition.type === 'revision') {
    type = 3;
    number = condition.revision;
  } else number = condition.value.length;
  bytes[at] = type;
  writeU64(bytes, at + 5, number);
  bytes.set(key, at + conditionBytes);
  const end = at + conditionBytes + key.length;
  if (condition.type !== 'value') return end;
  bytes.set(condition.value, end);
  return end + condition.value.length;
}

function writeOperation(bytes: Uint8Array, at: number, operation: WriteOperation): number {
  const { key } = operation;
  writeU32(bytes, at, operation.type === 'put' ? 1 : operation.type === 'append' ? 2 : 3);
  writeU32(bytes, at + 4, key.length);
  writeU32(bytes, at + 8, operation.type === 'delete' ? 0 : operation.value.length);
  writeU64(bytes, at + 12, operation.type === 'put' ? (operation.ttlMs ?? 0) : 0);
  bytes.set(key, at + operationBytes);
  const end = at + operationBytes + key.length;
  if (operation.type === 'delete') return end;
  bytes.set(operation.value, end);
  return end + operation.value.length;
}

function readWrites(reader: FieldReader, kind: WriteCommand['kind']): WriteCommand {
  const keyspaceId = reader.u32();
  const conditionCount = reader.count(conditionBytes);
  const operationCount = reader.count(operationBytes);
  const conditions: Condition[] = [];
  for (let i = 0; i < conditionCount; i++) conditions.push(readCondition(reader));
  const operations: WriteOperation[] = [];
  for (let i = 0; i < operationCount; i++) operations.push(readOperation(reader));
  return { kind, keyspaceId, conditions, operations };
}

function readCondition(reader: FieldReader): Condition {
  const type = conditionTypes[reader.u8()];
  const keyBytes = reader.u32();
  const number = reader.u64();
  const key = reader.take(keyBytes);
  switch (type) {
    case 'exists':
    case 'absent':
      return { type: 'exists', key, exists: type === 'exists' };
    case 'revision':
      return { type, key, revision: number };
    case 'value':
      return { type, key, value: reader.take(number) };
    case '':
    case undefined:
      break;
  }
  throw new RangeError('unknown type of condition');
}

function readOperation(reader: FieldReader): WriteOperation {
  const type = operationTypes[reader.u32()];
  const keyBytes = reader.u32();
  const valueBytes = reader.u32();
  const ttlMs = reader.u64();
  const key = reader.take(keyBytes);
  const value = reader.take(valueBytes);
  switch (type) {
    case 'put':
      return ttlMs === 0 ? { type, key, value } : { type, key, value, ttlMs };
    case 'append':
      return { type, key, value };
    case 'delete':
      return { type, key };
    case '':
    case undefined:
      break;
  }
  throw new RangeError('unknown type of operation');
}

// Joined commands: their number, then each with its length in front.

function joinedLength(commands: readonly Uint8Array[]): number {
  let length = 4;
  for (const command of commands) length += 4 + command.length;
  return length;
}

function writeJoined(bytes: Uint8Array, start: number, commands: readonly Uint8Array[]): void {
  writeU32(bytes, start, commands.length);
  let at = start + 4;
  for (const command of commands) {
    writeU32(bytes, at, command.length);
    bytes.set(command, at + 4);
    at += 4 + command.length;
  }
}

function encodeOneOfMany({ header, body }: CommandOfMany): Buffer {
  return encodeCommand(header, body);
}

function readJoined(reader: FieldReader): JoinedCommand {
  const count = reader.count(4 + commandHeaderBytes);
  if (count < 2) throw new RangeError(`${count} commands are none that were joined`);
  const commands: CommandOfMany[] = [];
  for (let i = 0; i < count; i++) {
    const bytes = reader.take(reader.u32());
    if (!mayJoin(bytes)) throw new RangeError(`command ${i} of an entry is of kind ${bytes[1]}`);
    commands.push(decodeCommand(bytes) as CommandOfMany);
  }
  return { kind: 'joined', commands };
}

// Log appends: log id, flags, producer id, epoch, sequence, expected last sequence, count, then the records, each
// with its length in front so that the files can keep it as it is.

const logAppendHeadBytes = 44;

function writeLogAppend(bytes: Uint8Array, start: number, body: LogAppendCommand): void {
  const { producer, expectedLastSequence } = body;
  writeU32(bytes, start, body.logId);
  const flags = (producer === undefined ? 0 : producerFlag) | (expectedLastSequence === undefined ? 0 : expectedFlag);
  writeU16(bytes, start + 4, flags);
  writeU16(bytes, start + 6, 0);
  writeU64(bytes, start + 8, producer?.producerId ?? 0);
  writeU64(bytes, start + 16, producer?.epoch ?? 0);
  writeU64(bytes, start + 24, producer?.sequence ?? 0);
  writeU64(bytes, start + 32, expectedLastSequence ?? 0);
  writeU32(bytes, start + 40, body.recordCount);
  bytes.set(body.recordBytes, start + logAppendHeadBytes);
}

function readLogAppend(reader: FieldReader): LogAppendCommand {
  const logId = reader.u32();
  const flags = readU16(reader.take(4), 0);
  const producer = { producerId: reader.u64(), epoch: reader.u64(), sequence: reader.u64() };
  const expectedLastSequence = reader.u64();
  const recordCount = reader.count(4);
  const recordBytes = reader.take(reader.left);
  return {
    kind: 'logAppend',
    logId,
    recordCount,
    recordBytes,
    ...((flags & producerFlag) === 0 ? {} : { producer }),
    ...((flags & expectedFlag) === 0 ? {} : { expectedLastSequence }),
  };
}
