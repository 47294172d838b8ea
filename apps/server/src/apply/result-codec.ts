/**
 * The result of a request as a session remembers it, so that a retry gets the same answer after a restart too.
 * docs/formats/state-machine.md draws it:
 *
 *   version, form (1 outcomes, 2 failed), 2 zero bytes, then
 *   outcomes: count, per operation: slot (4), status (1), revision (8), value bytes (4), code and message where it failed
 *   failed: code, message and details as JSON
 *
 * Each outcome names the slot of its key: when a slot moves to another group its results move with it.
 */
import { type ErrorCode, isErrorCode } from '@shanghai/proto';
import type { OperationOutcome } from '../requests/key-value-requests.js';
import { type ApplyResult, failed } from './apply-result.js';
import { writeU32, writeU64 } from './byte-fields.js';
import { FieldReader } from './field-reader.js';

const version = 1;
const headBytes = 8;
const outcomeBytes = 17;
const status = { plain: 0, appended: 1, deleted: 2, missing: 3, failed: 4 } as const;

/** Encodes outcomes; `slots` names the slot of each operation's key. */
export function encodeOutcomes(outcomes: readonly OperationOutcome[], slots: readonly number[]): Buffer {
  const failures = outcomes.map((outcome) =>
    outcome.ok ? undefined : Buffer.from(JSON.stringify([outcome.code, outcome.message])),
  );
  let length = headBytes + outcomes.length * outcomeBytes;
  for (const failure of failures) length += failure === undefined ? 0 : 4 + failure.length;
  const bytes = Buffer.alloc(length);
  bytes[0] = version;
  bytes[1] = 1;
  writeU32(bytes, 4, outcomes.length);
  let at = headBytes;
  for (const [i, outcome] of outcomes.entries()) {
    writeU32(bytes, at, slots[i] ?? 0);
    bytes[at + 4] = statusOf(outcome);
    if (outcome.ok) {
      writeU64(bytes, at + 5, outcome.revision);
      writeU32(bytes, at + 13, outcome.valueBytes ?? 0);
    }
    at += outcomeBytes;
    const failure = failures[i];
    if (failure === undefined) continue;
    writeU32(bytes, at, failure.length);
    bytes.set(failure, at + 4);
    at += 4 + failure.length;
  }
  return bytes;
}

/** Encodes a refusal. */
export function encodeFailure(failure: Extract<ApplyResult, { type: 'failed' }>): Buffer {
  const json = Buffer.from(JSON.stringify([failure.code, failure.message, failure.details]));
  return Buffer.concat([Buffer.from([version, 2, 0, 0]), json]);
}

/** Reads a remembered result. Throws `RangeError` where it is none. */
export function decodeResult(bytes: Uint8Array): ApplyResult {
  const reader = new FieldReader(bytes);
  if (reader.u8() !== version) throw new RangeError(`a result of version ${bytes[0]} is not known`);
  const form = reader.u8();
  reader.u16();
  if (form === 2) {
    const [code, message, details] = reader.jsonArray(reader.left);
    if (!isObject(details)) throw new RangeError('the details of a result are no object');
    return failed(codeOf(code), textOf(message), details);
  }
  const count = reader.count(outcomeBytes);
  const outcomes: OperationOutcome[] = [];
  for (let i = 0; i < count; i++) outcomes.push(readOutcome(reader));
  reader.finish();
  return { type: 'outcomes', outcomes };
}

function statusOf(outcome: OperationOutcome): number {
  if (!outcome.ok) return status.failed;
  if (outcome.valueBytes !== undefined) return status.appended;
  if (outcome.deleted === undefined) return status.plain;
  return outcome.deleted ? status.deleted : status.missing;
}

function readOutcome(reader: FieldReader): OperationOutcome {
  reader.u32();
  const kind = reader.u8();
  const revision = reader.u64();
  const valueBytes = reader.u32();
  switch (kind) {
    case status.plain:
      return { ok: true, revision };
    case status.appended:
      return { ok: true, revision, valueBytes };
    case status.deleted:
    case status.missing:
      return { ok: true, revision, deleted: kind === status.deleted };
    case status.failed: {
      const [code, message] = reader.jsonArray(reader.u32());
      return { ok: false, code: codeOf(code), message: textOf(message) };
    }
    default:
      throw new RangeError(`unknown outcome ${kind}`);
  }
}

function codeOf(value: unknown): ErrorCode {
  if (typeof value === 'string' && isErrorCode(value)) return value;
  throw new RangeError(`a result has the code '${String(value)}', which is none`);
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new RangeError('the message of a result is no text');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
