/**
 * A real file system that runs full. `npm run deep disks` mounts one and names it in SHANGHAI_SMALL_DISK; any directory
 * does whose file system may be filled to the brim.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BitcaskError } from '../src/bitcask-error.js';
import { openBitcask } from '../src/open-bitcask.js';
import { bytesOf } from './history.js';

const volume = process.env['SHANGHAI_SMALL_DISK'];

/** Takes all space but `spareBytes`. */
async function fill(path: string, spareBytes: number): Promise<void> {
  const file = await open(path, 'w');
  const slice = Buffer.alloc(65_536, 1);
  let bytes = 0;
  try {
    for (;;) bytes += (await file.write(slice)).bytesWritten;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
  await file.truncate(Math.max(0, bytes - spareBytes));
  await file.sync();
  await file.close();
}

test.skipIf(volume === undefined).each(['always', 'never'] as const)(
  'a store on a full disk refuses writes, answers reads, goes on with room, and opens while full (%s)',
  async (durability) => {
    const parent = join(volume as string, `bitcask-${durability}`);
    const filler = join(parent, 'filler');
    const directory = join(parent, 'store');
    await mkdir(parent);
    const options = { directory, durability, segmentBytes: 262_144, merge: { bytesPerSecond: 0 } } as const;
    const acknowledged = new Map<string, Buffer>();
    const refused = new Set<string>();
    let store = await openBitcask(options);
    const write = async (n: number) => {
      const value = randomBytes(500 + (n % 7) * 3_000);
      try {
        await store.put(bytesOf(`k${n}`), value);
        acknowledged.set(`k${n}`, value);
      } catch (error) {
        if (!(error instanceof BitcaskError && error.code === 'DISK_FULL')) throw error;
        refused.add(`k${n}`);
      }
    };
    const check = async () => {
      for (const [key, value] of acknowledged) {
        const read = await store.get(bytesOf(key));
        expect(read !== undefined && Buffer.compare(read, value) === 0, key).toBe(true);
      }
      for (const key of refused) expect(store.has(bytesOf(key)), key).toBe(false);
    };
    try {
      let n = 0;
      for (let round = 0; round < 3; round++) {
        await fill(filler, 1_000_000);
        const before = refused.size;
        while (refused.size < before + 60) {
          await Promise.all(Array.from({ length: 4 }, () => write(n++)));
        }
        await check();
        await store.merge({ force: true }).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'DISK_FULL' });
        });
        await check();
        if (round === 1) {
          await store.close();
          store = await openBitcask(options);
          await check();
        }
        await rm(filler);
        const known = acknowledged.size;
        for (let i = 0; i < 20; i++) await write(n++);
        expect(acknowledged.size).toBe(known + 20);
        expect((await store.verify()).problems).toEqual([]);
      }
      await store.close();
      store = await openBitcask(options);
      await check();
      await store.close();
    } finally {
      await rm(parent, { recursive: true, force: true });
    }
  },
);
