import fc from 'fast-check';
import { expect, test } from 'vitest';
import { advanceHlc, compareHlc, type Hlc, maxHlcCounter, nextHlc, stampHlc, zeroHlc } from './hlc.js';

const seed = 20261121;
const hlcs = fc.record({
  ms: fc.integer({ min: 0, max: 2 ** 40 }),
  counter: fc.integer({ min: 0, max: maxHlcCounter }),
});

test('a stamp is later than the last, whatever the wall clock shows, and never behind it', () => {
  fc.assert(
    fc.property(hlcs, fc.integer({ min: 0, max: 2 ** 41 }), (last, nowMs) => {
      const stamp = stampHlc(last, nowMs);
      expect(compareHlc(stamp, last)).toBeGreaterThan(0);
      expect(stamp.ms).toBeGreaterThanOrEqual(nowMs);
      if (nowMs > last.ms) expect(stamp).toEqual({ ms: nowMs, counter: 0 });
    }),
    { seed },
  );
});

test('a counter that is full borrows a millisecond', () => {
  const full: Hlc = { ms: 7, counter: maxHlcCounter };
  expect(nextHlc(full)).toEqual({ ms: 8, counter: 0 });
  expect(advanceHlc(full, 2)).toEqual({ ms: 8, counter: 1 });
});

test('advancing by steps is stepping', () => {
  fc.assert(
    fc.property(hlcs, fc.integer({ min: 0, max: 300 }), (first, steps) => {
      let stepped = first;
      for (let i = 0; i < steps; i++) stepped = nextHlc(stepped);
      expect(advanceHlc(first, steps)).toEqual(stepped);
    }),
    { seed },
  );
  expect(compareHlc(zeroHlc, nextHlc(zeroHlc))).toBeLessThan(0);
});
