/**
 * A version that lost, as an own group lists it:
 *
 *   0        1..3  4           8    +                      +                       +
 *   version  0     key length  key  loser's length u32     winner's length u32     both versions as a row (keyspace.md)
 *
 * Values are cut at `lostValueBytes` in the row, and their whole lengths stand before it (0xffffffff: it deletes): a list
 * of a thousand must not weigh what a thousand values do. The whole value is in the keyspace's log as long as that keeps it.
 */
import { decodeRow, encodeRow, type LostVersion, type Version } from '@shanghai/replication';
import { writeU32 } from './byte-fields.js';
import { FieldReader } from './field-reader.js';

/** A version that lost, with the lengths of the whole values; `undefined`: it deletes. */
export interface ListedLoss {
  readonly key: Uint8Array;
  readonly lost: LostVersion;
  readonly loserBytes: number | undefined;
  readonly winnerBytes: number | undefined;
}

/** Bytes of a value that the list keeps. */
export const lostValueBytes = 1024;

const version = 1;
const noValue = 0xffff_ffff;

/** What is listed of a version that lost. */
export function listedLoss(key: Uint8Array, { loser, winner }: LostVersion): ListedLoss {
  const lost = { loser: cut(loser), winner: cut(winner) };
  return { key, lost, loserBytes: loser.value?.length, winnerBytes: winner.value?.length };
}

/** Writes a record. */
export function encodeLoss({ key, lost, loserBytes, winnerBytes }: ListedLoss): Buffer {
  const row = encodeRow([lost.loser, lost.winner]);
  const bytes = Buffer.alloc(8 + key.length + 8 + row.length);
  bytes[0] = version;
  writeU32(bytes, 4, key.length);
  bytes.set(key, 8);
  writeU32(bytes, 8 + key.length, loserBytes ?? noValue);
  writeU32(bytes, 12 + key.length, winnerBytes ?? noValue);
  bytes.set(row, 16 + key.length);
  return bytes;
}

/** Reads what `encodeLoss` wrote. Anything else: `RangeError`, or `ReplicationError` `CORRUPT`. */
export function decodeLoss(bytes: Uint8Array): ListedLoss {
  const fields = new FieldReader(bytes);
  if (fields.u32() !== version) throw new RangeError('a version that lost is listed in a form that is not known');
  const key = fields.take(fields.u32());
  const [loserBytes, winnerBytes] = [fields.u32(), fields.u32()];
  const [loser, winner, ...more] = decodeRow(fields.take(fields.left));
  if (loser === undefined || winner === undefined || more.length > 0) throw new RangeError('two versions are listed');
  return { key, lost: { loser, winner }, loserBytes: lengthOf(loserBytes), winnerBytes: lengthOf(winnerBytes) };
}

function lengthOf(bytes: number): number | undefined {
  return bytes === noValue ? undefined : bytes;
}

function cut(whole: Version): Version {
  const { value } = whole;
  return value === undefined || value.length <= lostValueBytes
    ? whole
    : { ...whole, value: value.slice(0, lostValueBytes) };
}
