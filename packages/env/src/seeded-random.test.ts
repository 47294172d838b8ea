import { describe, expect, test } from 'vitest';
import { nodeRandom } from './node/node-random.js';
import { createSeededRandom } from './seeded-random.js';
import { randomContract } from './testing/random-contract.js';

for (const [form, open] of Object.entries({
  'the seeded generator': async () => createSeededRandom(11),
  'the seeded generator, seed 0': async () => createSeededRandom(0),
  'the operating system': async () => nodeRandom(),
})) {
  describe(`the randomness contract holds for ${form}`, () => {
    for (const { name, run } of randomContract) test(name, () => run(open));
  });
}

test('a seed gives these numbers, today and on every machine', () => {
  const random = createSeededRandom(42);
  const words = Array.from({ length: 4 }, () => random.uint32());
  expect(words).toEqual([2014437610, 386864550, 862584884, 631831576]);
  expect(random.float()).toBe(0.9375047281083587);
});

test('neighbouring and negative and large seeds give different streams', () => {
  const seeds = [0, 1, 2, -1, -2, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER];
  const firsts = new Set(seeds.map((seed) => createSeededRandom(seed).uint32()));
  expect(firsts.size).toBe(seeds.length);
  expect(() => createSeededRandom(0.5)).toThrow(RangeError);
});
