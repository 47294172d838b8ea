import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type EngineName, parsePeers, peerNames } from './engine-name.js';
import { openEngine } from './open-engine.js';

const key = (number: number) => new Uint8Array(16).fill(number);
const value = (number: number) => new Uint8Array(100).fill(number);

test.each<EngineName>(['shanghai', 'classic-level', 'lmdb'])('%s keeps, reads and scans what was put', async (name) => {
  const directory = await mkdtemp(join(tmpdir(), 'shanghai-engine-'));
  try {
    const put = await openEngine(name, { directory: join(directory, 'store'), durable: true });
    await put.putBatch([1, 3, 5].map((number) => ({ key: key(number), value: value(number) })));
    await put.putDurable(key(2), value(2));
    await put.close();
    const store = await openEngine(name, { directory: join(directory, 'store'), durable: false });
    await store.compact();
    expect(Buffer.from(store.getSync(key(5)) ?? [])).toEqual(Buffer.from(value(5)));
    expect(store.getSync(key(4))).toBeUndefined();
    expect((await (store.get?.(key(2)) ?? Promise.resolve(value(2))))?.length).toBe(100);
    expect(await store.scan(3)).toBe(3);
    expect(await store.scan(10)).toBe(4);
    for (const scan of [store.scanPages, store.scanKeys]) if (scan) expect(await scan(10)).toBe(4);
    await store.close();
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('peers are named in a list, all together, or not at all', () => {
  expect(parsePeers('all')).toEqual(peerNames);
  expect(parsePeers('none')).toEqual([]);
  expect(parsePeers('lmdb, rocksdb')).toEqual(['lmdb', 'rocksdb']);
  expect(() => parsePeers('level')).toThrow(/'level' is no peer; there are: all, none, classic-level/);
});
