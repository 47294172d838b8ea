import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Entry, entriesBytes, entryBytes, limitEntries, payloadBytes } from './entry.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_240_909);

const entries = fc
  .array(fc.nat(300), { maxLength: 12 })
  .map((sizes) =>
    sizes.map((size, i): Entry => ({ index: i + 1, term: 1, type: 'EntryNormal', data: new Uint8Array(size) })),
  );

test(`a limit keeps as many entries as fit, and at least one (seed ${seed})`, () => {
  fc.assert(
    fc.property(entries, fc.nat(2000), (all, maxBytes) => {
      const kept = limitEntries(all, maxBytes);
      expect(kept).toEqual(all.slice(0, kept.length));
      if (all.length > 0) expect(kept.length).toBeGreaterThan(0);
      if (kept.length > 1) expect(entriesBytes(kept)).toBeLessThanOrEqual(maxBytes);
      if (kept.length < all.length) expect(entriesBytes(all.slice(0, kept.length + 1))).toBeGreaterThan(maxBytes);
    }),
    { seed },
  );
});

test('sizes are those of tagged variable-length integers and the data', () => {
  const sized = (term: number, index: number, bytes: number) =>
    entryBytes({ term, index, type: 'EntryNormal', data: new Uint8Array(bytes) });
  expect(sized(1, 1, 0)).toBe(6);
  expect(sized(127, 128, 0)).toBe(7);
  expect(sized(2 ** 35, 1, 0)).toBe(11);
  expect(sized(1, 1, 1)).toBe(9);
  expect(sized(1, 1, 128)).toBe(6 + 1 + 2 + 128);
  expect(payloadBytes([{ data: new Uint8Array(3) }, { data: new Uint8Array(4) }])).toBe(7);
});
