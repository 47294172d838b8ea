import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emptyConfState } from '../configuration/configuration.js';
import { type Entry, noData, type Snapshot } from '../entry.js';
import { UnstableLog } from './unstable-log.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_240_906);
const numRuns = process.env['SHANGHAI_DEEP'] === '1' ? 20_000 : 1000;

const entryAt = (index: number, term: number): Entry => ({ index, term, type: 'EntryNormal', data: noData });
const snapshotAt = (index: number, term: number): Snapshot => ({
  metadata: { index, term, confState: emptyConfState },
  data: noData,
});

/** Entries that are not durable, with what storage was given: as plainly as it can be said. */
class Model {
  entries: Entry[] = [];
  given = new Set<Entry>();
  durable: Entry[] = [];

  append(added: readonly Entry[]): void {
    const from = added[0]?.index ?? 0;
    this.durable = this.durable.filter(({ index }) => index < from);
    this.entries = [...this.entries.filter(({ index }) => index < from), ...added];
  }

  stableTo(index: number, term: number): void {
    if (!this.entries.some((entry) => entry.index === index && entry.term === term)) return;
    this.durable.push(...this.entries.filter((entry) => entry.index <= index));
    this.entries = this.entries.filter((entry) => entry.index > index);
  }
}

const step = fc.record({
  kind: fc.constantFrom('append', 'append', 'accept', 'stable', 'stable'),
  back: fc.nat(6),
  count: fc.integer({ min: 1, max: 4 }),
  term: fc.nat(1),
});

test(`is what a plain list is, whatever is overwritten while it is written (seed ${seed})`, () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const unstable = new UnstableLog(5);
      const model = new Model();
      let term = 1;
      for (const { kind, back, count, term: raise } of steps) {
        const last = model.entries.at(-1)?.index ?? model.durable.at(-1)?.index ?? 4;
        if (kind === 'append') {
          term += raise;
          const from = Math.max(last + 1 - back, 2);
          const added = Array.from({ length: count }, (_, i) => entryAt(from + i, term));
          unstable.truncateAndAppend(added);
          model.append(added);
        } else if (kind === 'accept') {
          for (const entry of model.entries) model.given.add(entry);
          unstable.acceptInProgress();
        } else {
          const index = last - back;
          const at = term - raise;
          unstable.stableTo({ index, term: at });
          model.stableTo(index, at);
        }
        expect(unstable.entries).toEqual(model.entries);
        const next = model.entries.filter((entry) => !model.given.has(entry));
        expect(unstable.nextEntries()).toEqual(next);
        expect(unstable.hasNextEntries).toBe(next.length > 0);
        expect(unstable.lastIndex()).toBe(model.entries.at(-1)?.index);
        for (const { index, term: own } of model.entries) expect(unstable.term(index)).toBe(own);
      }
    }),
    { seed, numRuns },
  );
});

describe('a snapshot', () => {
  test('takes the place of everything, and is handed out once', () => {
    const unstable = new UnstableLog(3);
    unstable.truncateAndAppend([entryAt(3, 1), entryAt(4, 1)]);
    unstable.restore(snapshotAt(9, 2));
    expect(unstable).toMatchObject({ offset: 10, entries: [] });
    expect([unstable.firstIndex(), unstable.lastIndex(), unstable.term(9), unstable.term(4)]).toEqual([
      10,
      9,
      2,
      undefined,
    ]);
    expect(unstable.nextSnapshot()?.metadata.index).toBe(9);
    unstable.acceptInProgress();
    expect(unstable.nextSnapshot()).toBeUndefined();
  });

  test('is durable when storage says so of this one, and not of an older one', () => {
    const unstable = new UnstableLog(3);
    unstable.restore(snapshotAt(9, 2));
    unstable.acceptInProgress();
    unstable.restore(snapshotAt(12, 2));
    unstable.stableSnapshotTo(9);
    expect(unstable.nextSnapshot()?.metadata.index).toBe(12);
    unstable.acceptInProgress();
    unstable.stableSnapshotTo(12);
    expect(unstable.snapshot).toBeUndefined();
  });

  test('makes an acknowledgement of entries before it mean nothing', () => {
    const unstable = new UnstableLog(3);
    unstable.truncateAndAppend([entryAt(3, 1)]);
    unstable.acceptInProgress();
    unstable.restore(snapshotAt(9, 2));
    unstable.stableTo({ index: 3, term: 1 });
    unstable.stableTo({ index: 9, term: 2 });
    expect(unstable).toMatchObject({ offset: 10, snapshot: { metadata: { index: 9 } } });
  });
});

test('what is handed out does not change with the log', () => {
  const unstable = new UnstableLog(1);
  unstable.truncateAndAppend([entryAt(1, 1), entryAt(2, 1)]);
  const handed = unstable.nextEntries();
  unstable.truncateAndAppend([entryAt(1, 2)]);
  expect(handed.map(({ term }) => term)).toEqual([1, 1]);
});

test('a gap is a mistake of the caller', () => {
  expect(() => new UnstableLog(3).truncateAndAppend([entryAt(4, 1)])).toThrow(/gap/);
  expect(() => new UnstableLog(3).slice(3, 4)).toThrow(/are not among/);
});
