import assert from 'node:assert/strict';
import { createFaultDisk, type FaultDisk } from '@shanghai/env/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareKeys } from './core/compare-keys.js';
import { checkKeydir } from './core/keydir/check-keydir.js';
import { PackedTree } from './core/keydir/packed-tree.js';
import type { Keydir, KeydirPosition } from './core/keydir.js';
import type { CoveredSegment } from './core/keydir-snapshot-codec.js';
import type { Manifest } from './core/manifest-codec.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import { readKeydirSnapshot } from './keydir-snapshot-reader.js';
import { KeydirSnapshotWriter } from './keydir-snapshot-writer.js';

const seed = 20_261_122;
const directory = '/store';
const segment: CoveredSegment = {
  fileId: 3,
  segmentId: 77,
  bytes: 4_096,
  liveBytes: 100,
  tombstoneBytes: 20,
  minSequence: 5,
  maxSequence: 900,
};
const manifest: Manifest = {
  storeId: 12_345,
  generation: 4,
  nextFileId: 9,
  sequenceFloor: 0,
  entries: [{ fileId: 3, segmentId: 77, merged: false, tombstonesNeeded: false, sealedBytes: 4_096 }],
};

/** One in five does not fit into the sixteen bytes of a leaf. */
function positionOf(n: number): KeydirPosition {
  if (n % 5 === 0) return { fileId: 3, offset: n, recordBytes: 2 ** 24 + n, sequence: 2 ** 50 + n, expires: true };
  return { fileId: 3, offset: n, recordBytes: 1 + n, sequence: n + 1, expires: n % 3 === 0 };
}

async function newDisk(): Promise<FaultDisk> {
  const disk = createFaultDisk({ seed: 1 });
  await disk.makeDirectory(directory);
  return disk;
}

async function write(disk: FaultDisk, keys: readonly Uint8Array[], snapshotId = 99): Promise<void> {
  const header = { storeId: 12_345, snapshotId, pageBytes: 4_096, visibleSequence: 900 };
  const writer = await KeydirSnapshotWriter.create(disk, directory, header, [segment]);
  const packed = new PackedTree(writer);
  for (const [n, key] of keys.entries()) {
    packed.add(key, key.length, positionOf(n));
    if (n % 50 === 0) await writer.flush();
  }
  const keysByFirstByte = new Float64Array(256).map((_, i) => i * 3);
  await writer.finish({ root: packed.finish(), keys: packed.size, keysByFirstByte });
}

async function load(disk: FaultDisk): Promise<Keydir> {
  const reading = await readKeydirSnapshot(disk, directory, manifest);
  assert.equal(reading.kind, 'loaded', JSON.stringify(reading));
  assert.ok(reading.kind === 'loaded');
  assert.deepEqual(reading.value.segments.get(3), segment);
  assert.equal(reading.value.keysByFirstByte[7], 21);
  assert.equal(reading.value.visibleSequence, 900);
  return reading.value.keydir;
}

const keyBytes = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 20 }) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(200, 511, 513, 3_000), fc.uint8Array({ maxLength: 4 })).map(long) },
);

function long([length, tail]: readonly [number, Uint8Array]): Uint8Array {
  return Buffer.concat([new Uint8Array(length).fill(0x61), tail]);
}

test('a key directory read from its file is sound and goes on like the one that was written', async () => {
  const property = fc.asyncProperty(
    fc.uniqueArray(keyBytes, { maxLength: 400, size: 'max', selector: (key) => Buffer.from(key).toString('hex') }),
    fc.array(fc.tuple(keyBytes, fc.nat()), { maxLength: 100 }),
    async (unsorted, changes) => {
      const keys = unsorted.toSorted(compareKeys);
      const disk = await newDisk();
      await write(disk, keys);
      const keydir = await load(disk);
      assert.equal(checkKeydir(keydir).keys, keys.length);
      const model = new Map(keys.map((key, n) => [Buffer.from(key).toString('hex'), positionOf(n)]));
      const out = emptyPosition();
      for (const [key, n] of changes) {
        if (n % 3 > 0) keydir.set(key, positionOf(n % 1_000));
        else keydir.delete(key);
        if (n % 3 > 0) model.set(Buffer.from(key).toString('hex'), positionOf(n % 1_000));
        else model.delete(Buffer.from(key).toString('hex'));
      }
      assert.equal(checkKeydir(keydir).keys, model.size);
      for (const [key, position] of model) {
        assert.ok(keydir.get(Buffer.from(key, 'hex'), out));
        assert.deepEqual(out, position);
      }
    },
  );
  await fc.assert(property, { seed, numRuns: process.env['SHANGHAI_DEEP'] === '1' ? 2_000 : 60 });
});

test('many pages go through several blocks and chunks', async () => {
  const disk = await newDisk();
  const keys = Array.from({ length: 60_000 }, (_, n) => Buffer.from(String(n).padStart(16, '0')));
  await write(disk, keys);
  const census = checkKeydir(await load(disk));
  expect(census.keys).toBe(60_000);
  expect(census.leafPages).toBeGreaterThan(256);
});

test('no changed byte and no cut of the file is loaded', async () => {
  const disk = await newDisk();
  const keys = Array.from({ length: 30 }, (_, n) => Buffer.from(`${n + 10}`.repeat(n === 7 ? 300 : 3)));
  await write(disk, keys.toSorted(compareKeys));
  const path = `${directory}/KEYDIR`;
  const whole = disk.contents(path);
  const outcomes = new Set<string>();
  for (let at = 0; at < whole.length; at++) {
    for (const changed of [whole.slice(0, at), flipped(whole, at)]) {
      disk.setContents(path, changed);
      const reading = await readKeydirSnapshot(disk, directory, manifest);
      assert.notEqual(reading.kind, 'loaded', `byte ${at} of ${whole.length}`);
      outcomes.add(reading.kind);
    }
  }
  disk.setContents(path, Buffer.concat([whole, Buffer.of(0)]));
  expect((await readKeydirSnapshot(disk, directory, manifest)).kind).toBe('damaged');
  expect(outcomes).toContain('damaged');
});

test('a block of another snapshot in the place of one is damage', async () => {
  const disk = await newDisk();
  const path = `${directory}/KEYDIR`;
  const keys = Array.from({ length: 20 }, (_, n) => Buffer.from(`key-${n + 10}`));
  await write(disk, keys, 1);
  const first = disk.contents(path);
  await write(disk, keys.slice(0, 19), 2);
  const mixed = disk.contents(path);
  // Header, the block of segments, then the pages.
  mixed.set(first.subarray(64 + 16 + 56, 64 + 16 + 56 + 16 + 4_096), 64 + 16 + 56);
  disk.setContents(path, mixed);
  expect((await readKeydirSnapshot(disk, directory, manifest)).kind).toBe('damaged');
});

test('what belongs to another state, another store or a newer program is stale, not damage', async () => {
  const disk = await newDisk();
  await write(disk, [Buffer.from('a')]);
  const entry = manifest.entries[0];
  assert.ok(entry !== undefined);
  const others: Manifest[] = [
    { ...manifest, storeId: 1 },
    { ...manifest, entries: [] },
    { ...manifest, entries: [{ ...entry, segmentId: 78 }] },
    { ...manifest, entries: [{ ...entry, sealedBytes: 0 }] },
    { ...manifest, entries: [{ ...entry, sealedBytes: 4_097 }] },
  ];
  for (const other of others) expect((await readKeydirSnapshot(disk, directory, other)).kind).toBe('stale');
  const newer: Manifest = { ...manifest, entries: [entry, { ...entry, fileId: 8, segmentId: 5, sealedBytes: 0 }] };
  expect((await readKeydirSnapshot(disk, directory, newer)).kind).toBe('loaded');
  disk.inject({ operation: 'read', path: /KEYDIR$/, effect: { kind: 'error', code: 'EIO' } });
  expect((await readKeydirSnapshot(disk, directory, manifest)).kind).toBe('damaged');
});

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const changed = bytes.slice();
  changed[at] = (changed[at] as number) ^ 0x10;
  return changed;
}
