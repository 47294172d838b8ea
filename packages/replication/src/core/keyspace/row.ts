/**
 * A key's row: the versions of it that may still decide what it shows, the winner last. Versions are ordered by their stamps,
 * which is the same order everywhere, so the row is a set and does not depend on the order in which it was gathered.
 *
 * Versions below the winner stay for two reasons. A verdict may yet take the winner out of the fold, and the key is then
 * folded again from what is kept. And a version *lost* where the one right above it had not seen it: a write that arrives
 * late may come to lie in between. Both end once every member has everything up to a version (`stable`): whatever could drop
 * it or slip below it has a smaller stamp. To know that of this copy alone would not do: the version might be lost again with
 * the only member that wrote it, and what it had replaced must still be here then. A tombstone goes by the same time: until
 * then a copy that lacks it may hand on what it deleted.
 */
import { invariant } from '@shanghai/env';
import { compareStamps, type EntryStamp } from '../entry-id.js';
import { compareHlc, type Hlc, laterHlc } from '../hlc.js';
import type { KeyOperation } from './operation.js';
import { hasSeen, type SeenVector } from './seen-vector.js';

/** One write of a key. */
export interface Version {
  readonly stamp: EntryStamp;
  readonly seen: SeenVector;
  /** Absent: a tombstone. */
  readonly value?: Uint8Array;
  /** 0 = never; tombstones have 0. */
  readonly expiresAtMs: number;
}

/** At least one version, in the order of their stamps. */
export type Row = readonly Version[];

/** Versions that one row keeps; of more, the oldest go (`docs/formats/keyspace.md` says what that costs). */
export const maxRowVersions = 32;

/** A version that the one above it had not seen: what was written is not what is read, and its writer was not told. */
export interface LostVersion {
  readonly loser: Version;
  readonly winner: Version;
}

/** The version of a write. */
export function versionOf(stamp: EntryStamp, operation: KeyOperation): Version {
  const { seen } = operation;
  if (operation.type === 'delete') return { stamp, seen, expiresAtMs: 0 };
  return { stamp, seen, value: operation.value, expiresAtMs: operation.expiresAtMs };
}

/** What the key shows, which may be a tombstone. */
export function winnerOf(row: Row): Version {
  const winner = row.at(-1);
  invariant(winner !== undefined, 'a row without versions');
  return winner;
}

/** What a reader at `nowMs` sees of a row. Readers only look: what is expired stays a row until `settleRow` takes it. */
export function visibleVersion(
  row: Row | undefined,
  nowMs: number,
): (Version & { readonly value: Uint8Array }) | undefined {
  if (row === undefined) return undefined;
  const { value, ...winner } = winnerOf(row);
  if (value === undefined || (winner.expiresAtMs !== 0 && winner.expiresAtMs <= nowMs)) return undefined;
  return { ...winner, value };
}

/** The row with one version more. The same row where it has it, or where it keeps no more so old. */
export function withVersion(row: Row | undefined, version: Version): Row {
  if (row === undefined) return [version];
  let at = row.length;
  while (at > 0) {
    const order = compareStamps(version.stamp, (row[at - 1] as Version).stamp);
    if (order === 0) return row;
    if (order > 0) break;
    at--;
  }
  const next = [...row.slice(0, at), version, ...row.slice(at)];
  return next.length > maxRowVersions ? next.slice(next.length - maxRowVersions) : next;
}

/** The row without the versions that `isGone` says; `undefined` where none is left. The same row where none goes. */
export function withoutVersions(row: Row, isGone: (version: Version) => boolean): Row | undefined {
  if (!row.some(isGone)) return row;
  const left = row.filter((version) => !isGone(version));
  return left.length === 0 ? undefined : left;
}

/** The versions of a row that lost. */
export function lostVersions(row: Row | undefined): readonly LostVersion[] {
  const lost: LostVersion[] = [];
  for (let i = 1; row !== undefined && i < row.length; i++) {
    const [loser, winner] = [row[i - 1] as Version, row[i] as Version];
    // Two that delete want the same.
    if (loser.value === undefined && winner.value === undefined) continue;
    if (!hasSeen(winner.stamp, winner.seen, loser.stamp)) lost.push({ loser, winner });
  }
  return lost;
}

/** The time at which, once it is stable, `settleRow` changes a row; `undefined`: never as it is. */
export function settlementOf(row: Row): Hlc | undefined {
  const second = row[1];
  if (second !== undefined) return second.stamp.hlc;
  const { stamp, value, expiresAtMs } = winnerOf(row);
  if (value === undefined) return stamp.hlc;
  return expiresAtMs === 0 ? undefined : laterHlc(stamp.hlc, { ms: expiresAtMs, counter: 0 });
}

/** The row without what is superfluous as every member has all entries up to `stable`; `undefined` where all of it is. */
export function settleRow(row: Row, stable: Hlc): Row | undefined {
  let first = row.length - 1;
  while (first > 0 && compareHlc((row[first] as Version).stamp.hlc, stable) > 0) first--;
  const left = first === 0 ? row : row.slice(first);
  const due = settlementOf(left);
  return left.length === 1 && due !== undefined && compareHlc(due, stable) <= 0 ? undefined : left;
}
