import {
  type Condition as ConditionMessage,
  type GetResponse,
  isErrorCode,
  type KeyValuePair,
  type OperationResult,
  WatchEvent_Type,
  type WatchEvent as WatchEventMessage,
  type WriteOperation as WriteOperationMessage,
} from '@shanghai/proto';
import { ClientError } from '../client-error.js';
import type { Condition, Entry, OperationOutcome, WatchEvent, WriteOperation } from '../key-value-store.js';
import { toBuffer, toNumber, toUint64 } from './wire-values.js';

/** The largest key, in bytes. */
export const maxKeyBytes = 65_536;

/** A key of the caller. Throws `RangeError` where no server would take it. */
export function toKey(key: Uint8Array | string): Buffer {
  const bytes = toBuffer(key, 'key');
  if (bytes.length === 0 || bytes.length > maxKeyBytes) {
    throw new RangeError(`key must have 1 to ${maxKeyBytes} bytes, has ${bytes.length}`);
  }
  return bytes;
}

/** A write operation as a message. */
export function operationMessage(operation: WriteOperation): WriteOperationMessage {
  if ('put' in operation) {
    const value = {
      key: toKey(operation.put),
      value: toBuffer(operation.value, 'value'),
      ttlMs: operation.ttlMs === undefined ? 0n : toUint64(operation.ttlMs, 'ttlMs', 1),
    };
    return { operation: { $case: 'put', value } };
  }
  if ('append' in operation) {
    const value = { key: toKey(operation.append), value: toBuffer(operation.value, 'value') };
    return { operation: { $case: 'append', value } };
  }
  if ('delete' in operation) return { operation: { $case: 'delete', value: { key: toKey(operation.delete) } } };
  throw new TypeError('an operation is one of { put, value }, { append, value }, { delete }');
}

/** Bytes of keys and values in operations, with a little for each. */
export function operationsBytes(operations: readonly WriteOperationMessage[]): number {
  let bytes = 0;
  for (const { operation } of operations) {
    if (operation === undefined) continue;
    bytes += 16 + operation.value.key.length + (operation.$case === 'delete' ? 0 : operation.value.value.length);
  }
  return bytes;
}

/** A condition as a message. */
export function conditionMessage(condition: Condition): ConditionMessage {
  const key = toKey(condition.key);
  if ('exists' in condition) return { key, requirement: { $case: 'exists', value: condition.exists } };
  if ('revision' in condition) {
    return { key, requirement: { $case: 'revision', value: toUint64(condition.revision, 'revision') } };
  }
  if ('value' in condition) return { key, requirement: { $case: 'value', value: toBuffer(condition.value, 'value') } };
  throw new TypeError('a condition is a key with one of exists, revision, value');
}

/** What became of an operation. */
export function outcomeOf(operation: WriteOperationMessage, result: OperationResult): OperationOutcome {
  if (result.error !== undefined) {
    const { code, message } = result.error;
    return { ok: false, code: isErrorCode(code) ? code : 'INTERNAL_ERROR', message };
  }
  const revision = toNumber(result.revision);
  const kind = operation.operation?.$case;
  if (kind === 'delete') return { ok: true, revision, deleted: result.deleted };
  if (kind === 'append') return { ok: true, revision, valueBytes: toNumber(result.valueBytes) };
  return { ok: true, revision };
}

/** Outcomes of all operations, in order. */
export function outcomesOf(
  operations: readonly WriteOperationMessage[],
  results: readonly OperationResult[],
): OperationOutcome[] {
  if (results.length !== operations.length) {
    throw new ClientError(
      'OUTCOME_UNKNOWN',
      `The server answered ${operations.length} operations with ${results.length} results`,
      { answered: true },
    );
  }
  return operations.map((operation, index) => outcomeOf(operation, results[index] as OperationResult));
}

/** The entry of an answered get, `undefined` where there is none. */
export function entryOfGet(key: Uint8Array, response: GetResponse): Entry | undefined {
  return response.found ? entryOf(key, response.value, response.revision, response.expiresAtMs) : undefined;
}

/** The entry of a pair of a range. */
export function entryOfPair(pair: KeyValuePair): Entry {
  return entryOf(pair.key, pair.value, pair.revision, pair.expiresAtMs);
}

/** A committed change. */
export function watchEventOf(event: WatchEventMessage): WatchEvent {
  const type = event.type === WatchEvent_Type.TYPE_DELETE ? 'delete' : 'put';
  return { type, ...entryOf(event.key, event.value, event.revision, event.expiresAtMs) };
}

function entryOf(key: Uint8Array, value: Uint8Array, revision: bigint, expiresAtMs: bigint): Entry {
  const entry = { key, value, revision: toNumber(revision) };
  return expiresAtMs === 0n ? entry : { ...entry, expiresAtMs: toNumber(expiresAtMs) };
}
