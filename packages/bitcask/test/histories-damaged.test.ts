/**
 * Any history, then damage to any files: what basho's tests of this kind of store did while it was closed (hints cut and
 * corrupted, locks left behind), and to segments and manifest, too. The store opens with everything, or is refused, or
 * fails the reads of what is damaged; what it does answer is right. And after any history the counts are the same,
 * however they were come by: kept along the way, read from the key directory's file, from hints, or from records.
 */
import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk, createManualClock, type FaultDisk } from '@shanghai/env/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Bitcask } from '../src/bitcask.js';
import { BitcaskError } from '../src/bitcask-error.js';
import type { BitcaskOptions } from '../src/bitcask-options.js';
import { openBitcask } from '../src/open-bitcask.js';
import { bytesOf, contentsOf, directory, textOf } from './history.js';

const runs = process.env['SHANGHAI_DEEP'] === '1' ? 3_000 : 150;
const seed = Number(process.env['SHANGHAI_SEED'] || 20_261_121);

interface Step {
  readonly kind: 'put' | 'delete' | 'batch' | 'merge' | 'reopen';
  readonly key: number;
  readonly bytes: number;
}

interface Damage {
  readonly file: number;
  readonly kind: 'flip' | 'cut' | 'zero' | 'remove' | 'append';
  /** Where, as a share of the file. */
  readonly at: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('put', 'put', 'put', 'put', 'delete', 'batch', 'merge', 'reopen'),
  key: fc.integer({ min: 0, max: 9 }),
  bytes: fc.integer({ min: 0, max: 900 }),
});
const damage: fc.Arbitrary<Damage> = fc.record({
  file: fc.integer({ min: 0, max: 1_000 }),
  kind: fc.constantFrom('flip', 'flip', 'cut', 'zero', 'remove', 'append'),
  at: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
});

let opened = 0;

function open(disk: FaultDisk, more: Partial<BitcaskOptions> = {}): Promise<Bitcask> {
  return openBitcask({
    directory,
    disk,
    clock: createManualClock(),
    random: createSeededRandom(++opened),
    segmentBytes: 4_096,
    merge: { bytesPerSecond: 0, enabled: false },
    keydirSnapshot: { minKeys: 0, everyOperations: 0 },
    ...more,
  });
}

/** Lives through a history and closes; the contents, and what was counted. */
async function live(disk: FaultDisk, steps: readonly Step[]) {
  let store = await open(disk);
  let value = 0;
  const next = (bytes: number) => bytesOf(`${++value}.`.padEnd(bytes, 'v'));
  for (const { kind, key, bytes } of steps) {
    const name = bytesOf(`k${key}`);
    if (kind === 'put') await store.put(name, next(bytes));
    else if (kind === 'delete') await store.delete(name);
    else if (kind === 'merge') await store.merge({ force: key % 2 === 0 });
    else if (kind === 'batch') {
      await store.batch([
        { type: 'put', key: name, value: next(bytes) },
        { type: 'delete', key: bytesOf(`k${(key + 1) % 10}`) },
      ]);
    } else {
      await store.close();
      store = await open(disk);
    }
  }
  const contents = await contentsOf(store);
  await store.close();
  return contents;
}

function damaged(disk: FaultDisk, list: readonly Damage[]): FaultDisk {
  const files = new Map(disk.files().map((path) => [path, disk.contents(path)]));
  for (const { file, kind, at } of list) {
    const path = [...files.keys()][file % files.size];
    if (path === undefined) break;
    // A plain array of its own: appending makes buffers, whose slices are views.
    const bytes = Uint8Array.from(files.get(path) as Uint8Array);
    const offset = Math.floor(at * bytes.length);
    if (kind === 'remove') files.delete(path);
    else if (kind === 'cut') files.set(path, bytes.subarray(0, offset));
    else if (kind === 'append') files.set(path, Buffer.concat([bytes, new Uint8Array(1 + (file % 90)).fill(file)]));
    else {
      if (kind === 'flip' && bytes.length > 0) bytes[offset] = (bytes[offset] as number) ^ (1 << (file % 8));
      if (kind === 'zero') bytes.fill(0, offset, offset + 64);
      files.set(path, bytes);
    }
  }
  const copy = createFaultDisk({ seed: 2 });
  for (const [path, bytes] of files) copy.setContents(path, bytes);
  return copy;
}

/** Whether everything was read; throws where something is wrong or missing in silence. */
async function readAll(store: Bitcask, contents: ReadonlyMap<string, string>): Promise<boolean> {
  let isWhole = true;
  for (let number = 0; number < 10; number++) {
    const key = `k${number}`;
    try {
      const read = await store.get(bytesOf(key));
      expect(read === undefined ? undefined : textOf(read), key).toBe(contents.get(key));
    } catch (error) {
      if (!(error instanceof BitcaskError && error.code === 'CORRUPT')) throw error;
      isWhole = false;
    }
  }
  expect(store.size).toBe(contents.size);
  return isWhole;
}

test('after any history and any damage to its files nothing wrong is answered, and nothing is missing in silence', async () => {
  const seen = { whole: 0, refused: 0, partly: 0 };
  const steps = fc.array(step, { minLength: 1, maxLength: 40 });
  const property = fc.asyncProperty(steps, fc.array(damage, { minLength: 1, maxLength: 3 }), async (list, damages) => {
    const disk = createFaultDisk({ seed: 1 });
    const contents = await live(disk, list);
    // A store that lost every file is a new one: nothing tells it from that.
    const left = damaged(disk, damages);
    if (left.files().every((path) => !path.endsWith('.data') && !path.endsWith('MANIFEST'))) return;
    const store = await open(left).catch((error: unknown) => {
      if (error instanceof BitcaskError && (error.code === 'CORRUPT' || error.code === 'UNSUPPORTED_FORMAT')) return;
      throw error;
    });
    if (store === undefined) {
      seen.refused++;
      return;
    }
    const isWhole = await readAll(store, contents);
    seen[isWhole ? 'whole' : 'partly']++;
    if (!isWhole) expect((await store.verify()).problems).not.toEqual([]);
    await store.close();
  });
  await fc.assert(property, { numRuns: runs, seed });
  expect(Math.min(seen.whole, seen.refused, seen.partly), JSON.stringify(seen)).toBeGreaterThan(0);
});

test('counts are the same however they were come by, and every sealed segment has its hint', async () => {
  const property = fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (list) => {
    const disk = createFaultDisk({ seed: 1 });
    const contents = await live(disk, list);
    const ways: Record<string, RegExp> = { 'its own file': /$^/, hints: /KEYDIR$/, records: /KEYDIR$|\.hint$/ };
    const counts: unknown[] = [];
    for (const [way, without] of Object.entries(ways)) {
      const copy = createFaultDisk({ seed: 2 });
      for (const path of disk.files()) if (!without.test(path)) copy.setContents(path, disk.contents(path));
      const store = await open(copy, { readOnly: true });
      expect(await contentsOf(store), way).toEqual(contents);
      const { keys, liveBytes, deadBytes, lastSequence, keysByFirstByte } = store.stats();
      counts.push({ keys, liveBytes, deadBytes, lastSequence, keysByFirstByte });
      await store.close();
    }
    expect(counts[1]).toEqual(counts[0]);
    expect(counts[2]).toEqual(counts[0]);
    const data = disk.files().filter((path) => path.endsWith('.data'));
    for (const path of data) expect(disk.files(), path).toContain(path.replace('.data', '.hint'));
  });
  await fc.assert(property, { numRuns: runs, seed });
});
