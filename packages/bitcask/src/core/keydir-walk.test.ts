import assert from 'node:assert/strict';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeydirWalk } from './keydir-walk.js';
import { createSegment } from './segment.js';
import { emptyPosition } from './snapshot-cursor.js';
import { Snapshots } from './snapshots.js';
import { StoreIndex } from './store-index.js';

const seed = 20_261_121;
const everything = { low: undefined, high: undefined, reverse: false };

function indexWithSegment(): StoreIndex {
  const index = new StoreIndex(new Snapshots(0, () => undefined));
  index.segments.set(1, createSegment({ fileId: 1, segmentId: 1, seed: 1, kind: 'log' }));
  return index;
}

function put(index: StoreIndex, key: number): void {
  index.visibleSequence++;
  const position = { ...emptyPosition(), fileId: 1, offset: 64, recordBytes: 30, sequence: index.visibleSequence };
  index.put(Uint8Array.of(1 + (key >> 4), 1 + (key & 15)).subarray(0, key % 16 === 0 ? 1 : 2), position);
}

function contents(index: StoreIndex): string[] {
  const given: string[] = [];
  const cursor = index.keydir.cursor();
  const position = emptyPosition();
  for (let more = cursor.seek(); more; more = cursor.next()) {
    cursor.position(position);
    given.push(`${Buffer.from(cursor.key()).toString('hex')}@${position.sequence}`);
  }
  return given;
}

test('a walk gives every key as it was when it began, whatever is written between its steps', () => {
  const change = fc.record({ key: fc.nat({ max: 255 }), remove: fc.boolean() });
  const property = fc.property(
    fc.array(change, { maxLength: 300, size: 'max' }),
    fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), fc.array(change, { maxLength: 30 })), { maxLength: 60 }),
    (before, between) => {
      const index = indexWithSegment();
      const apply = ({ key, remove }: { key: number; remove: boolean }) => {
        if (!remove) return put(index, key);
        index.visibleSequence++;
        index.delete(Uint8Array.of(1 + (key >> 4), 1 + (key & 15)));
      };
      for (const one of before) apply(one);
      const expected = contents(index);
      const walk = new KeydirWalk(index.keydir, index.dumps.open(index.visibleSequence, everything));
      const given: string[] = [];
      const visit = (bytes: Uint8Array, keyBytes: number, { sequence }: { sequence: number }) => {
        given.push(`${Buffer.from(bytes.subarray(0, keyBytes)).toString('hex')}@${sequence}`);
      };
      let more = true;
      for (const [count, changes] of between) {
        more = more && walk.step(count, visit);
        for (const one of changes) apply(one);
      }
      while (more) more = walk.step(7, visit);
      assert.deepEqual(given, expected);
    },
  );
  fc.assert(property, { seed, numRuns: process.env['SHANGHAI_DEEP'] === '1' ? 20_000 : 500 });
});

test('a walk that would need too much memory for what was overwritten is told so, and gives it back', () => {
  const index = indexWithSegment();
  const key = (n: number) => Buffer.alloc(4_000, `${n}`);
  const position = { ...emptyPosition(), fileId: 1, offset: 64, recordBytes: 30, sequence: 1 };
  for (let n = 10_000; n < 20_000; n++) index.put(key(n), position);
  index.visibleSequence = 1;
  const snapshot = index.dumps.open(1, everything);
  for (let n = 10_000; n < 20_000; n++) index.put(key(n), { ...position, sequence: n });
  expect(snapshot.tooOld).toBe(true);
  expect(index.dumps.keptBytes).toBe(0);
});
