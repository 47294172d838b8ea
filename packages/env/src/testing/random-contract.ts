import assert from 'node:assert/strict';
import type { Random } from '../random.js';
import type { ContractCase } from './contract-case.js';

/** What every `Random` does. */
export const randomContract: readonly ContractCase<Random>[] = [
  contractCase('uint32 gives integers over all of [0, 2^32)', (random) => {
    let union = 0;
    for (let i = 0; i < 1000; i++) {
      const value = random.uint32();
      assert.ok(Number.isInteger(value) && value >= 0 && value < 2 ** 32, `${value}`);
      union |= value;
    }
    assert.equal(union >>> 0, 0xffff_ffff);
  }),
  contractCase('float stays in [0, 1) and fills it', (random) => {
    const buckets = new Uint32Array(10);
    for (let i = 0; i < 10_000; i++) {
      const value = random.float();
      assert.ok(value >= 0 && value < 1, `${value}`);
      const bucket = Math.floor(value * 10);
      buckets[bucket] = (buckets[bucket] as number) + 1;
    }
    // Ten standard deviations: a fair source fails this once in more runs than there will ever be.
    for (const count of buckets) assert.ok(Math.abs(count - 1000) < 300, `${buckets}`);
  }),
  contractCase('below gives every value under its limit', (random) => {
    const seen = new Set<number>();
    for (let i = 0; i < 1000; i++) seen.add(random.below(6));
    assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4, 5]);
    assert.equal(random.below(1), 0);
    assert.ok(random.below(2 ** 32) < 2 ** 32);
  }),
  contractCase('below refuses a limit outside [1, 2^32]', (random) => {
    for (const limit of [0, -1, 1.5, Number.NaN, 2 ** 32 + 1]) assert.throws(() => random.below(limit), RangeError);
  }),
  contractCase('bytes gives a new buffer of that length, with every value', (random) => {
    for (const length of [0, 1, 2, 3, 4, 5, 7, 1023]) assert.equal(random.bytes(length).length, length);
    assert.equal(new Set(random.bytes(10_000)).size, 256);
    const [first, second] = [random.bytes(16), random.bytes(16)];
    assert.notDeepEqual(first, second);
    assert.notEqual(first.buffer, second.buffer);
  }),
];

function contractCase(name: string, check: (random: Random) => void): ContractCase<Random> {
  return { name, run: async (open) => check(await open()) };
}
