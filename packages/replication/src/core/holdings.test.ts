import { expect, test } from 'vitest';
import { Holdings } from './holdings.js';
import type { OriginMark } from './stream-position.js';
import { VersionVector } from './version-vector.js';

const at = (ms: number) => ({ ms, counter: 0 });
const stream = { logId: 7, origin: 1, epoch: 2 };

function holding(lastSequence: number, past = 0): VersionVector {
  const positions = [{ stream, firstSequence: 1, lastSequence, lastHlc: at(5) }];
  if (past > 0)
    positions.push({ stream: { ...stream, epoch: 1 }, firstSequence: 1, lastSequence: past, lastHlc: at(1) });
  return new VersionVector(positions);
}

function knowing(ms: number): Map<number, OriginMark> {
  return new Map([1, 2, 3].map((origin) => [origin, { origin, hlc: at(ms), behind: [{ logId: 9, hlc: at(2) }] }]));
}

test('each member counts once, and more than half of all that are not removed is a quorum', () => {
  const holdings = new Holdings(1, holding(10), knowing(5));
  expect(holdings.heldBy(stream, 'quorum')).toBe(0);
  holdings.setMembers([1, 2, 3, 4]);
  holdings.set(2, holding(7), knowing(5));
  holdings.set(2, holding(8), knowing(5));
  expect(['local', 'quorum', 'all'].map((level) => holdings.heldBy(stream, level as 'all'))).toEqual([10, 0, 0]);
  holdings.set(3, holding(4), knowing(5));
  expect(holdings.heldBy(stream, 'quorum')).toBe(4);
  holdings.set(9, holding(10), knowing(5));
  expect(holdings.heldBy(stream, 'quorum')).toBe(4);
  holdings.setMembers([1, 2, 3]);
  expect([holdings.heldBy(stream, 'quorum'), holdings.heldBy(stream, 'all')]).toEqual([8, 4]);
});

test('stable is the least of what all members know; unknown while one of them was not heard', () => {
  const holdings = new Holdings(1, holding(10), knowing(8));
  holdings.setMembers([1, 2, 3]);
  holdings.set(2, holding(10), knowing(6));
  expect(holdings.stableAt(7, 1)).toBeUndefined();
  holdings.set(3, holding(10), knowing(7));
  expect(holdings.stableAt(7, 1)).toEqual(at(6));
  expect(holdings.stableAt(9, 1)).toEqual(at(2));
});

test('nothing is stable while members differ in what an epoch that has ended left', () => {
  const holdings = new Holdings(1, holding(10, 3), knowing(8));
  holdings.setMembers([1, 2]);
  holdings.set(2, holding(4, 5), knowing(6));
  expect(holdings.stableAt(7, 1)).toBeUndefined();
  holdings.set(2, holding(4, 3), knowing(6));
  expect(holdings.stableAt(7, 1)).toEqual(at(6));
});

test('nothing is stable while members differ in what a node wrote that was removed', () => {
  const removed = (lastSequence: number) => {
    const vector = holding(4);
    vector.set({ stream: { ...stream, origin: 9 }, firstSequence: 1, lastSequence, lastHlc: at(3) });
    return vector;
  };
  const holdings = new Holdings(1, removed(3), knowing(8));
  holdings.setMembers([1, 2]);
  holdings.set(2, removed(2), knowing(6));
  expect(holdings.stableAt(7, 1)).toBeUndefined();
  expect(holdings.stableAt(6, 1)).toEqual(at(6));
  holdings.set(2, removed(3), knowing(6));
  expect(holdings.stableAt(7, 1)).toEqual(at(6));
});

test('the watermark of a log is the least mark of all members, and nothing where one of them is not known', () => {
  const marks = knowing(8);
  const holdings = new Holdings(1, holding(10), marks);
  holdings.setMembers([1, 2, 3]);
  marks.set(2, { origin: 2, hlc: at(4), behind: [] });
  expect([holdings.watermark(7), holdings.watermark(9)]).toEqual([at(4), at(2)]);
  marks.delete(3);
  expect(holdings.watermark(7)).toEqual(at(0));
});
