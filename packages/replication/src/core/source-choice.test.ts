import { expect, test } from 'vitest';
import { SourceChoice } from './source-choice.js';
import { VersionVector } from './version-vector.js';

const zero = { ms: 0, counter: 0 };

function holds(...items: readonly [origin: number, epoch: number, last: number][]): VersionVector {
  return new VersionVector(
    items.map(([origin, epoch, lastSequence]) => ({
      stream: { logId: 1, origin, epoch },
      firstSequence: 1,
      lastSequence,
      lastHlc: zero,
    })),
  );
}

function choosing(held = holds()) {
  const choice = new SourceChoice(1, 2_000);
  const members = new Set([1, 2, 3, 4]);
  return (nowMs: number, reachable: Record<number, VersionVector>) => {
    const sources = new Map(Object.entries(reachable).map(([id, vector]) => [Number(id), vector]));
    const hasRows = (logId: number) => logId === 9;
    return Object.fromEntries(choice.choose({ nowMs, reachable: sources, members, held, ownEpoch: 5, hasRows }));
  };
}

test('entries come from their origin, where it can be reached, whoever has more of them', () => {
  expect(choosing()(0, { 2: holds([2, 1, 1]), 3: holds([2, 1, 9]) })).toEqual({ 2: 2, 3: 3 });
});

test('of an origin out of reach, after a while, they come from who has most, and from one only', () => {
  const choose = choosing();
  const reachable = { 3: holds([2, 1, 5]), 4: holds([2, 1, 9]) };
  expect(choose(0, reachable)).toEqual({ 3: 3, 4: 4 });
  expect(choose(1_999, reachable)).toEqual({ 3: 3, 4: 4 });
  expect(choose(2_000, reachable)).toEqual({ 2: 4, 3: 3, 4: 4 });
  expect(choose(3_000, { ...reachable, 3: holds([2, 1, 99]) })).toEqual({ 2: 4, 3: 3, 4: 4 });
  expect(choose(4_000, { ...reachable, 2: holds() })).toEqual({ 2: 2, 3: 3, 4: 4 });
});

test('a relay that has no more gives way to one that has', () => {
  const choose = choosing(holds([2, 1, 9]));
  expect(choose(0, { 3: holds(), 4: holds([2, 1, 9]) })[2]).toBeUndefined();
  expect(choose(5_000, { 3: holds(), 4: holds([2, 1, 10]) })[2]).toBe(4);
  expect(choose(6_000, { 3: holds(), 4: holds([2, 1, 9]) })[2]).toBe(4);
  expect(choose(7_000, { 3: holds([2, 1, 11]), 4: holds([2, 1, 9]) })[2]).toBe(3);
});

test('what this node lost of earlier epochs comes back from who has it; of its present epoch nothing is asked for', () => {
  const choose = choosing(holds([1, 4, 2]));
  expect(choose(0, { 3: holds([1, 4, 2], [1, 5, 7]) })).toEqual({ 3: 3 });
  expect(choose(0, { 3: holds([1, 4, 3]) })).toEqual({ 1: 3, 3: 3 });
});

test('who was removed is no longer waited for', () => {
  expect(choosing()(0, { 3: holds([9, 1, 5]) })).toEqual({ 3: 3, 9: 3 });
});

function trimmed(origin: number, firstSequence: number, logId = 9): VersionVector {
  const stream = { logId, origin, epoch: 1 };
  return new VersionVector([{ stream, firstSequence, lastSequence: firstSequence + 4, lastHlc: zero }]);
}

test('rows in the place of trimmed entries come from one source at a time, for all origins that need them', () => {
  const held = holds();
  const choose = choosing(held);
  // Both have trimmed what is lacking here; the one that was chosen first stays.
  expect(choose(0, { 3: trimmed(3, 5) })).toMatchObject({ 3: 3 });
  expect(choose(1, { 2: trimmed(2, 5), 3: trimmed(3, 5) })).toEqual({ 2: 3, 3: 3 });
  held.set({ stream: { logId: 9, origin: 3, epoch: 1 }, firstSequence: 10, lastSequence: 9, lastHlc: zero });
  expect(choose(2, { 2: trimmed(2, 5), 3: trimmed(3, 5) })).toEqual({ 2: 2, 3: 3 });
  // Trimmed entries of plain logs are passed over, whoever says so.
  expect(choosing()(0, { 2: trimmed(2, 5, 1), 3: trimmed(3, 5, 1) })).toEqual({ 2: 2, 3: 3 });
});
