/**
 * An entry of a keyspace's log in bytes. Its stamp is not in it: the log keeps that beside every entry.
 *
 *   version u8 = 1 | kind u8 | seen
 *   put      kind 1: expires at ms | key length | key | value to the end
 *   delete   kind 2: key to the end
 *   verdict  kind 3: decision u8 (1 accept, 2 drop) | origin | epoch | count | count × (sequence, key length, key)
 *   seen     count | count × (origin, epoch, sequence)
 *
 * All other numbers are LEB128 in their shortest form. A first byte other than 1 is a newer program's: `CORRUPT` here, and the
 * version of the cluster keeps such entries away from programs that cannot read them.
 */
import { FieldReader, FieldWriter } from './field-bytes.js';
import { type KeyspaceOperation, maxVerdictTargets, type VerdictTarget } from './operation.js';
import { readSeen, type SeenVector, writeSeen } from './seen-vector.js';

const version = 1;
const kinds = { put: 1, delete: 2, verdict: 3 } as const;
const decisions = { accept: 1, drop: 2 } as const;

/** Writes an entry. A key that is empty, or more targets than allowed: `RangeError`. */
export function encodeOperation(operation: KeyspaceOperation): Uint8Array {
  const fields = new FieldWriter();
  fields.u8(version);
  fields.u8(kinds[operation.type]);
  writeSeen(fields, operation.seen);
  switch (operation.type) {
    case 'put':
      fields.number(operation.expiresAtMs);
      fields.bytes(notEmpty(operation.key));
      fields.raw(operation.value);
      break;
    case 'delete':
      fields.raw(notEmpty(operation.key));
      break;
    case 'verdict':
      fields.u8(decisions[operation.decision]);
      fields.number(operation.origin);
      fields.number(operation.epoch);
      writeTargets(fields, operation.targets);
      break;
  }
  return fields.finish();
}

/** Reads what `encodeOperation` wrote, keys and values as views of `bytes`. Anything else: `CORRUPT`. */
export function decodeOperation(bytes: Uint8Array): KeyspaceOperation {
  const fields = new FieldReader(bytes, "an entry of a keyspace's log");
  const found = fields.u8();
  if (found !== version) throw fields.corrupt(`is of version ${found}; this program reads version ${version}`);
  const kind = fields.u8();
  const seen = readSeen(fields);
  switch (kind) {
    case kinds.put: {
      const expiresAtMs = fields.number();
      const key = keyOf(fields, fields.number());
      return { type: 'put', seen, key, value: fields.raw(fields.left), expiresAtMs };
    }
    case kinds.delete:
      return { type: 'delete', seen, key: keyOf(fields, fields.left) };
    case kinds.verdict:
      return readVerdict(fields, seen);
    default:
      throw fields.corrupt(`is of kind ${kind}, which is not known`);
  }
}

function writeTargets(fields: FieldWriter, targets: readonly VerdictTarget[]): void {
  if (targets.length === 0 || targets.length > maxVerdictTargets) {
    throw new RangeError(`a verdict names ${targets.length} entries; 1 to ${maxVerdictTargets} are allowed`);
  }
  fields.number(targets.length);
  for (const { sequence, key } of targets) {
    fields.number(sequence);
    fields.bytes(notEmpty(key));
  }
}

function readVerdict(fields: FieldReader, seen: SeenVector): KeyspaceOperation {
  const code = fields.u8();
  if (code !== decisions.accept && code !== decisions.drop) throw fields.corrupt(`holds a decision ${code}`);
  const [origin, epoch] = [fields.number(), fields.number()];
  const count = fields.count(3);
  if (count === 0 || count > maxVerdictTargets)
    throw fields.corrupt(`names ${count} targets; 1 to ${maxVerdictTargets} are allowed`);
  const targets: VerdictTarget[] = [];
  for (let i = 0; i < count; i++) targets.push({ sequence: fields.number(), key: keyOf(fields, fields.number()) });
  fields.finish();
  return { type: 'verdict', seen, decision: code === decisions.drop ? 'drop' : 'accept', origin, epoch, targets };
}

function keyOf(fields: FieldReader, length: number): Uint8Array {
  if (length === 0) throw fields.corrupt('has an empty key');
  return fields.raw(length);
}

function notEmpty(key: Uint8Array): Uint8Array {
  if (key.length === 0) throw new RangeError('a key is not empty');
  return key;
}
