/**
 * What key-value operations do to a group's state. Pure: results depend on the state and the command alone.
 *
 * A value is stored behind eight bytes: a format byte and the revision of the write (56 bits, little-endian). Expiry is
 * the store's own field, as an absolute log time.
 */
import { slotOfKey } from '@shanghai/sharding';
import type { Condition, OperationOutcome, WriteOperation } from '../requests/key-value-requests.js';
import { type ApplyResult, failed } from './apply-result.js';
import type { Change } from './change-ring.js';
import type { WriteCommand } from './command.js';
import type { GroupCounters } from './group-counters.js';
import { dataKey } from './state-keys.js';
import { decodeStoredValue, encodeStoredValue } from './stored-value.js';
import type { WriteSet } from './write-set.js';

const noBytes = new Uint8Array(0);

/** The keys whose stored values a command will look at. */
export function keysRead(command: WriteCommand): Buffer[] {
  const keys: Buffer[] = [];
  for (const condition of command.conditions) keys.push(dataKey(command.keyspaceId, condition.key));
  for (const operation of command.operations) {
    if (operation.type === 'append') keys.push(dataKey(command.keyspaceId, operation.key));
  }
  return keys;
}

/** The slots of a command's operations, in order. */
export function operationSlots(command: WriteCommand, slots: number): number[] {
  return command.operations.map((operation) => slotOfKey(operation.key, slots));
}

/** Applies a write command: its outcomes, and what watchers shall see, pushed to `changes`. */
export function applyWrites(
  command: WriteCommand,
  counters: GroupCounters,
  writes: WriteSet,
  changes: Change[],
): ApplyResult {
  for (const [i, condition] of command.conditions.entries()) {
    const conflict = judge(condition, i, command.keyspaceId, counters, writes);
    if (conflict !== undefined) return conflict;
  }
  const allOrNone = command.kind !== 'independent';
  const mark = writes.mark();
  const changesMark = changes.length;
  const { revision } = counters;
  const outcomes: OperationOutcome[] = [];
  for (const [i, operation] of command.operations.entries()) {
    const outcome = applyOperation(operation, command.keyspaceId, counters, writes, changes);
    if (!outcome.ok && allOrNone) {
      writes.rollback(mark);
      changes.length = changesMark;
      counters.revision = revision;
      return failed(outcome.code, `operation ${i}: ${outcome.message}`, { operation: i });
    }
    outcomes.push(outcome);
  }
  return { type: 'outcomes', outcomes };
}

function applyOperation(
  operation: WriteOperation,
  keyspaceId: number,
  counters: GroupCounters,
  writes: WriteSet,
  changes: Change[],
): OperationOutcome {
  const key = dataKey(keyspaceId, operation.key);
  switch (operation.type) {
    case 'put': {
      const { value, ttlMs = 0 } = operation;
      if (value.length > counters.maxValueBytes) return tooLarge(value.length, counters);
      const revision = ++counters.revision;
      const expiresAtMs = ttlMs === 0 ? 0 : counters.logTimeMs + ttlMs;
      writes.put(key, encodeStoredValue(revision, value), expiresAtMs);
      changes.push({ keyspaceId, type: 'put', key: operation.key, value, revision, expiresAtMs });
      return { ok: true, revision };
    }
    case 'append': {
      const found = writes.find(key, counters.logTimeMs);
      const before = found === undefined ? noBytes : decodeStoredValue(found.value).value;
      const valueBytes = before.length + operation.value.length;
      if (valueBytes > counters.maxValueBytes) return tooLarge(valueBytes, counters);
      const revision = ++counters.revision;
      const expiresAtMs = found?.expiresAtMs ?? 0;
      const stored = encodeStoredValue(revision, before, operation.value);
      writes.put(key, stored, expiresAtMs);
      const { value } = decodeStoredValue(stored);
      changes.push({ keyspaceId, type: 'put', key: operation.key, value, revision, expiresAtMs });
      return { ok: true, revision, valueBytes };
    }
    case 'delete': {
      const deleted = writes.has(key, counters.logTimeMs);
      const revision = ++counters.revision;
      if (!deleted) return { ok: true, revision, deleted };
      writes.delete(key);
      changes.push({ keyspaceId, type: 'delete', key: operation.key, value: noBytes, revision, expiresAtMs: 0 });
      return { ok: true, revision, deleted };
    }
  }
}

function judge(
  condition: Condition,
  position: number,
  keyspaceId: number,
  counters: GroupCounters,
  writes: WriteSet,
): ApplyResult | undefined {
  const found = writes.find(dataKey(keyspaceId, condition.key), counters.logTimeMs);
  const stored = found === undefined ? undefined : decodeStoredValue(found.value);
  const revision = stored?.revision ?? 0;
  if (holds(condition, stored)) return undefined;
  const state = revision === 0 ? 'there is no such key' : `the key is at revision ${revision}`;
  const message = `condition ${position} ('${condition.type}') does not hold: ${state}`;
  return failed('CONFLICT', message, { condition: position, ...keyDetails(condition.key), revision });
}

function holds(
  condition: Condition,
  stored: { readonly revision: number; readonly value: Uint8Array } | undefined,
): boolean {
  switch (condition.type) {
    case 'exists':
      return condition.exists === (stored !== undefined);
    case 'revision':
      return condition.revision === (stored?.revision ?? 0);
    case 'value':
      return stored !== undefined && Buffer.compare(stored.value, condition.value) === 0;
  }
}

/** A key as JSON can carry it: text where it is text. */
function keyDetails(key: Uint8Array): Record<string, string> {
  const text = Buffer.from(key).toString('utf8');
  return Buffer.compare(Buffer.from(text), key) === 0
    ? { key: text }
    : { key: Buffer.from(key).toString('base64'), keyEncoding: 'base64' };
}

function tooLarge(bytes: number, counters: GroupCounters): OperationOutcome {
  const message = `the value would have ${bytes} bytes, at most ${counters.maxValueBytes} are allowed`;
  return { ok: false, code: 'INVALID_REQUEST', message };
}
