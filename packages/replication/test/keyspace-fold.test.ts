import { expect, test } from 'vitest';
import { KeyspaceFold } from '../src/core/keyspace/keyspace-fold.js';
import type { KeyspaceEntry, KeyspaceOperation } from '../src/core/keyspace/operation.js';
import { visibleVersion } from '../src/core/keyspace/row.js';
import type { SeenVector } from '../src/core/keyspace/seen-vector.js';
import { MemoryKeyspaceStore } from '../src/testing/memory-keyspace-store.js';

const key = Uint8Array.of(1);
const nowMs = 1_000_000;

function copy(self = 9) {
  const store = new MemoryKeyspaceStore();
  return { store, fold: new KeyspaceFold({ self, store }) };
}

function entry(origin: number, sequence: number, ms: number, operation: KeyspaceOperation): KeyspaceEntry {
  return { stamp: { origin, epoch: 1, sequence, hlc: { ms, counter: 0 } }, operation };
}

function put(value: number, seen: SeenVector = [], expiresAtMs = 0): KeyspaceOperation {
  return { type: 'put', seen, key, value: Uint8Array.of(value), expiresAtMs };
}

function drop(origin: number, ...sequences: number[]): KeyspaceOperation {
  const targets = sequences.map((sequence) => ({ sequence, key }));
  return { type: 'verdict', seen: [], decision: 'drop', origin, epoch: 1, targets };
}

function shown(store: MemoryKeyspaceStore, at = nowMs): number | undefined {
  return visibleVersion(store.row(key), at)?.value[0];
}

test('of two writes that knew nothing of each other the later wins, the other is listed with it', () => {
  const { fold, store } = copy();
  fold.fold(entry(1, 1, 100, put(1)), nowMs);
  fold.fold(entry(2, 1, 100, put(2)), nowMs);
  expect(shown(store)).toBe(2);
  const [lost] = store.tail().lost;
  expect(lost?.lost.loser.value).toEqual(Uint8Array.of(1));
  expect(lost?.lost.winner.value).toEqual(Uint8Array.of(2));
});

test('a write that had seen the other is its successor, and nothing is lost', () => {
  const { fold, store } = copy();
  fold.fold(entry(1, 7, 100, put(1)), nowMs);
  fold.fold(entry(2, 1, 200, put(2, [{ origin: 1, epoch: 1, sequence: 7 }])), nowMs);
  fold.fold(entry(2, 2, 300, put(3, [{ origin: 1, epoch: 1, sequence: 7 }])), nowMs);
  expect(shown(store)).toBe(3);
  expect(store.tail().lost).toEqual([]);
});

test('what comes late between two shows which of them it lost to', () => {
  const { fold, store } = copy();
  fold.fold(entry(1, 1, 100, put(1)), nowMs);
  fold.fold(entry(1, 2, 300, put(3)), nowMs);
  expect(store.tail().lost).toEqual([]);
  fold.fold(entry(2, 1, 200, put(2)), nowMs);
  expect(shown(store)).toBe(3);
  const pairs = store.tail().lost.map(({ lost }) => [lost.loser.value?.[0], lost.winner.value?.[0]]);
  expect(pairs).toEqual([
    [1, 2],
    [2, 3],
  ]);
});

test('an entry too far ahead waits for the clock, and wins only then', () => {
  const { fold, store } = copy();
  fold.fold(entry(2, 1, nowMs, put(2)), nowMs);
  expect(fold.fold(entry(1, 1, nowMs + 10_001, put(1)), nowMs)).toBe('held');
  expect(shown(store)).toBe(2);
  fold.advance(nowMs + 1);
  expect(store.firstHeld()).toBeUndefined();
  expect(shown(store)).toBe(1);
});

test('entries each a little ahead of the last do not pull the limit along', () => {
  const { fold } = copy();
  expect(fold.fold(entry(1, 1, nowMs + 9_000, put(1)), nowMs)).toBe('folded');
  expect(fold.fold(entry(1, 2, nowMs + 18_000, put(2)), nowMs)).toBe('held');
});

test('a node folds its own entries whatever their time, and a verdict of another undoes them', () => {
  const { fold, store } = copy(1);
  fold.fold(entry(2, 1, nowMs, put(2)), nowMs);
  expect(fold.fold(entry(1, 1, nowMs + 3_600_000, put(1)), nowMs)).toBe('folded');
  expect(shown(store)).toBe(1);
  fold.fold(entry(2, 2, nowMs + 1, drop(1, 1)), nowMs);
  expect(shown(store)).toBe(2);
  expect(store.tail().lost).toEqual([]);
});

test('an accepted entry is folded at once, and what follows it is not ahead any more', () => {
  const { fold, store } = copy();
  const ahead = nowMs + 3_600_000;
  fold.fold(entry(1, 1, ahead, put(1)), nowMs);
  fold.fold(entry(2, 1, nowMs, { ...drop(1, 1), decision: 'accept' } as KeyspaceOperation), nowMs);
  expect(shown(store)).toBe(1);
  expect(fold.fold(entry(2, 2, ahead + 1, put(2)), nowMs)).toBe('folded');
  expect(shown(store)).toBe(2);
});

test('what all clocks have passed cannot be dropped', () => {
  const { fold, store } = copy();
  fold.fold(entry(1, 1, nowMs, put(1)), nowMs);
  fold.fold(entry(2, 1, nowMs + 5, drop(1, 1)), nowMs);
  expect(shown(store)).toBe(1);
});

test('nothing behind the last entry of a removed member is folded, nor what is held of it', () => {
  const { fold, store } = copy();
  fold.fold(entry(1, 5, nowMs + 60_000, put(5)), nowMs);
  fold.removeOrigin({ origin: 1, epoch: 1, sequence: 4 });
  expect(store.firstHeld()).toBeUndefined();
  expect(fold.fold(entry(1, 4, 100, put(4)), nowMs)).toBe('folded');
  expect(fold.fold(entry(1, 5, 200, put(5)), nowMs)).toBe('refused');
  expect(shown(store)).toBe(4);
});

test('readers see no value that has expired, and its row stays until all members have passed that time', () => {
  const { fold, store } = copy();
  fold.fold(entry(1, 1, 100, put(1, [], 500)), nowMs);
  expect(shown(store, 499)).toBe(1);
  expect(shown(store, 500)).toBeUndefined();
  fold.settle([key], { ms: 499, counter: 0 });
  expect(store.row(key)).toBeDefined();
  fold.settle([key], { ms: 500, counter: 0 });
  expect(store.row(key)).toBeUndefined();
});

test('a delete that everyone has goes, and an older write that is told again does not come back', () => {
  const { fold, store } = copy();
  fold.fold(entry(1, 1, 100, put(1)), nowMs);
  fold.fold(entry(2, 1, 200, { type: 'delete', seen: [], key }), nowMs);
  fold.settle([key], { ms: 199, counter: 0 });
  expect(store.row(key)).toHaveLength(2);
  fold.raiseFloor({ ms: 200, counter: 0 });
  fold.settle([key], { ms: 200, counter: 0 });
  expect(store.row(key)).toBeUndefined();
  fold.fold(entry(1, 1, 100, put(1)), nowMs);
  expect(store.row(key)).toBeUndefined();
});

test('what a version has replaced stays until all have that version: a verdict may yet drop it', () => {
  const { fold, store } = copy(1);
  fold.fold(entry(2, 1, 100, put(2)), nowMs);
  fold.fold(entry(1, 1, nowMs + 60_000, put(1)), nowMs);
  fold.settle([key], { ms: nowMs, counter: 0 });
  fold.fold(entry(2, 2, nowMs + 1, drop(1, 1)), nowMs);
  expect(shown(store)).toBe(2);
});

test('a value that had expired when it was written stays until all have it: it beats what is older and comes later', () => {
  const { fold, store } = copy();
  fold.fold(entry(1, 1, 900, put(1, [], 200)), nowMs);
  fold.settle([key], { ms: 500, counter: 0 });
  fold.fold(entry(2, 1, 600, put(2)), nowMs);
  expect(shown(store)).toBeUndefined();
});

test('an entry that is held is folded when its time comes, however far the others have got by then', () => {
  const { fold, store } = copy();
  fold.fold(entry(1, 1, nowMs + 60_000, put(1)), nowMs);
  fold.raiseFloor({ ms: nowMs + 100_000, counter: 0 });
  fold.advance(nowMs + 60_000);
  expect(shown(store, nowMs + 60_000)).toBe(1);
});
