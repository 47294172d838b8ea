/** Typed requests of the key-value plane → messages to a leader, and its answers back. */
import type * as wire from '@shanghai/proto';
import { isErrorCode } from '@shanghai/proto';
import { asBuffer } from '../api/grpc/wire-numbers.js';
import type { Condition, OperationOutcome, WriteOperation, WriteRequest } from '../requests/key-value-requests.js';
import type { Answered, WriteContext } from '../requests/request-context.js';

/** A write without conditions. One of one operation is a batch of one: it has its outcome like any other. */
export function batchRequest(request: WriteRequest, write: WriteContext): wire.BatchRequest {
  return {
    options: optionsOf(write),
    atomic: request.kind === 'atomic',
    operations: request.operations.map(operationMessage),
  };
}

/** A write with conditions. */
export function transactRequest(request: WriteRequest, write: WriteContext): wire.TransactRequest {
  return {
    options: optionsOf(write),
    conditions: (request.conditions ?? []).map(conditionMessage),
    operations: request.operations.map(operationMessage),
  };
}

/** What became of each operation. */
export function outcomesOf(
  request: WriteRequest,
  response: wire.BatchResponse | wire.TransactResponse,
): Answered<readonly OperationOutcome[]> {
  const value = response.results.map((result, i) => outcomeOf(result, request.operations[i]));
  return answeredBy(response.header, value);
}

/** A session that was opened. */
export function sessionOf(
  response: wire.OpenSessionResponse,
): Answered<{ readonly sessionId: number; readonly ttlMs: number }> {
  const { header, sessionId, ttlMs } = response;
  return answeredBy(header, { sessionId: Number(sessionId), ttlMs: Number(ttlMs) });
}

function answeredBy<T>(header: wire.ResponseHeader | undefined, value: T): Answered<T> {
  return { value, token: header?.token ?? new Uint8Array(0), staleMs: Number(header?.staleMs ?? 0n) };
}

function optionsOf({ keyspace, session, routed }: WriteContext): wire.WriteOptions {
  return {
    keyspace,
    sessionId: BigInt(session?.sessionId ?? 0),
    requestNumber: BigInt(session?.requestNumber ?? 0),
    retry: session?.retry ?? false,
    slot: routed?.slot,
    epoch: routed === undefined ? undefined : BigInt(routed.epoch),
  };
}

function operationMessage(operation: WriteOperation): wire.WriteOperation {
  const key = asBuffer(operation.key);
  switch (operation.type) {
    case 'put': {
      const ttlMs = BigInt(operation.ttlMs ?? 0);
      return { operation: { $case: 'put', value: { key, value: asBuffer(operation.value), ttlMs } } };
    }
    case 'append':
      return { operation: { $case: 'append', value: { key, value: asBuffer(operation.value) } } };
    case 'delete':
      return { operation: { $case: 'delete', value: { key } } };
  }
}

function conditionMessage(condition: Condition): wire.Condition {
  const key = asBuffer(condition.key);
  switch (condition.type) {
    case 'exists':
      return { key, requirement: { $case: 'exists', value: condition.exists } };
    case 'revision':
      return { key, requirement: { $case: 'revision', value: BigInt(condition.revision) } };
    case 'value':
      return { key, requirement: { $case: 'value', value: asBuffer(condition.value) } };
  }
}

function outcomeOf(result: wire.OperationResult, operation: WriteOperation | undefined): OperationOutcome {
  const { error } = result;
  if (error !== undefined) {
    return { ok: false, code: isErrorCode(error.code) ? error.code : 'INTERNAL_ERROR', message: error.message };
  }
  const revision = Number(result.revision);
  if (operation?.type === 'delete') return { ok: true, revision, deleted: result.deleted };
  if (operation?.type === 'append') return { ok: true, revision, valueBytes: Number(result.valueBytes) };
  return { ok: true, revision };
}
