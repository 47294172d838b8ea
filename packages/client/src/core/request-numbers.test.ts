import { InvariantError } from '@shanghai/env';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RequestNumbers } from './request-numbers.js';

describe('RequestNumbers', () => {
  it('counts from 1 and stops when the oldest unsettled number is a window back', () => {
    const numbers = new RequestNumbers(3);
    expect([numbers.take(), numbers.take(), numbers.take(), numbers.take()]).toEqual([1, 2, 3, undefined]);
    numbers.settle(2);
    expect(numbers.take()).toBeUndefined();
    numbers.settle(1);
    expect([numbers.take(), numbers.take(), numbers.take()]).toEqual([4, 5, undefined]);
    expect(numbers.outstanding).toBe(3);
  });

  it('refuses to settle a number twice or one that was not handed out', () => {
    const numbers = new RequestNumbers(3);
    expect(() => numbers.settle(1)).toThrow(InvariantError);
    numbers.take();
    numbers.settle(1);
    expect(() => numbers.settle(1)).toThrow(InvariantError);
  });

  it('never hands out a number a window beyond an unsettled one, in any order of settling', () => {
    const seed = 7_001;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.nat(30)), (window, choices) => {
        const numbers = new RequestNumbers(window);
        const open: number[] = [];
        for (const choice of choices) {
          const taken = choice % 3 === 0 ? undefined : numbers.take();
          if (taken !== undefined) open.push(taken);
          else if (open.length > 0) numbers.settle(open.splice(choice % open.length, 1)[0] as number);
          if (taken !== undefined) expect(taken - Math.min(...open)).toBeLessThan(window);
          expect(numbers.outstanding).toBe(open.length);
        }
      }),
      { seed, verbose: 1 },
    );
  });
});
