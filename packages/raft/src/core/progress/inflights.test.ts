import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Inflights } from './inflights.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_240_902);
const numRuns = process.env['SHANGHAI_DEEP'] === '1' ? 20_000 : 1000;

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('add'), by: fc.nat(3), bytes: fc.nat(10) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('free'), by: fc.nat(8), bytes: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reset'), by: fc.constant(0), bytes: fc.constant(0) }) },
);

test(`a window is what a plain list of messages is (seed ${seed})`, () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.nat(30),
      fc.array(step, { maxLength: 60 }),
      (max, maxBytes, steps) => {
        const inflights = new Inflights(max, maxBytes);
        let model: { index: number; bytes: number }[] = [];
        let index = 0;
        for (const { kind, by, bytes } of steps) {
          if (kind === 'add' && !inflights.isFull) {
            index += by;
            inflights.add(index, bytes);
            model.push({ index, bytes });
          } else if (kind === 'free') {
            // Behind what is in flight, in the middle of it, and beyond it.
            const upTo = index - 4 + by;
            inflights.freeUpTo(upTo);
            model = model.filter((message) => message.index > upTo);
          } else if (kind === 'reset') {
            inflights.reset();
            model = [];
          }
          const sum = model.reduce((total, message) => total + message.bytes, 0);
          expect(inflights.count).toBe(model.length);
          expect(inflights.isFull).toBe(model.length >= max || (maxBytes > 0 && sum >= maxBytes));
        }
      },
    ),
    { seed, numRuns },
  );
});

test('the message that crosses the limit of bytes is taken, and the window is full', () => {
  const inflights = new Inflights(10, 100);
  inflights.add(1, 99);
  expect(inflights.isFull).toBe(false);
  inflights.add(2, 1000);
  expect(inflights.isFull).toBe(true);
  inflights.freeUpTo(1);
  expect(inflights.isFull).toBe(true);
  inflights.freeUpTo(2);
  expect(inflights).toMatchObject({ count: 0, isFull: false });
});

test('adding to a full window is a mistake of the caller', () => {
  const inflights = new Inflights(1, 0);
  inflights.add(1, 1);
  expect(() => inflights.add(2, 1)).toThrow(/window is full/);
});
