import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RaftError } from '../raft-error.js';
import { type ConfChange, decodeConfChange, encodeConfChange, entersJoint, leavesJoint } from './conf-change.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_240_904);
const numRuns = process.env['SHANGHAI_DEEP'] === '1' ? 50_000 : 2000;

const change: fc.Arbitrary<ConfChange> = fc
  .record({
    transition: fc.constantFrom('auto' as const, 'implicit' as const, 'explicit' as const),
    changes: fc.array(
      fc.record({
        type: fc.constantFrom('addNode' as const, 'addLearner' as const, 'removeNode' as const, 'updateNode' as const),
        nodeId: fc.oneof(fc.nat(10), fc.maxSafeInteger().map(Math.abs)),
      }),
      { maxLength: 6 },
    ),
    context: fc.option(fc.uint8Array({ minLength: 1, maxLength: 20 }), { nil: undefined }),
  })
  .map(({ context, ...rest }) => (context === undefined ? rest : { ...rest, context }));

test(`what is encoded is read again (seed ${seed})`, () => {
  fc.assert(
    fc.property(change, (one) => {
      expect(decodeConfChange(encodeConfChange(one))).toEqual(one);
    }),
    { seed, numRuns },
  );
});

test(`bytes are read, or refused by a typed error: cut short, changed, or made up (seed ${seed})`, () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.tuple(change, fc.nat(80)).map(([one, length]) => encodeConfChange(one).subarray(0, length)),
    fc.tuple(change, fc.nat(80), fc.nat(255)).map(([one, at, value]) => {
      const encoded = encodeConfChange(one);
      encoded[at % encoded.length] = value;
      return encoded;
    }),
  );
  fc.assert(
    fc.property(bytes, (some) => {
      let decoded: ConfChange;
      try {
        decoded = decodeConfChange(some);
      } catch (error) {
        expect(error).toBeInstanceOf(RaftError);
        expect(error).toMatchObject({ code: 'CORRUPT' });
        return;
      }
      // What is taken is a change in every part: it can be written again, and is the same.
      expect(decodeConfChange(encodeConfChange(decoded))).toEqual(decoded);
    }),
    { seed, numRuns },
  );
});

test('bytes cut within the changes are refused, and so are a version, a transition and a type that nobody knows', () => {
  const good = encodeConfChange({ transition: 'auto', changes: [{ type: 'addNode', nodeId: 4 }] });
  for (let length = 1; length < good.length; length++) {
    expect(() => decodeConfChange(good.subarray(0, length)), `${length} bytes`).toThrow(RaftError);
  }
  for (const [at, value] of [
    [0, 2],
    [1, 3],
    [4, 4],
    [12, 255],
  ] as const) {
    const bad = good.slice();
    bad[at] = value;
    expect(() => decodeConfChange(bad), `byte ${at}`).toThrow(RaftError);
  }
});

test('bytes that are a part of others are read in their place', () => {
  const good = encodeConfChange({ transition: 'explicit', changes: [{ type: 'removeNode', nodeId: 2 ** 40 + 1 }] });
  const within = new Uint8Array(good.length + 10).fill(7);
  within.set(good, 5);
  expect(decodeConfChange(within.subarray(5, 5 + good.length))).toEqual(decodeConfChange(good));
});

test('no bytes leave a joint configuration', () => {
  expect(leavesJoint(decodeConfChange(new Uint8Array(0)))).toBe(true);
});

test('several changes, or a transition that says so, make a joint configuration', () => {
  const one = { type: 'addNode', nodeId: 1 } as const;
  const cases = [
    [{ transition: 'auto', changes: [one] }, undefined],
    [{ transition: 'auto', changes: [one, one] }, true],
    [{ transition: 'implicit', changes: [one] }, true],
    [{ transition: 'explicit', changes: [one] }, false],
    [{ transition: 'explicit', changes: [] }, false],
  ] as const;
  for (const [asked, autoLeave] of cases) {
    expect(entersJoint(asked)?.autoLeave, JSON.stringify(asked)).toBe(autoLeave);
    expect(leavesJoint(asked)).toBe(false);
  }
  expect(leavesJoint({ transition: 'auto', changes: [] })).toBe(true);
});
