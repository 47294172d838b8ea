import assert from 'node:assert/strict';
import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk, createManualClock, type FaultDisk } from '@shanghai/env/testing';
import { beforeAll, expect, test } from 'vitest';
import { BitcaskError } from '../src/bitcask-error.js';
import { bytesOf, directory, openOn, textOf } from './history.js';

/**
 * Every byte of every file, damaged or cut off: the store opens with nothing lost, or refuses, or fails the read of
 * exactly the damaged record. Nothing is ever missing in silence, and nothing is made up.
 */

const expected = new Map<string, string>();
let pristine: Map<string, Uint8Array>;

async function buildDisk(): Promise<FaultDisk> {
  const disk = createFaultDisk({ seed: 1 });
  const first = await openOn(disk);
  await first.put(bytesOf('apple'), bytesOf('red'));
  await first.batch([
    { type: 'put', key: bytesOf('banana'), value: bytesOf('yellow') },
    { type: 'put', key: bytesOf('cherry'), value: bytesOf('dark') },
  ]);
  await first.close();
  const second = await openOn(disk);
  await second.delete(bytesOf('apple'));
  await second.put(bytesOf('date'), bytesOf('brown'), { expiresAtMs: 9_000_000_000_000 });
  await second.close();
  const clock = createManualClock();
  const third = await openOn(disk, { clock, random: createSeededRandom(3) });
  await third.put(bytesOf('banana'), bytesOf('green'));
  await third.batch([
    { type: 'put', key: bytesOf('elder'), value: bytesOf('black') },
    { type: 'delete', key: bytesOf('cherry') },
  ]);
  await third.put(bytesOf('fig'), bytesOf('violet'));
  // The writer turns idle and tells so in the header; then the process dies.
  await clock.advance(1_000);
  for (const [key, value] of [
    ['banana', 'green'],
    ['date', 'brown'],
    ['elder', 'black'],
    ['fig', 'violet'],
  ] as const) {
    expected.set(key, value);
  }
  disk.crash();
  return disk.restart('all');
}

beforeAll(async () => {
  const disk = await buildDisk();
  pristine = new Map(disk.files().map((path) => [path, disk.contents(path)]));
});

function diskWith(path: string, bytes: Uint8Array): FaultDisk {
  const disk = createFaultDisk({ seed: 1 });
  for (const [name, contents] of pristine) disk.setContents(name, name === path ? bytes : contents);
  return disk;
}

/** What became of a damaged disk: `'refused'`, `'read failed'` or `'whole'`; anything else fails. */
async function outcomeOf(disk: FaultDisk, path: string): Promise<string> {
  let store: Awaited<ReturnType<typeof openOn>>;
  try {
    store = await openOn(disk);
  } catch (error) {
    assert.ok(error instanceof BitcaskError, `opening failed with ${String(error)}`);
    assert.ok(error.code === 'CORRUPT' || error.code === 'UNSUPPORTED_FORMAT', `opening failed with ${error.code}`);
    assert.equal(error.details['file'], path, 'another file is blamed');
    return 'refused';
  }
  let failed = 0;
  for (const [key, value] of expected) {
    try {
      const read = await store.get(bytesOf(key));
      assert.equal(read === undefined ? 'nothing' : textOf(read), value, `reading '${key}'`);
    } catch (error) {
      assert.ok(error instanceof BitcaskError && error.code === 'CORRUPT', String(error));
      assert.equal(error.details['file'], path, 'another file is blamed');
      failed++;
    }
  }
  assert.equal(store.size, expected.size);
  assert.ok(failed <= 1, `${failed} reads failed for one damaged byte`);
  const verified = await store.verify();
  assert.ok(failed === 0 || verified.problems.length > 0, 'verify did not find what a read found');
  await store.close();
  return failed > 0 ? 'read failed' : 'whole';
}

async function everyByte(change: (bytes: Uint8Array, at: number) => Uint8Array): Promise<Map<string, Set<string>>> {
  const seen = new Map<string, Set<string>>();
  for (const [path, bytes] of pristine) {
    const outcomes = new Set<string>();
    seen.set(path.slice(directory.length + 1), outcomes);
    for (let at = 0; at < bytes.length; at++) {
      try {
        outcomes.add(await outcomeOf(diskWith(path, change(bytes, at)), path));
      } catch (error) {
        throw new Error(`byte ${at} of ${path}: ${(error as Error).message}`, { cause: error });
      }
    }
  }
  return seen;
}

test('any flipped bit is met as damage or harms nothing', async () => {
  for (const mask of [0x01, 0x80]) {
    const seen = await everyByte((bytes, at) => {
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] as number) ^ mask;
      return flipped;
    });
    expect(seen.get('MANIFEST')).toEqual(new Set(['refused']));
    expect(seen.get('0000000001.hint')).toEqual(new Set(['whole']));
    expect(seen.get('0000000002.data')).toEqual(new Set(['refused', 'read failed', 'whole']));
    expect(seen.get('0000000003.data')).toEqual(new Set(['refused', 'whole']));
  }
});

test('a file cut off anywhere is refused, a hint cut off is written anew', async () => {
  const seen = await everyByte((bytes, at) => bytes.slice(0, at));
  for (const [name, outcomes] of seen) {
    expect([name, ...outcomes]).toEqual([name, name.endsWith('.hint') ? 'whole' : 'refused']);
  }
});

test('damage before the last sync is told from a torn tail by the marks behind it, without a witness', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const store = await openOn(disk);
  for (const key of ['a', 'b', 'c']) await store.put(bytesOf(key), bytesOf('0'.repeat(20)));
  disk.crash();
  const path = `${directory}/0000000001.data`;
  const whole = disk.restart('all').contents(path);
  // Header, then a; mark, b; mark, c: what follows the last mark may be a torn tail, nothing before it may.
  const lastMark = whole.length - (20 + 1 + 20) - 28;
  const outcomes: string[] = [];
  for (let at = 64; at < whole.length; at++) {
    const damaged = disk.restart('all');
    damaged.corrupt(path, at, 0x04);
    const opening = openOn(damaged);
    const outcome = await opening.then(
      async (opened) => {
        const { size } = opened;
        await opened.close();
        return `${size} keys`;
      },
      (error: BitcaskError) => error.code,
    );
    outcomes.push(`${at < lastMark ? 'before' : 'behind'}: ${outcome}`);
  }
  expect(new Set(outcomes)).toEqual(new Set(['before: CORRUPT', 'behind: 2 keys']));
});

test('a file that is gone is refused, a hint that is gone is written anew', async () => {
  for (const path of pristine.keys()) {
    const disk = createFaultDisk({ seed: 1 });
    for (const [name, contents] of pristine) if (name !== path) disk.setContents(name, contents);
    expect([path, await outcomeOf(disk, path)]).toEqual([path, path.endsWith('.hint') ? 'whole' : 'refused']);
  }
});

test('bytes appended to a sealed segment are refused, to the one being written they are a torn tail', async () => {
  for (const [path, bytes] of pristine) {
    if (!path.endsWith('.data')) continue;
    const longer = new Uint8Array(bytes.length + 40).fill(0xee);
    longer.set(bytes);
    const torn: number[] = [];
    const disk = diskWith(path, longer);
    const isLast = path.endsWith('3.data');
    if (!isLast) {
      expect(await outcomeOf(disk, path)).toBe('refused');
      continue;
    }
    const store = await openOn(disk, { listener: { tornTail: (event) => torn.push(event.bytes) } });
    expect(torn).toEqual([40]);
    expect(store.size).toBe(expected.size);
    expect(disk.files().some((name) => name.includes('.torn-'))).toBe(true);
    await store.close();
  }
});

test('a segment of another store in the place of one is refused', async () => {
  const other = createFaultDisk({ seed: 2 });
  const store = await openOn(other, { random: createSeededRandom(99) });
  await store.put(bytesOf('apple'), bytesOf('red'));
  await store.close();
  const path = `${directory}/0000000001.data`;
  expect(await outcomeOf(diskWith(path, other.contents(path)), path)).toBe('refused');
});

test('a manifest older than the files is refused, and nothing is removed', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const first = await openOn(disk);
  await first.put(bytesOf('a'), bytesOf('1'));
  await first.close();
  const old = disk.contents(`${directory}/MANIFEST`);
  const second = await openOn(disk);
  await second.put(bytesOf('b'), bytesOf('2'));
  await second.close();
  const files = disk.files();
  disk.setContents(`${directory}/MANIFEST`, old);
  await expect(openOn(disk)).rejects.toMatchObject({ code: 'CORRUPT' });
  expect(disk.files()).toEqual(files);
});
