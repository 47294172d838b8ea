import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MapStore } from '../../test/core-map-store.js';
import { HiddenEntries, hiddenChunkBytes, hiddenChunkEntries } from './hidden-entries.js';
import type { HiddenChunk } from './log-upkeep-command.js';
import { WriteSet } from './write-set.js';

const seed = 7_711;

function chunksOf(sequences: readonly number[]): HiddenChunk[] {
  const chunks = new Map<number, Uint8Array>();
  for (const sequence of sequences) {
    const index = Math.floor(sequence / hiddenChunkEntries);
    const place = sequence % hiddenChunkEntries;
    const bits = chunks.get(index) ?? new Uint8Array(hiddenChunkBytes);
    bits[place >>> 3] = (bits[place >>> 3] as number) | (1 << (place & 7));
    chunks.set(index, bits);
  }
  return [...chunks].map(([index, bits]) => ({ index, bits }));
}

test('what is hidden is what was hidden and not trimmed with its chunk, also after it was loaded again', () => {
  const sequence = fc.nat(3 * hiddenChunkEntries);
  const step = fc.oneof(
    fc.record({ kind: fc.constant('hide' as const), sequences: fc.array(sequence, { maxLength: 40 }) }),
    fc.record({ kind: fc.constant('trim' as const), first: sequence }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), fc.tuple(sequence, sequence), (steps, [a, b]) => {
      const writes = new WriteSet(new MapStore().asStore());
      const hidden = new HiddenEntries();
      let model = new Set<number>();
      let first = 1;
      for (const one of steps) {
        if (one.kind === 'hide') {
          hidden.hide(5, 0, chunksOf(one.sequences), first, writes);
          const isKept = (each: number) => (Math.floor(each / hiddenChunkEntries) + 1) * hiddenChunkEntries > first;
          for (const each of one.sequences) if (isKept(each)) model.add(each);
        } else if (one.first > first) {
          first = one.first;
          hidden.trim(5, first, writes);
          const floor = Math.floor(first / hiddenChunkEntries) * hiddenChunkEntries;
          model = new Set([...model].filter((each) => each >= floor));
        }
      }
      const stored = new Map<string, { key: Uint8Array; value: Uint8Array }>();
      for (const operation of writes.operations) {
        const { key } = operation;
        if (operation.type === 'delete') stored.delete(Buffer.from(key).toString('hex'));
        else stored.set(Buffer.from(key).toString('hex'), { key, value: operation.value });
      }
      const loaded = new HiddenEntries();
      loaded.load([...stored.values()]);
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      const expected = [...model].filter((each) => each >= from && each <= to).length;
      for (const found of [hidden.get(5), loaded.get(5)]) {
        expect(found.count).toBe(model.size);
        expect(found.countIn(from, to)).toBe(expected);
        for (const each of model) expect(found.isHidden(each)).toBe(true);
        expect(found.isHidden(found.nextVisible(from))).toBe(false);
      }
    }),
    { seed, numRuns: 300 },
  );
});

test('a log that was dropped leaves nothing', () => {
  const writes = new WriteSet(new MapStore().asStore());
  const hidden = new HiddenEntries();
  hidden.hide(5, 100, chunksOf([1, 2, 5_000]), 1, writes);
  expect(hidden.get(5)).toMatchObject({ compactedTo: 100, count: 3 });
  const made = writes.operations.length;
  hidden.dropLog(5, writes);
  expect(writes.operations.slice(made).map(({ type }) => type)).toEqual(['delete', 'delete', 'delete']);
  expect(hidden.get(5)).toMatchObject({ compactedTo: 0, count: 0 });
});
