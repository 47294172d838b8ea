import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MemoryLogStorage } from '../../testing/memory-log-storage.js';
import { emptyConfState } from '../configuration/configuration.js';
import { type Entry, entriesBytes, noData, type Snapshot } from '../entry.js';
import { RaftLog } from './raft-log.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_240_907);
const numRuns = process.env['SHANGHAI_DEEP'] === '1' ? 20_000 : 1000;
const unlimited = Number.POSITIVE_INFINITY;

const entryAt = (index: number, term: number, bytes = 0): Entry => ({
  index,
  term,
  type: 'EntryNormal',
  data: new Uint8Array(bytes),
});
const entriesOf = (...terms: readonly number[]) => terms.map((term, i) => entryAt(i + 1, term));
const snapshotAt = (index: number, term: number): Snapshot => ({
  metadata: { index, term, confState: emptyConfState },
  data: noData,
});

/** A log whose first entries are stored, the rest not. */
function open(
  stored: readonly Entry[],
  unstable: readonly Entry[] = [],
  compactedTo = 0,
  maxApplyingBytes = unlimited,
) {
  const storage = new MemoryLogStorage();
  storage.append(stored);
  storage.compact(compactedTo);
  const log = new RaftLog(storage, maxApplyingBytes);
  log.append(unstable);
  return { storage, log };
}

test(`reads across storage and what is not stored are those of a plain array (seed ${seed})`, () => {
  const shape = fc.record({
    terms: fc.array(fc.nat(1), { maxLength: 14 }),
    sizes: fc.array(fc.nat(20), { minLength: 14, maxLength: 14 }),
    split: fc.nat(14),
    compacted: fc.nat(14),
    from: fc.nat(16),
    to: fc.nat(16),
    maxBytes: fc.nat(80),
  });
  fc.assert(
    fc.property(shape, ({ terms, sizes, split, compacted, from, to, maxBytes }) => {
      let term = 1;
      const all = terms.map((raise, i) => {
        term += raise;
        return entryAt(i + 1, term, sizes[i]);
      });
      const stored = all.slice(0, split);
      const cut = Math.min(compacted, stored.length);
      const { log } = open(stored, all.slice(split), cut);
      expect([log.firstIndex(), log.lastIndex()]).toEqual([cut + 1, all.length]);
      for (let index = 0; index <= all.length + 1; index++) {
        const wanted = index < cut ? 'compacted' : index > all.length ? 'unavailable' : (all[index - 1]?.term ?? 0);
        expect(log.term(index), `term of ${index}`).toBe(wanted);
      }
      const [first, end] = [Math.min(from, to), Math.min(Math.max(from, to), all.length + 1)];
      if (first <= cut) {
        if (first < end) expect(log.slice(first, end, maxBytes)).toBe('compacted');
        return;
      }
      if (first > end) return;
      const range = all.slice(first - 1, end - 1);
      let count = 0;
      while (count < range.length && (count === 0 || entriesBytes(range.slice(0, count + 1)) <= maxBytes)) count++;
      expect(log.slice(first, end, maxBytes)).toEqual(range.slice(0, count));
      expect(log.slice(first, end, unlimited)).toEqual(range);
    }),
    { seed, numRuns },
  );
});

test(`appends of a leader's log make this one equal to it, and never touch what matches or is committed (seed ${seed})`, () => {
  const terms = fc.array(fc.nat(1), { minLength: 1, maxLength: 10 });
  const shape = fc.record({
    common: fc.nat(5),
    own: terms,
    leaders: terms,
    split: fc.nat(10),
    from: fc.nat(10),
    count: fc.nat(10),
  });
  fc.assert(
    fc.property(shape, ({ common, own, leaders, split, from, count }) => {
      const shared = entriesOf(...new Array<number>(common).fill(1));
      const extend = (steps: readonly number[], odd: number) => {
        let term = 1;
        // Terms of the two logs never meet behind what they share: then equal ids would mean equal entries.
        const behind = steps.map((raise, i) => {
          term += 2 * raise;
          return entryAt(common + 1 + i, term + odd);
        });
        return [...shared, ...behind];
      };
      const [mine, theirs] = [extend(own, 1), extend(leaders, 2)];
      const { log } = open(mine.slice(0, split), mine.slice(split));
      log.commitTo(Math.min(common, mine.length));
      const previous = Math.min(from, theirs.length);
      const sent = theirs.slice(previous, previous + count);
      const id = { index: previous, term: theirs[previous - 1]?.term ?? 0 };
      if (previous < log.committed) return;
      const matched = log.maybeAppend(id, sent, theirs.length);
      const isKnown = previous <= common;
      expect(matched).toBe(isKnown ? previous + sent.length : undefined);
      const now = log.slice(1, log.lastIndex() + 1, unlimited);
      const wanted = isKnown && previous + sent.length > common ? theirs.slice(0, previous + sent.length) : mine;
      expect(now).toEqual(wanted);
      expect(log.committed).toBe(isKnown ? Math.max(common, previous + sent.length) : common);
    }),
    { seed, numRuns },
  );
});

describe('where two logs may agree', () => {
  test('is the last entry of no higher term', () => {
    const { log } = open(entriesOf(1, 2, 2, 4, 4));
    const cases = [
      [5, 4, 5, 4],
      [5, 3, 3, 2],
      [5, 1, 1, 1],
      [5, 0, 0, 0],
      [2, 9, 2, 2],
      [0, 1, 0, 0],
    ] as const;
    for (const [index, term, wantedIndex, wantedTerm] of cases) {
      expect(log.findConflictByTerm(index, term), `${index} ${term}`).toEqual({ index: wantedIndex, term: wantedTerm });
    }
  });

  test('is not known below what is compacted', () => {
    const { log } = open(entriesOf(2, 2, 2), [], 2);
    expect(log.findConflictByTerm(3, 1)).toEqual({ index: 1, term: 0 });
  });
});

describe('committing', () => {
  test('takes nothing back, and nothing that is not there', () => {
    const { log } = open(entriesOf(1, 1, 1));
    log.commitTo(2);
    log.commitTo(1);
    expect(log.committed).toBe(2);
    expect(() => log.commitTo(4)).toThrow(/it was lost/);
  });

  test('by replicas takes only an entry of that term', () => {
    const { log } = open(entriesOf(1, 2, 2));
    expect(log.maybeCommit({ index: 1, term: 2 })).toBe(false);
    expect(log.maybeCommit({ index: 2, term: 0 })).toBe(false);
    expect(log.maybeCommit({ index: 2, term: 2 })).toBe(true);
    expect(log.maybeCommit({ index: 2, term: 2 })).toBe(false);
  });

  test('a leader that conflicts with what is committed is a broken promise', () => {
    const { log } = open(entriesOf(1, 1));
    log.commitTo(2);
    expect(() => log.maybeAppend({ index: 0, term: 0 }, [entryAt(1, 2)], 0)).toThrow(/conflicts with a committed one/);
    expect(() => log.append([entryAt(2, 2)])).toThrow(/overwrite a committed one/);
  });
});

describe('applying', () => {
  test('hands out what is committed once, as far as it is durable', () => {
    const { log, storage } = open(entriesOf(1, 1), [entryAt(3, 1), entryAt(4, 1)]);
    log.commitTo(3);
    expect(log.nextCommitted(false).map(({ index }) => index)).toEqual([1, 2]);
    expect(log.nextCommitted(true).map(({ index }) => index)).toEqual([1, 2, 3]);
    log.acceptApplying(2, 0, false);
    expect(log.hasNextCommitted(false)).toBe(false);
    storage.append([entryAt(3, 1)]);
    log.unstable.stableTo({ index: 3, term: 1 });
    expect(log.nextCommitted(false).map(({ index }) => index)).toEqual([3]);
  });

  test('holds no more with the state machine than the bound, and goes on as it is done', () => {
    const entries = [1, 2, 3, 4].map((index) => entryAt(index, 1, 50));
    const { log } = open(entries, [], 0, 120);
    log.commitTo(4);
    const first = log.nextCommitted(true);
    expect(first.map(({ index }) => index)).toEqual([1, 2]);
    log.acceptApplying(2, entriesBytes(first), true);
    expect(log.hasNextCommitted(true)).toBe(false);
    log.appliedTo(2, entriesBytes(first));
    expect(log.nextCommitted(true).map(({ index }) => index)).toEqual([3, 4]);
  });

  test('out of order is a mistake of the caller', () => {
    const { log } = open(entriesOf(1, 1, 1));
    log.commitTo(2);
    expect(() => log.appliedTo(3, 0)).toThrow(/applied 3/);
    expect(() => log.acceptApplying(3, 0, true)).toThrow(/out of order/);
    log.appliedTo(2, 0);
    expect(() => log.appliedTo(1, 0)).toThrow(/applied 1/);
  });

  test('waits for a snapshot that is not durable', () => {
    const { log } = open(entriesOf(1));
    log.restore(snapshotAt(5, 2));
    log.append([entryAt(6, 2)]);
    log.commitTo(6);
    expect(log.hasNextCommitted(true)).toBe(false);
    log.appliedTo(5, 0);
    log.unstable.stableSnapshotTo(5);
    expect(log.nextCommitted(true).map(({ index }) => index)).toEqual([6]);
  });
});

test('after a snapshot the log begins behind it', () => {
  const { log } = open(entriesOf(1, 1, 1));
  log.restore(snapshotAt(9, 3));
  expect([log.firstIndex(), log.lastIndex(), log.committed]).toEqual([10, 9, 9]);
  expect([log.term(9), log.term(8), log.term(10)]).toEqual([3, 'compacted', 'unavailable']);
  expect(log.snapshot()).toMatchObject({ metadata: { index: 9 } });
});
