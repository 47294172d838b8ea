/**
 * What holding changes for long costs in memory. Keys and values are views, and a view keeps the whole buffer it looks
 * into: a command of many megabytes for one small change of it (conditions, deletes of absent keys), or a block that
 * many small buffers are cut from. So views stay where most of their buffer is theirs, and are copied elsewhere; what a
 * change pins is counted by buffers, not by the lengths of key and value.
 */
import type { Change } from './change-ring.js';

/** Changes to hold, and what each releases when it and all before it are let go. */
export interface HeldChanges {
  readonly changes: readonly Change[];
  /** Bytes of the buffers whose last holder the change at the same place is. */
  readonly pinnedBytes: readonly number[];
}

/** Bytes of a buffer that may be no view's beside as many as the views have: a command's header and its fields. */
const slackBytes = 256;

/**
 * The same changes, without views that pin much more than they show. Buffers of more than `maxSharedBytes` are pinned by
 * one change alone.
 */
export function holdChanges(changes: readonly Change[], maxSharedBytes: number): HeldChanges {
  const held: { changes: Change[]; pinnedBytes: number[] } = { changes: [], pinnedBytes: [] };
  for (let from = 0; from < changes.length; ) {
    const to = groupEnd(changes, from);
    holdGroup(changes.slice(from, to), maxSharedBytes, held);
    from = to;
  }
  return held;
}

/** The end of the changes from `from` on whose keys lie in one buffer. */
function groupEnd(changes: readonly Change[], from: number): number {
  const buffer = changes[from]?.key.buffer;
  let to = from + 1;
  while (to < changes.length && changes[to]?.key.buffer === buffer) to++;
  return to;
}

function holdGroup(
  group: readonly Change[],
  maxSharedBytes: number,
  held: { changes: Change[]; pinnedBytes: number[] },
): void {
  const buffer = group[0]?.key.buffer;
  if (buffer === undefined) return;
  let viewBytes = 0;
  for (const { key, value } of group) viewBytes += key.length + (value.buffer === buffer ? value.length : 0);
  const isShared = isWorthPinning(buffer, viewBytes) && (group.length === 1 || buffer.byteLength <= maxSharedBytes);
  const copyBytes = group.reduce((sum, change) => sum + bytesToCopy(change, isShared), 0);
  const block = copyBytes <= maxSharedBytes ? new Uint8Array(copyBytes) : undefined;
  let at = 0;
  for (const [i, change] of group.entries()) {
    const bytes = bytesToCopy(change, isShared);
    const into = block?.subarray(at, at + bytes) ?? new Uint8Array(bytes);
    at += bytes;
    let pinnedBytes = block === undefined ? bytes : 0;
    if (change.value.buffer !== buffer && !copiesValue(change, isShared)) pinnedBytes += change.value.buffer.byteLength;
    if (i === group.length - 1) pinnedBytes += (isShared ? buffer.byteLength : 0) + (block?.length ?? 0);
    held.changes.push(bytes === 0 ? change : copied(change, isShared, into));
    held.pinnedBytes.push(pinnedBytes);
  }
}

/** Copies what is to be copied into `into`, which is as long. */
function copied(change: Change, isShared: boolean, into: Uint8Array): Change {
  const { keyspaceId, type, revision, expiresAtMs } = change;
  let { key, value } = change;
  const keyBytes = isShared ? 0 : key.length;
  if (copiesValue(change, isShared)) {
    into.set(value, keyBytes);
    value = into.subarray(keyBytes);
  }
  if (!isShared) {
    into.set(key);
    key = into.subarray(0, keyBytes);
  }
  return { keyspaceId, type, key, value, revision, expiresAtMs };
}

function bytesToCopy(change: Change, isShared: boolean): number {
  return (isShared ? 0 : change.key.length) + (copiesValue(change, isShared) ? change.value.length : 0);
}

/** A value in a buffer of its own (an append's) is judged by itself. */
function copiesValue({ key, value }: Change, isShared: boolean): boolean {
  return value.buffer === key.buffer ? !isShared : !isWorthPinning(value.buffer, value.length);
}

function isWorthPinning(buffer: ArrayBufferLike, viewBytes: number): boolean {
  return buffer.byteLength <= 2 * viewBytes + slackBytes;
}
