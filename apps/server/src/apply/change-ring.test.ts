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

function pinned(ring: ChangeRing): number {
  const buffers = new Set<ArrayBufferLike>();
  for (const { key, value } of ring.after(ring.forgottenRevision, Number.MAX_SAFE_INTEGER)) {
    buffers.add(key.buffer).add(value.buffer);
  }
  let bytes = 0;
  for (const buffer of buffers) bytes += buffer.byteLength;
  return bytes;
}

test('the buffers that changes keep alive stay within the bound, however little of them is keys and values', () => {
  const part = fc.record({ skip: fc.nat(300), key: fc.integer({ min: 1, max: 40 }), value: fc.nat(600) });
  const command = fc.record({ parts: fc.array(part, { maxLength: 6 }), rest: fc.nat(9_000), apart: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(command, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 300, max: 8_000 }),
      (runs, max) => {
        const ring = new ChangeRing({ maxChanges: 16, maxBytes: max }, 0);
        const all = new Map<number, string>();
        let revision = 0;
        for (const { parts, rest, apart } of runs) {
          const size = parts.reduce((sum, one) => sum + one.skip + one.key + one.value, rest);
          const buffer = new Uint8Array(size).map((_, i) => (i * 31 + revision) & 255);
          let end = 0;
          const cut = (bytes: number) => {
            end += bytes;
            return buffer.subarray(end - bytes, end);
          };
          const changes = parts.map((one): Change => {
            cut(one.skip);
            const key = cut(one.key);
            const view = cut(one.value);
            const value = apart ? new Uint8Array([...view, ...new Uint8Array(rest)]).subarray(0, view.length) : view;
            all.set(++revision, Buffer.concat([key, value]).toString('hex'));
            return { keyspaceId: 0, type: 'put', key, value, revision, expiresAtMs: 0 };
          });
          ring.publish(changes, revision);
          const kept = ring.after(ring.forgottenRevision, 100);
          if (kept.length > 1) expect(pinned(ring)).toBeLessThanOrEqual(max);
          for (const { key, value, revision: at } of kept) {
            expect(Buffer.concat([key, value]).toString('hex')).toBe(all.get(at));
          }
        }
      },
    ),
    { seed, numRuns: 300 },
  );
});

test('a small change of a large command does not keep the command alive', () => {
  const ring = new ChangeRing({ maxChanges: 8, maxBytes: 10_000 }, 0);
  for (let revision = 1; revision <= 8; revision++) {
    const command = new Uint8Array(1_000_000);
    const [key, value] = [command.subarray(999_000, 999_010), command.subarray(999_010, 999_020)];
    ring.publish([{ ...change(revision), key, value }], revision);
  }
  expect(ring.after(0, 10)).toHaveLength(8);
  expect(pinned(ring)).toBe(8 * 20);
});
