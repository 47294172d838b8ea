/**
 * The file of the key directory in the wrong place: from an earlier or a later state of the store, from another store, or
 * made by a writer of another mind. Opening gives what the segments hold, whatever the file says.
 */
import { crc32, createSeededRandom, type Random } from '@shanghai/env';
import { createFaultDisk, type FaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import type { Bitcask } from '../src/bitcask.js';
import {
  blockHeadBytes,
  blockSeed,
  decodeSnapshotHeader,
  readBlockHead,
  snapshotHeaderBytes,
} from '../src/core/keydir-snapshot-codec.js';
import { bytesOf, contentsOf, directory, openOn } from './history.js';

const rounds = process.env['SHANGHAI_DEEP'] === '1' ? 20_000 : 400;
const seed = Number(process.env['SHANGHAI_SEED'] || 20_261_121);
const path = `${directory}/KEYDIR`;
const options = { keydirSnapshot: { minKeys: 0, everyOperations: 0 } } as const;

type Files = ReadonlyMap<string, Uint8Array>;

interface State {
  readonly files: Files;
  readonly contents: ReadonlyMap<string, string>;
}

function filesOf(disk: FaultDisk): Files {
  return new Map(disk.files().map((name) => [name, disk.contents(name)]));
}

/** The states that a store has been in, each with the file of its own. */
async function states(mark: string, idSeed: number): Promise<State[]> {
  const disk = createFaultDisk({ seed: 1 });
  const list: State[] = [];
  const steps: ((store: Bitcask) => Promise<unknown>)[] = [
    async (store) => {
      for (let i = 0; i < 40; i++) await store.put(bytesOf(`k${i % 25}`), bytesOf(`${mark}${i}`.padEnd(300, mark)));
    },
    async (store) => {
      for (let i = 0; i < 20; i += 2) await store.delete(bytesOf(`k${i}`));
    },
    (store) => store.merge({ force: true }),
    async (store) => {
      for (let i = 0; i < 30; i++) await store.put(bytesOf(`k${i}`), bytesOf(`${mark}new${i}`.padEnd(200, mark)));
    },
    (store) => store.merge({ force: true }),
  ];
  for (const [i, step] of steps.entries()) {
    const store = await openOn(disk, { ...options, random: createSeededRandom(idSeed + i) });
    await step(store);
    const contents = await contentsOf(store);
    await store.close();
    list.push({ files: filesOf(disk), contents });
  }
  return list;
}

function diskOf(files: Files): FaultDisk {
  const disk = createFaultDisk({ seed: 9 });
  for (const [name, bytes] of files) disk.setContents(name, bytes);
  return disk;
}

/** What a store with these files holds, and from how many segments' worth the file served. */
async function open(files: Files): Promise<{ contents: Map<string, string>; fromFile: number }> {
  const store = await openOn(diskOf(files), options);
  const contents = await contentsOf(store);
  const fromFile = store.stats().opened.snapshotSegments;
  await store.close();
  return { contents, fromFile };
}

test('a file of any other state of the store gives no other contents', async () => {
  const list = await states('a', 1);
  let served = 0;
  for (const [i, state] of list.entries()) {
    for (const [j, other] of list.entries()) {
      const keydir = other.files.get(path);
      expect(keydir, `state ${j} kept its key directory`).toBeDefined();
      const { contents, fromFile } = await open(new Map(state.files).set(path, keydir as Uint8Array));
      expect(contents, `state ${i} with the file of state ${j}`).toEqual(state.contents);
      if (fromFile > 0 && i !== j) served++;
    }
  }
  // An earlier one whose segments are all there still serves: what came later is loaded on top of it.
  expect(served).toBeGreaterThan(0);
});

test('a file of another store, alone or with its segments’ shapes the same, is not used', async () => {
  const own = (await states('a', 1))[0] as State;
  const other = (await states('b', 77))[0] as State;
  expect([...other.files.keys()]).toEqual([...own.files.keys()]);
  const mixed = new Map(own.files).set(path, other.files.get(path) as Uint8Array);
  expect(await open(mixed)).toEqual({ contents: own.contents, fromFile: 0 });
});

test('a file that belongs to the segments but names another store is not used', async () => {
  const own = (await states('a', 1))[0] as State;
  const bytes = (own.files.get(path) as Uint8Array).slice();
  bytes[16] = (bytes[16] as number) ^ 1;
  new DataView(bytes.buffer).setUint32(60, crc32(bytes, 0, 0, 60), true);
  expect(await open(new Map(own.files).set(path, bytes))).toEqual({ contents: own.contents, fromFile: 0 });
});

function integer(random: Random, below: number): number {
  return Math.floor(random.float() * below);
}

/** Changes a block that holds no pages, or a block's head, and makes its checksum right. */
function forge(random: Random, whole: Uint8Array): Uint8Array {
  const bytes = whole.slice();
  const view = new DataView(bytes.buffer);
  const decoded = decodeSnapshotHeader(bytes);
  if (decoded.kind !== 'ok') throw new Error('no header');
  const blocks: number[] = [];
  for (let at = snapshotHeaderBytes; at < bytes.length; ) {
    blocks.push(at);
    at += blockHeadBytes + readBlockHead(bytes.subarray(at)).payloadBytes;
  }
  const number = integer(random, blocks.length);
  const at = blocks[number] as number;
  const isPages = view.getUint32(at, true) === 2;
  const field = isPages || random.float() < 0.3 ? integer(random, 3) * 4 : blockHeadBytes + integer(random, 60);
  const values = [0, 1, 5, 0x7fff_ffff, 0xffff_ffff, bytes.length, integer(random, 4_294_967_296)];
  view.setUint32(at + field, values[integer(random, values.length)] as number, true);
  const end = Math.min(bytes.length, at + blockHeadBytes + view.getUint32(at + 8, true));
  const head = crc32(bytes, blockSeed(decoded.value.snapshotId, number), at, at + 12);
  view.setUint32(at + 12, crc32(bytes, head, at + blockHeadBytes, end), true);
  return bytes;
}

test('a file whose lengths and counts are wrong, its checksums right, is refused or read within its bounds', async () => {
  const random = createSeededRandom(seed);
  const { files, contents } = (await states('a', 1))[0] as State;
  let refused = 0;
  for (let round = 0; round < rounds; round++) {
    const forged = forge(random, files.get(path) as Uint8Array);
    const store = await openOn(diskOf(new Map(files).set(path, forged)), options).catch((error: unknown) => {
      throw new Error(`round ${round} of seed ${seed}: ${error}`, { cause: error });
    });
    if (store.stats().opened.snapshotSegments === 0) {
      refused++;
      expect(await contentsOf(store)).toEqual(contents);
    }
    await store.close();
  }
  expect(refused).toBeGreaterThan(rounds / 3);
});
