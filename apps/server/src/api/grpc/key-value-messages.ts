/** Messages of the KeyValue service ↔ the typed requests behind the APIs. */
import * as wire from '@shanghai/proto';
import type {
  Condition,
  OperationOutcome,
  RangePage,
  RangeRequest,
  StoredPair,
  WatchPage,
  WatchRequest,
  WriteOperation,
  WriteRequest,
} from '../../requests/key-value-requests.js';
import type { Answered, ReadContext, RoutedBy, WriteContext } from '../../requests/request-context.js';
import { ServerError } from '../../requests/server-error.js';
import { exclusiveEndAfter, prefixEnd } from '../key-bounds.js';
import { asBuffer, nonEmpty, safeNumber } from './wire-numbers.js';

const defaultReadContext: ReadContext = { keyspace: '', level: 'linearizable' };
const defaultWriteContext: WriteContext = { keyspace: '' };

/** Read options; absent ones are linearizable in the default keyspace. */
export function readContextOf(options: wire.ReadOptions | undefined): ReadContext {
  if (options === undefined) return defaultReadContext;
  const routed = routedBy(options.slot, options.epoch);
  const token = nonEmpty(options.token);
  return {
    keyspace: options.keyspace,
    level: readLevelOf(options.level),
    ...(token === undefined ? {} : { token }),
    ...(routed === undefined ? {} : { routed }),
  };
}

/** Write options; absent ones are without a session in the default keyspace. */
export function writeContextOf(options: wire.WriteOptions | undefined): WriteContext {
  if (options === undefined) return defaultWriteContext;
  const routed = routedBy(options.slot, options.epoch);
  const base = routed === undefined ? { keyspace: options.keyspace } : { keyspace: options.keyspace, routed };
  if (options.sessionId === 0n) {
    if (options.requestNumber === 0n && !options.retry) return base;
    throw new ServerError('INVALID_REQUEST', 'request_number and retry need a session_id; open one with OpenSession');
  }
  if (options.requestNumber === 0n) {
    throw new ServerError('INVALID_REQUEST', 'a write with a session_id needs a request_number from 1 on');
  }
  const session = {
    sessionId: safeNumber(options.sessionId, 'session_id'),
    requestNumber: safeNumber(options.requestNumber, 'request_number'),
    retry: options.retry,
  };
  return { ...base, session };
}

function routedBy(slot: number | undefined, epoch: bigint | undefined): RoutedBy | undefined {
  if (slot === undefined && epoch === undefined) return undefined;
  if (slot === undefined || epoch === undefined) {
    throw new ServerError('INVALID_REQUEST', 'slot and epoch come together or not at all');
  }
  return { slot, epoch: safeNumber(epoch, 'epoch') };
}

function readLevelOf(level: wire.ReadLevel): ReadContext['level'] {
  switch (level) {
    case wire.ReadLevel.READ_LEVEL_UNSPECIFIED:
    case wire.ReadLevel.READ_LEVEL_LINEARIZABLE:
      return 'linearizable';
    case wire.ReadLevel.READ_LEVEL_SESSION:
      return 'session';
    case wire.ReadLevel.READ_LEVEL_STALE:
      return 'stale';
    default:
      throw new ServerError('INVALID_REQUEST', `read level ${String(level)} is not known`);
  }
}

/** What every answer carries. */
export function headerOf(answered: Answered<unknown>): wire.ResponseHeader {
  return { token: asBuffer(answered.token), staleMs: BigInt(Math.trunc(answered.staleMs)) };
}

/** Answer of Get. */
export function getResponseOf(answered: Answered<StoredPair | undefined>): wire.GetResponse {
  const pair = answered.value;
  const header = headerOf(answered);
  if (pair === undefined) return { header, found: false, value: Buffer.alloc(0), revision: 0n, expiresAtMs: 0n };
  return {
    header,
    found: true,
    value: asBuffer(pair.value),
    revision: BigInt(pair.revision),
    expiresAtMs: BigInt(pair.expiresAtMs),
  };
}

/** A put as one operation. */
export function putOperation(message: wire.PutRequest | wire.PutOperation): WriteOperation {
  const { key, value, ttlMs } = message;
  return ttlMs === 0n ? { type: 'put', key, value } : { type: 'put', key, value, ttlMs: safeNumber(ttlMs, 'ttl_ms') };
}

function operationOf(message: wire.WriteOperation, index: number): WriteOperation {
  const { operation } = message;
  switch (operation?.$case) {
    case 'put':
      return putOperation(operation.value);
    case 'append':
      return { type: 'append', key: operation.value.key, value: operation.value.value };
    case 'delete':
      return { type: 'delete', key: operation.value.key };
    case undefined:
      throw new ServerError('INVALID_REQUEST', `operations[${index}] holds none of put, append, delete`);
  }
}

function conditionOf(message: wire.Condition, index: number): Condition {
  const { key, requirement } = message;
  switch (requirement?.$case) {
    case 'exists':
      return { type: 'exists', key, exists: requirement.value };
    case 'revision':
      return { type: 'revision', key, revision: safeNumber(requirement.value, `conditions[${index}].revision`) };
    case 'value':
      return { type: 'value', key, value: requirement.value };
    case undefined:
      throw new ServerError('INVALID_REQUEST', `conditions[${index}] holds none of exists, revision, value`);
  }
}

/** A batch, atomic or not. */
export function batchOf(message: wire.BatchRequest): WriteRequest {
  return { kind: message.atomic ? 'atomic' : 'independent', operations: message.operations.map(operationOf) };
}

/** A transaction. */
export function transactionOf(message: wire.TransactRequest): WriteRequest {
  return {
    kind: 'transact',
    operations: message.operations.map(operationOf),
    conditions: message.conditions.map(conditionOf),
  };
}

/** One outcome of a batch or transaction. */
export function operationResultOf(outcome: OperationOutcome): wire.OperationResult {
  if (!outcome.ok) {
    const error = { code: outcome.code, message: outcome.message };
    return { error, revision: 0n, deleted: false, valueBytes: 0n };
  }
  return {
    error: undefined,
    revision: BigInt(outcome.revision),
    deleted: outcome.deleted ?? false,
    valueBytes: BigInt(outcome.valueBytes ?? 0),
  };
}

/** A scan. */
export function rangeOf(message: wire.RangeRequest): RangeRequest {
  const bounds = { start: message.start, end: message.end, prefix: message.prefix, continuation: message.continuation };
  const given = Object.entries(bounds).filter(([, bytes]) => bytes.length > 0);
  return {
    ...Object.fromEntries(given),
    ...(message.limit === 0n ? {} : { limit: safeNumber(message.limit, 'limit') }),
    reverse: message.reverse,
    keysOnly: message.keysOnly,
  };
}

/** One page of a scan. */
export function rangeResponseOf(answered: Answered<RangePage>): wire.RangeResponse {
  const { pairs, continuation } = answered.value;
  return {
    header: headerOf(answered),
    pairs: pairs.map((pair) => ({
      key: asBuffer(pair.key),
      value: asBuffer(pair.value),
      revision: BigInt(pair.revision),
      expiresAtMs: BigInt(pair.expiresAtMs),
    })),
    continuation: continuation === undefined ? Buffer.alloc(0) : asBuffer(continuation),
  };
}

/** What to watch: a key, a prefix, a range, or all. */
export function watchOf(message: wire.WatchRequest): WatchRequest {
  const position = nonEmpty(message.position);
  return {
    keyspace: message.keyspace,
    keysOnly: message.keysOnly,
    ...(position === undefined ? {} : { position }),
    ...watchBounds(message.target),
  };
}

function watchBounds(target: wire.WatchRequest['target']): { start?: Uint8Array; end?: Uint8Array } {
  switch (target?.$case) {
    case undefined:
      return {};
    case 'key':
      return { start: target.value, end: exclusiveEndAfter(target.value) };
    case 'prefix':
      return bounds(target.value, prefixEnd(target.value));
    case 'range':
      return bounds(target.value.start, nonEmpty(target.value.end));
  }
}

function bounds(start: Buffer, end: Uint8Array | undefined): { start?: Uint8Array; end?: Uint8Array } {
  return { ...(start.length === 0 ? {} : { start }), ...(end === undefined ? {} : { end }) };
}

/** One message of a watch. */
export function watchResponseOf(page: WatchPage): wire.WatchResponse {
  return {
    position: asBuffer(page.position),
    events: page.events.map((event) => ({
      type: event.type === 'put' ? wire.WatchEvent_Type.TYPE_PUT : wire.WatchEvent_Type.TYPE_DELETE,
      key: asBuffer(event.key),
      value: asBuffer(event.value),
      revision: BigInt(event.revision),
      expiresAtMs: BigInt(event.expiresAtMs),
    })),
  };
}
