/** Bad input is refused here, once, before anything is written. Every refusal is `INVALID_REQUEST`. */
import type { NodeLimits } from '../limits.js';
import type { Condition, RangeRequest, WriteOperation, WriteRequest } from './key-value-requests.js';
import type { SessionRequest } from './request-context.js';
import { ServerError } from './server-error.js';

/** Longest name of a keyspace or log, in bytes. */
export const maxNameBytes = 255;

const replacementCharacter = '\ufffd';

/** Ten years: a time to live beyond it is a mistake. */
const maxTtlMs = 10 * 366 * 24 * 3600 * 1000;

/** `INVALID_REQUEST` with the reason. */
export function invalidRequest(message: string, details: Readonly<Record<string, unknown>> = {}): ServerError {
  return new ServerError('INVALID_REQUEST', message, { details });
}

/** Refuses empty and oversized keys. */
export function checkKey(key: Uint8Array, limits: NodeLimits): void {
  if (key.length === 0) throw invalidRequest('the key is empty; keys have at least one byte');
  if (key.length > limits.maxKeyBytes) {
    throw invalidRequest(`the key has ${key.length} bytes, at most ${limits.maxKeyBytes} are allowed`);
  }
}

/**
 * Refuses names of keyspaces that are too long or hold U+FFFD. Decoders put that character where text is not UTF-8, so
 * that different names would become one, and their keys each other's.
 */
export function checkKeyspace(keyspace: string): void {
  if (keyspace.includes(replacementCharacter)) {
    throw invalidRequest("the keyspace's name is not valid UTF-8, or holds U+FFFD, which cannot be told from that");
  }
  const bytes = Buffer.byteLength(keyspace);
  if (bytes > maxNameBytes)
    throw invalidRequest(`the keyspace's name has ${bytes} bytes, at most ${maxNameBytes} are allowed`);
}

/** Refuses a write request that breaks a limit or makes no sense. */
export function checkWrite(request: WriteRequest, limits: NodeLimits): void {
  const { operations, conditions = [], kind } = request;
  if (kind !== 'transact' && conditions.length > 0)
    throw invalidRequest(`a request of kind '${kind}' takes no conditions`);
  if (operations.length === 0 && conditions.length === 0) throw invalidRequest('the request holds no operations');
  const count = operations.length + conditions.length;
  if (count > limits.maxOperations) {
    throw invalidRequest(`the request holds ${count} operations, at most ${limits.maxOperations} are allowed`);
  }
  let bytes = 0;
  for (const operation of operations) bytes += checkOperation(operation, limits);
  for (const condition of conditions) bytes += checkCondition(condition, limits);
  if (bytes > limits.maxRequestBytes) {
    throw invalidRequest(`the request holds ${bytes} bytes, at most ${limits.maxRequestBytes} are allowed`);
  }
}

/** Refuses session fields that cannot be. */
export function checkSession(session: SessionRequest): void {
  checkCount('session id', session.sessionId, 1);
  checkCount('request number', session.requestNumber, 1);
}

/** Refuses anything but an integer ≥ `least`. */
export function checkCount(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw invalidRequest(`the ${name} must be an integer of at least ${least}, got ${value}`);
  }
}

/** Refuses reversed bounds and negative limits. */
export function checkRange(request: RangeRequest): void {
  const { start, end, limit } = request;
  if (limit !== undefined) checkCount('limit', limit, 0);
  if (start !== undefined && end !== undefined && end.length > 0 && Buffer.compare(start, end) > 0) {
    throw invalidRequest('the range is reversed: its start lies behind its end');
  }
}

/** Refuses a time to live that is negative or absurd. */
export function checkTtl(ttlMs: number): void {
  if (!Number.isSafeInteger(ttlMs) || ttlMs < 0 || ttlMs > maxTtlMs) {
    throw invalidRequest(`the time to live must be in [0, ${maxTtlMs}] ms, got ${ttlMs}`);
  }
}

function checkOperation(operation: WriteOperation, limits: NodeLimits): number {
  checkKey(operation.key, limits);
  if (operation.type === 'delete') return operation.key.length;
  checkValue(operation.value, limits);
  if (operation.type === 'put' && operation.ttlMs !== undefined) checkTtl(operation.ttlMs);
  return operation.key.length + operation.value.length;
}

function checkCondition(condition: Condition, limits: NodeLimits): number {
  checkKey(condition.key, limits);
  if (condition.type === 'revision') checkCount('revision', condition.revision, 0);
  if (condition.type !== 'value') return condition.key.length;
  checkValue(condition.value, limits);
  return condition.key.length + condition.value.length;
}

function checkValue(value: Uint8Array, limits: NodeLimits): void {
  if (value.length > limits.maxValueBytes) {
    throw invalidRequest(`the value has ${value.length} bytes, at most ${limits.maxValueBytes} are allowed`);
  }
}
