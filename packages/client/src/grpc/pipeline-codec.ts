/**
 * Messages of the key-value pipeline between objects and bytes, for the forms that nearly all have: gets, puts and batches
 * of puts, alone or many in one message, and their answers. The generated code makes several objects and buffers for each
 * field, a large part of what such a call costs. Any other form, and any damage, goes to the generated code.
 */
import {
  type BatchRequest,
  type BatchResponse,
  type GetRequest,
  type GetResponse,
  notPlain,
  type OperationResult,
  PipelineRequest,
  PipelineResponse,
  PlainReader,
  type PutRequest,
  type PutResponse,
  type ResponseHeader,
  varintLength,
  type WriteOptions,
  writeVarint,
} from '@shanghai/proto';

type Answer = NonNullable<PipelineResponse['response']>;

const noBytes = Buffer.alloc(0);

/** The same bytes as the generated encoder's. */
export function encodePipelineRequest(message: PipelineRequest): Buffer {
  const { request } = message;
  if (request?.$case !== 'group' || message.id !== 0n) {
    const length = requestLength(message);
    if (length === 0) return Buffer.from(PipelineRequest.encode(message).finish());
    const bytes = Buffer.allocUnsafe(length);
    writeRequest(bytes, 0, message);
    return bytes;
  }
  const { requests } = request.value;
  let length = 0;
  const lengths: number[] = [];
  for (const one of requests) {
    const oneLength = requestLength(one);
    if (oneLength === 0) return Buffer.from(PipelineRequest.encode(message).finish());
    lengths.push(oneLength);
    length += 1 + varintLength(oneLength) + oneLength;
  }
  const bytes = Buffer.allocUnsafe(1 + varintLength(length) + length);
  bytes[0] = 0x42;
  let at = writeVarint(bytes, 1, length);
  for (let i = 0; i < requests.length; i++) {
    bytes[at] = 0x0a;
    at = writeVarint(bytes, at + 1, lengths[i] as number);
    at = writeRequest(bytes, at, requests[i] as PipelineRequest);
  }
  return bytes;
}

const caseTags = { get: 0x12, put: 0x1a, batch: 0x32 } as const;
type Plain = Extract<NonNullable<PipelineRequest['request']>, { readonly $case: keyof typeof caseTags }>;

/** Bytes of a request; 0: it has not the plain form. */
function requestLength({ id, request }: PipelineRequest): number {
  const body = bodyLength(request);
  if (body < 0) return 0;
  return Math.max(0, numberLength(id) + 1 + varintLength(body) + body);
}

/** Negative: not plain. */
function bodyLength(request: PipelineRequest['request']): number {
  switch (request?.$case) {
    case 'put':
      return putLength(request.value);
    case 'get':
      return getLength(request.value);
    case 'batch':
      return batchLength(request.value);
    case 'append':
    case 'delete':
    case 'transact':
    case 'group':
    case undefined:
      return -1;
  }
}

function writeRequest(bytes: Buffer, start: number, { id, request }: PipelineRequest): number {
  const plain = request as Plain;
  let at = writeNumber(bytes, start, 0x08, id);
  bytes[at] = caseTags[plain.$case];
  at = writeVarint(bytes, at + 1, bodyLength(plain));
  switch (plain.$case) {
    case 'put': {
      const { options, key, value, ttlMs } = plain.value;
      at = writeBytes(bytes, writeOptions(bytes, at, options), 0x12, key);
      return writeNumber(bytes, writeBytes(bytes, at, 0x1a, value), 0x20, ttlMs);
    }
    case 'get':
      return writeGet(bytes, at, plain.value);
    case 'batch':
      return writeBatch(bytes, at, plain.value);
  }
}

function putLength({ options, key, value, ttlMs }: PutRequest): number {
  const head = optionsLength(options);
  return head < 0 ? -1 : withHead(head) + bytesLength(key) + bytesLength(value) + numberLength(ttlMs);
}

/** Of linearizable reads of the default keyspace, which say nothing but their level. */
function getLength({ options, key }: GetRequest): number {
  if (options === undefined) return bytesLength(key);
  const { keyspace, token, slot, epoch, level } = options;
  const isPlain = keyspace === '' && token.length === 0 && slot === undefined && epoch === undefined;
  return isPlain && level > 0 && level < 0x80 ? 4 + bytesLength(key) : -1;
}

function writeGet(bytes: Buffer, start: number, { options, key }: GetRequest): number {
  let at = start;
  if (options !== undefined) {
    bytes[at] = 0x0a;
    bytes[at + 1] = 2;
    bytes[at + 2] = 0x10;
    bytes[at + 3] = options.level;
    at += 4;
  }
  return writeBytes(bytes, at, 0x12, key);
}

function batchLength({ options, atomic, operations }: BatchRequest): number {
  const head = optionsLength(options);
  if (head < 0) return -1;
  let length = withHead(head) + (atomic ? 2 : 0);
  for (const { operation } of operations) {
    if (operation?.$case !== 'put') return -1;
    const { key, value, ttlMs } = operation.value;
    const put = bytesLength(key) + bytesLength(value) + numberLength(ttlMs);
    const one = 1 + varintLength(put) + put;
    length += 1 + varintLength(one) + one;
  }
  return length;
}

function writeBatch(bytes: Buffer, start: number, { options, atomic, operations }: BatchRequest): number {
  let at = writeOptions(bytes, start, options);
  if (atomic) {
    bytes[at] = 0x10;
    bytes[at + 1] = 1;
    at += 2;
  }
  for (const { operation } of operations) {
    if (operation?.$case !== 'put') continue;
    const { key, value, ttlMs } = operation.value;
    const put = bytesLength(key) + bytesLength(value) + numberLength(ttlMs);
    bytes[at] = 0x1a;
    at = writeVarint(bytes, at + 1, 1 + varintLength(put) + put);
    bytes[at] = 0x0a;
    at = writeVarint(bytes, at + 1, put);
    at = writeBytes(bytes, writeBytes(bytes, at, 0x0a, key), 0x12, value);
    at = writeNumber(bytes, at, 0x18, ttlMs);
  }
  return at;
}

/** Negative: not plain. 0: there are none. */
function optionsLength(options: WriteOptions | undefined): number {
  if (options === undefined) return 0;
  const { keyspace, sessionId, requestNumber, retry, slot, epoch } = options;
  if (keyspace !== '' || slot !== undefined || epoch !== undefined || sessionId === 0n) return -1;
  return numberLength(sessionId) + numberLength(requestNumber) + (retry ? 2 : 0);
}

function withHead(length: number): number {
  return length === 0 ? 0 : 2 + length;
}

function writeOptions(bytes: Buffer, start: number, options: WriteOptions | undefined): number {
  if (options === undefined) return start;
  bytes[start] = 0x0a;
  bytes[start + 1] = optionsLength(options);
  let at = writeNumber(bytes, start + 2, 0x10, options.sessionId);
  at = writeNumber(bytes, at, 0x18, options.requestNumber);
  if (!options.retry) return at;
  bytes[at] = 0x20;
  bytes[at + 1] = 1;
  return at + 2;
}

/** With its tag; nothing where it is empty. */
function bytesLength({ length }: Uint8Array): number {
  return length === 0 ? 0 : 1 + varintLength(length) + length;
}

function writeBytes(bytes: Buffer, start: number, tag: number, value: Uint8Array): number {
  if (value.length === 0) return start;
  bytes[start] = tag;
  const at = writeVarint(bytes, start + 1, value.length);
  bytes.set(value, at);
  return at + value.length;
}

/** With its tag; nothing where it is 0. Far beyond plain where it is no safe integer: such a request is too large to be one. */
function numberLength(value: bigint): number {
  if (value === 0n) return 0;
  const number = Number(value);
  return Number.isSafeInteger(number) && number > 0 ? 1 + varintLength(number) : Number.NEGATIVE_INFINITY;
}

function writeNumber(bytes: Buffer, start: number, tag: number, value: bigint): number {
  if (value === 0n) return start;
  bytes[start] = tag;
  return writeVarint(bytes, start + 1, Number(value));
}

/** Reads answers as the generated decoder does. Throws as that does. */
export function decodePipelineResponse(bytes: Buffer): PipelineResponse {
  try {
    return readResponse(new PlainReader(bytes), bytes.length, true);
  } catch (error) {
    if (error !== notPlain) throw error;
    return PipelineResponse.decode(bytes);
  }
}

function readResponse(reader: PlainReader, end: number, mayBeMany: boolean): PipelineResponse {
  let id = 0;
  let response: Answer | undefined;
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x08) {
      id = reader.number(end);
      continue;
    }
    if (response !== undefined) throw notPlain;
    const stop = reader.end(end);
    if (tag === 0x1a) response = { $case: 'put', value: readPut(reader, stop) };
    else if (tag === 0x12) response = { $case: 'get', value: readGet(reader, stop) };
    else if (tag === 0x32) response = { $case: 'batch', value: readBatch(reader, stop) };
    else if (tag === 0x4a && mayBeMany) response = { $case: 'answers', value: readAnswers(reader, stop) };
    else throw notPlain;
  }
  return { id: BigInt(id), response };
}

function readAnswers(reader: PlainReader, end: number): { responses: PipelineResponse[] } {
  const responses: PipelineResponse[] = [];
  while (reader.at < end) {
    if (reader.tag(end) !== 0x0a) throw notPlain;
    responses.push(readResponse(reader, reader.end(end), false));
  }
  return { responses };
}

function readPut(reader: PlainReader, end: number): PutResponse {
  let header: ResponseHeader | undefined;
  let revision = 0;
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x10) revision = reader.number(end);
    else if (tag === 0x0a) header = readHeader(reader, reader.end(end));
    else throw notPlain;
  }
  return { header, revision: BigInt(revision) };
}

function readGet(reader: PlainReader, end: number): GetResponse {
  let header: ResponseHeader | undefined;
  let found = false;
  let value: Buffer = noBytes;
  let revision = 0;
  let expiresAtMs = 0;
  while (reader.at < end) {
    const tag = reader.tag(end);
    // Callers keep it: a view would keep the whole message.
    if (tag === 0x1a) value = Buffer.from(reader.take(end));
    else if (tag === 0x10) found = reader.number(end) !== 0;
    else if (tag === 0x20) revision = reader.number(end);
    else if (tag === 0x28) expiresAtMs = reader.number(end);
    else if (tag === 0x0a) header = readHeader(reader, reader.end(end));
    else throw notPlain;
  }
  return { header, found, value, revision: BigInt(revision), expiresAtMs: BigInt(expiresAtMs) };
}

function readBatch(reader: PlainReader, end: number): BatchResponse {
  let header: ResponseHeader | undefined;
  const results: OperationResult[] = [];
  while (reader.at < end) {
    const tag = reader.tag(end);
    const stop = reader.end(end);
    if (tag === 0x12) results.push(readResult(reader, stop));
    else if (tag === 0x0a) header = readHeader(reader, stop);
    else throw notPlain;
  }
  return { header, results };
}

function readResult(reader: PlainReader, end: number): OperationResult {
  let revision = 0;
  let deleted = false;
  let valueBytes = 0;
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x10) revision = reader.number(end);
    else if (tag === 0x18) deleted = reader.number(end) !== 0;
    else if (tag === 0x20) valueBytes = reader.number(end);
    else throw notPlain;
  }
  return { error: undefined, revision: BigInt(revision), deleted, valueBytes: BigInt(valueBytes) };
}

function readHeader(reader: PlainReader, end: number): ResponseHeader {
  let token: Buffer = noBytes;
  let staleMs = 0;
  while (reader.at < end) {
    const tag = reader.tag(end);
    if (tag === 0x0a) token = kept(reader.take(end));
    else if (tag === 0x10) staleMs = reader.number(end);
    else throw notPlain;
  }
  return { token, staleMs: BigInt(staleMs) };
}

let lastToken: Buffer = noBytes;

/** Tokens are kept, so it is a copy; answers that come together mostly have the same one. */
function kept(token: Buffer): Buffer {
  if (!token.equals(lastToken)) lastToken = Buffer.from(token);
  return lastToken;
}
