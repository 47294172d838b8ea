import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Change, ChangeRing } from './change-ring.js';

const seed = 31;

function change(revision: number, bytes = 1): Change {
  return {
    keyspaceId: 0,
    type: 'put',
    key: new Uint8Array(bytes),
    value: new Uint8Array(0),
    revision,
    expiresAtMs: 0,
  };
}

test('the ring holds the newest changes within its bounds and knows what it forgot', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 40 })), { maxLength: 80 }),
      fc.nat(100),
      (steps, after) => {
        const limits = { maxChanges: 8, maxBytes: 100 };
        const ring = new ChangeRing(limits, 10);
        const all: Change[] = [];
        let revision = 10;
        for (const [step, bytes] of steps) {
          revision += step;
          all.push(change(revision, bytes));
          ring.publish([all.at(-1) as Change], revision);
        }
        let kept: Change[] = [];
        for (const one of all) {
          kept.push(one);
          while (
            kept.length > limits.maxChanges ||
            kept.reduce((sum, { key }) => sum + key.length, 0) > limits.maxBytes
          ) {
            kept = kept.slice(1);
          }
        }
        const forgotten = all[all.length - kept.length - 1]?.revision ?? 10;
        expect(ring.forgottenRevision).toBe(forgotten);
        expect(ring.revision).toBe(revision);
        const from = Math.max(forgotten, 10 + after);
        expect(ring.after(from, 5)).toEqual(kept.filter((one) => one.revision > from).slice(0, 5));
      },
    ),
    { seed, numRuns: 500 },
  );
});

test('one change larger than the bound is kept alone, so that watchers at the end see it', () => {
  const ring = new ChangeRing({ maxChanges: 8, maxBytes: 100 }, 0);
  ring.publish([change(1), change(2, 500)], 2);
  expect(ring.after(1, 10).map(({ revision }) => revision)).toEqual([2]);
  ring.publish([change(3)], 3);
  expect(ring.after(2, 10).map(({ revision }) => revision)).toEqual([3]);
});

test('whoever waits is woken by the next run, and not by what it has seen', async () => {
  const ring = new ChangeRing({ maxChanges: 8, maxBytes: 100 }, 0);
  const { published } = ring;
  const seen = published.count;
  const waiting = published.wait();
  expect(published.waiting).toBe(1);
  ring.publish([], 0);
  await waiting;
  await published.wait(undefined, seen);
  const stop = new AbortController();
  const aborted = published.wait(stop.signal);
  stop.abort();
  await aborted;
  expect(published.waiting).toBe(0);
});
