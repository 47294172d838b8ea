import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MapStore } from '../../test/core-map-store.js';
import { SharedConsumers } from './shared-consumers.js';
import { decodeUpkeepEntry, encodeUpkeepEntry, type SharedConsumer, type UpkeepEntry } from './upkeep-entry.js';
import { WriteSet } from './write-set.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 50);

const position = fc.record({
  origin: fc.integer({ min: 1, max: 3 }),
  epoch: fc.integer({ min: 1, max: 2 }),
  sequence: fc.nat({ max: 9 }),
});
/** Whether it is a deletion follows from what a generation began with, as it does where they are made. */
const consumer: fc.Arbitrary<SharedConsumer> = fc
  .record({
    logId: fc.integer({ min: 1, max: 2 }),
    name: fc.constantFrom('a', 'b-ü'),
    generation: fc.integer({ min: 1, max: 3 }),
    committedAtMs: fc.nat({ max: 9 }),
    begin: fc.record({
      hlc: fc.record({ ms: fc.nat({ max: 2 }), counter: fc.nat({ max: 1 }) }),
      origin: fc.nat({ max: 2 }),
    }),
    positions: fc.uniqueArray(position, { maxLength: 4, selector: ({ origin, epoch }) => `${origin}.${epoch}` }),
  })
  .map((said) => {
    const isDeleted = said.generation > 1 && said.begin.hlc.ms === 2;
    const sorted = [...said.positions].sort((x, y) => x.origin - y.origin || x.epoch - y.epoch);
    return { ...said, isDeleted, positions: isDeleted ? [] : sorted };
  });

function joined(said: readonly SharedConsumer[]): SharedConsumers {
  const consumers = new SharedConsumers();
  for (const one of said) consumers.join(one, new WriteSet(new MapStore().asStore()));
  return consumers;
}

const shown = (consumers: SharedConsumers) =>
  [...consumers.all()].sort((a, b) => a.logId - b.logId || (a.name < b.name ? -1 : 1));

test('what is said is joined to the same in any order, however often, and from parts that were joined before', () => {
  fc.assert(
    fc.property(fc.array(consumer, { maxLength: 12 }), fc.nat(), (said, turn) => {
      const all = joined(said);
      const at = said.length === 0 ? 0 : turn % said.length;
      const turned = [...said.slice(at).reverse(), ...said.slice(0, at), ...said.slice(at)];
      expect(shown(joined(turned))).toEqual(shown(all));
      const parts = [...joined(said.slice(0, at)).all(), ...joined(said.slice(at)).all()];
      expect(shown(joined(parts.reverse()))).toEqual(shown(all));
      for (const one of all.all()) {
        const latest = Math.max(
          ...said
            .filter(({ logId, name }) => logId === one.logId && name === one.name)
            .map(({ generation }) => generation),
        );
        expect(one.generation).toBe(latest);
      }
    }),
    { seed, numRuns: 300 },
  );
});

test('entries are read as they were written, and nothing else is taken for one', () => {
  fc.assert(
    fc.property(consumer, fc.boolean(), fc.array(position), (said, beginsHere, positions) => {
      const entries: UpkeepEntry[] = [
        { type: 'consumer', consumer: said, beginsHere },
        { type: 'trim', logId: said.logId, positions },
      ];
      for (const entry of entries) {
        const bytes = encodeUpkeepEntry(entry);
        expect(decodeUpkeepEntry(bytes)).toEqual(entry);
        expect(() => decodeUpkeepEntry(bytes.subarray(0, -1))).toThrow(RangeError);
        expect(() => decodeUpkeepEntry(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(RangeError);
        expect(() => decodeUpkeepEntry(Buffer.concat([Buffer.of(2), bytes.subarray(1)]))).toThrow(/not known/);
      }
    }),
    { seed, numRuns: 100 },
  );
});

test('the last deletions are remembered, so that what was said before them does not come back', () => {
  const consumers = new SharedConsumers();
  const writes = new WriteSet(new MapStore().asStore());
  const base = { logId: 1, committedAtMs: 1, positions: [], isDeleted: true, generation: 2 };
  for (let i = 0; i < 10_050; i++) {
    consumers.join({ ...base, name: `c${i}`, begin: { hlc: { ms: i, counter: 0 }, origin: 1 } }, writes);
  }
  expect([...consumers.all()]).toHaveLength(10_000);
  expect(consumers.count).toBe(0);
  const before = {
    ...base,
    name: 'c10049',
    isDeleted: false,
    generation: 1,
    begin: { hlc: { ms: 0, counter: 0 }, origin: 0 },
  };
  consumers.join(before, writes);
  expect(consumers.get(1, 'c10049')).toBeUndefined();
});
