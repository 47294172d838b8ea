/**
 * Messages of pipelines between bytes and objects, for the forms that nearly all have: gets, puts and batches of puts,
 * alone or many in one message, and their answers. The generated code makes several objects and buffers for each
 * field of them, which is a large part of what such a request costs. Any other form, and any damage, goes to the generated
 * code, so that what is accepted, and what is refused, stays the same.
 */
import * as wire from '@shanghai/proto';
import { notPlain, PlainReader, varintLength, writeVarint } from '@shanghai/proto';
import type { AnswerMessage, PipelinedAnswer } from './pipelined-calls.js';
import { maxFieldsOf } from './tolerant-service.js';

type Request = NonNullable<wire.PipelineRequest['request']>;
type Answer = Exclude<NonNullable<wire.PipelineResponse['response']>, { $case: 'answers' } | { $case: 'error' }>;

/** Requests and operations of a message; one with more is read as far as a request may go. */
const maxPlainItems = 100_000;

/** Reads messages as the generated decoder does, with keys and values as views of `bytes`. Throws as that does. */
export function pipelineRequestDecoder(maxOperations: number): (bytes: Buffer) => wire.PipelineRequest {
  const maxFields = maxFieldsOf(maxOperations);
  return (bytes) => {
    try {
      const items = { left: maxPlainItems };
      return readRequest(new PlainReader(bytes), bytes.length, items, true);
    } catch (error) {
      if (error !== notPlain) throw error;
      return wire.PipelineRequest.decode(wire.boundedReader(bytes, maxFields));
    }
  };
}

function readRequest(
  reader: PlainReader,
  end: number,
  items: { left: number },
  mayBeGroup: boolean,
): wire.PipelineRequest {
  if (--items.left < 0) throw notPlain;
  let id = 0;
  let request: Request | undefined;
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x08) {
      id = reader.number(end);
      continue;
    }
    if (request !== undefined) throw notPlain;
    if (tag === 0x1a) request = { $case: 'put', value: readPut(reader, reader.end(end)) };
    else if (tag === 0x12) request = { $case: 'get', value: readGet(reader, reader.end(end)) };
    else if (tag === 0x32) request = { $case: 'batch', value: readBatch(reader, reader.end(end), items) };
    else if (tag === 0x42 && mayBeGroup) request = { $case: 'group', value: readGroup(reader, reader.end(end), items) };
    else throw notPlain;
  }
  return { id: BigInt(id), request };
}

function readGroup(reader: PlainReader, end: number, items: { left: number }): wire.PipelineGroup {
  const requests: wire.PipelineRequest[] = [];
  while (reader.at < end) {
    if (reader.tag(end) !== 0x0a) throw notPlain;
    requests.push(readRequest(reader, reader.end(end), items, false));
  }
  return { requests };
}

const noBytes = Buffer.alloc(0);

function readPut(reader: PlainReader, end: number): wire.PutRequest {
  let options: wire.WriteOptions | undefined;
  let key: Buffer = noBytes;
  let value: Buffer = noBytes;
  let ttlMs = 0;
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x12) key = reader.take(end);
    else if (tag === 0x1a) value = reader.take(end);
    else if (tag === 0x0a) options = readOptions(reader, reader.end(end));
    else if (tag === 0x20) ttlMs = reader.number(end);
    else throw notPlain;
  }
  return { options, key, value, ttlMs: BigInt(ttlMs) };
}

function readGet(reader: PlainReader, end: number): wire.GetRequest {
  let options: wire.ReadOptions | undefined;
  let key: Buffer = noBytes;
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x12) key = reader.take(end);
    else if (tag === 0x0a) options = readReadOptions(reader, reader.end(end));
    else throw notPlain;
  }
  return { options, key };
}

const readLevels = [
  wire.ReadLevel.READ_LEVEL_UNSPECIFIED,
  wire.ReadLevel.READ_LEVEL_LINEARIZABLE,
  wire.ReadLevel.READ_LEVEL_SESSION,
  wire.ReadLevel.READ_LEVEL_STALE,
];

function readReadOptions(reader: PlainReader, end: number): wire.ReadOptions {
  let keyspace = '';
  let level = 0;
  let token: Buffer = noBytes;
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x10) level = reader.number(end);
    else if (tag === 0x1a) token = reader.take(end);
    else if (tag === 0x0a) keyspace = reader.text(end);
    else throw notPlain;
  }
  const known = readLevels[level];
  if (known === undefined) throw notPlain;
  return { keyspace, level: known, token, slot: undefined, epoch: undefined };
}

function readOptions(reader: PlainReader, end: number): wire.WriteOptions {
  let keyspace = '';
  let sessionId = 0;
  let requestNumber = 0;
  let retry = false;
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x10) sessionId = reader.number(end);
    else if (tag === 0x18) requestNumber = reader.number(end);
    else if (tag === 0x0a) keyspace = reader.text(end);
    else if (tag === 0x20) retry = reader.number(end) !== 0;
    else throw notPlain;
  }
  const numbers = { sessionId: BigInt(sessionId), requestNumber: BigInt(requestNumber) };
  return { keyspace, ...numbers, retry, slot: undefined, epoch: undefined };
}

function readBatch(reader: PlainReader, end: number, items: { left: number }): wire.BatchRequest {
  let options: wire.WriteOptions | undefined;
  let atomic = false;
  const operations: wire.WriteOperation[] = [];
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x1a) operations.push(readOperation(reader, reader.end(end)));
    else if (tag === 0x0a) options = readOptions(reader, reader.end(end));
    else if (tag === 0x10) atomic = reader.number(end) !== 0;
    else throw notPlain;
  }
  items.left -= operations.length;
  if (items.left < 0) throw notPlain;
  return { options, atomic, operations };
}

/** Of puts alone. */
function readOperation(reader: PlainReader, end: number): wire.WriteOperation {
  if (reader.tag(end) !== 0x0a || reader.end(end) !== end) throw notPlain;
  let key: Buffer = noBytes;
  let value: Buffer = noBytes;
  let ttlMs = 0;
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x0a) key = reader.take(end);
    else if (tag === 0x12) value = reader.take(end);
    else if (tag === 0x18) ttlMs = reader.number(end);
    else throw notPlain;
  }
  return { operation: { $case: 'put', value: { key, value, ttlMs: BigInt(ttlMs) } } };
}

/** One message with these answers, as the generated encoder makes it. */
export function encodePipelineAnswers(answers: readonly AnswerMessage<Answer>[]): Buffer {
  let length = 0;
  const lengths: number[] = [];
  for (const answer of answers) {
    const one = lengthOf(answer);
    if (one === 0) return encodeByGenerated(answers);
    lengths.push(one);
    length += one;
  }
  const [only] = answers;
  if (only !== undefined && answers.length === 1) {
    const bytes = Buffer.allocUnsafe(length);
    writeAnswer(bytes, 0, only);
    return bytes;
  }
  for (const one of lengths) length += 1 + varintLength(one);
  const bytes = Buffer.allocUnsafe(1 + varintLength(length) + length);
  bytes[0] = 0x4a;
  let at = writeVarint(bytes, 1, length);
  for (let i = 0; i < answers.length; i++) {
    bytes[at] = 0x0a;
    at = writeVarint(bytes, at + 1, lengths[i] as number);
    at = writeAnswer(bytes, at, answers[i] as AnswerMessage<Answer>);
  }
  return bytes;
}

function encodeByGenerated(answers: readonly AnswerMessage<Answer>[]): Buffer {
  const [only] = answers;
  const message: wire.PipelineResponse =
    answers.length === 1 && only !== undefined
      ? only
      : { id: 0n, response: { $case: 'answers', value: { responses: [...answers] } } };
  return Buffer.from(wire.PipelineResponse.encode(message).finish());
}

/** Bytes of an answer of the plain form; 0: it has another one. */
function lengthOf({ id, response }: AnswerMessage<Answer>): number {
  const number = Number(id);
  const body = bodyLength(response);
  if (body === 0 || !isPlainNumber(number)) return 0;
  return 1 + varintLength(number) + 1 + varintLength(body) + body;
}

/** 0: not plain. */
function bodyLength(response: PipelinedAnswer<Answer>): number {
  if (response.$case !== 'put' && response.$case !== 'batch' && response.$case !== 'get') return 0;
  const { header } = response.value;
  if (header === undefined || header.staleMs !== 0n || header.token.length === 0 || header.token.length > 100) return 0;
  const length = 4 + header.token.length;
  switch (response.$case) {
    case 'put':
      return withRevision(length, response.value.revision);
    case 'get': {
      const { found, value, revision, expiresAtMs } = response.value;
      if (!found || value.length === 0 || expiresAtMs !== 0n) return 0;
      return withRevision(length + 3 + varintLength(value.length) + value.length, revision);
    }
    case 'batch':
      return withResults(length, response.value.results);
  }
}

/** 0 where there is none. */
function withRevision(length: number, revision: bigint): number {
  const number = Number(revision);
  return isPlainNumber(number) ? length + 1 + varintLength(number) : 0;
}

function withResults(headLength: number, results: readonly wire.OperationResult[]): number {
  let length = headLength;
  for (const { error, revision, deleted, valueBytes } of results) {
    const number = Number(revision);
    if (error !== undefined || deleted || valueBytes !== 0n || !isPlainNumber(number)) return 0;
    length += 3 + varintLength(number);
  }
  return length;
}

const caseTags = { get: 0x12, put: 0x1a, batch: 0x32 } as const;
type Plain = Extract<Answer, { $case: keyof typeof caseTags }>;

function writeAnswer(bytes: Buffer, start: number, { id, response }: AnswerMessage<Answer>): number {
  const plain = response as Plain;
  bytes[start] = 0x08;
  let at = writeVarint(bytes, start + 1, Number(id));
  bytes[at] = caseTags[plain.$case];
  at = writeVarint(bytes, at + 1, bodyLength(response));
  const token = plain.value.header?.token ?? noBytes;
  bytes[at] = 0x0a;
  bytes[at + 1] = token.length + 2;
  bytes[at + 2] = 0x0a;
  bytes[at + 3] = token.length;
  bytes.set(token, at + 4);
  at += 4 + token.length;
  switch (plain.$case) {
    case 'put':
      bytes[at] = 0x10;
      return writeVarint(bytes, at + 1, Number(plain.value.revision));
    case 'get':
      return writeGet(bytes, at, plain.value);
    case 'batch':
      return writeResults(bytes, at, plain.value.results);
  }
}

function writeGet(bytes: Buffer, start: number, { value, revision }: wire.GetResponse): number {
  bytes[start] = 0x10;
  bytes[start + 1] = 1;
  bytes[start + 2] = 0x1a;
  let at = writeVarint(bytes, start + 3, value.length);
  bytes.set(value, at);
  at += value.length;
  bytes[at] = 0x20;
  return writeVarint(bytes, at + 1, Number(revision));
}

function writeResults(bytes: Buffer, start: number, results: readonly wire.OperationResult[]): number {
  let at = start;
  for (const { revision } of results) {
    const number = Number(revision);
    bytes[at] = 0x12;
    bytes[at + 1] = 1 + varintLength(number);
    bytes[at + 2] = 0x10;
    at = writeVarint(bytes, at + 3, number);
  }
  return at;
}

/** From 1 on: 0 is not written. */
function isPlainNumber(value: number): boolean {
  return value > 0 && value <= Number.MAX_SAFE_INTEGER;
}
