/**
 * A real file system that runs full. `npm run deep disks` mounts one and names it in SHANGHAI_SMALL_DISK; any directory
 * does whose file system may be filled to the brim.
 */
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openWal, type Wal, WalError } from '../src/index.js';
import { recordPayload } from './support/record-payload.js';

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

async function checkAll(wal: Wal, bytesOf: (lsn: number) => number): Promise<void> {
  let lsn = wal.info().firstLsn;
  for await (const entry of wal.entries()) {
    expect(entry.lsn).toBe(lsn);
    expect(Buffer.compare(entry.payload, recordPayload(lsn, bytesOf(lsn))), `record ${lsn}`).toBe(0);
    lsn++;
  }
  expect(lsn).toBe(wal.info().lastLsn + 1);
}

test.skipIf(volume === undefined).each([0, 1])(
  'a log on a full disk refuses appends, reads on, goes on with room, and opens while full (%i segments ahead)',
  async (segmentsAhead) => {
    const parent = join(volume as string, `wal-${segmentsAhead}`);
    const filler = join(parent, 'filler');
    await mkdir(parent);
    const directory = join(parent, 'log');
    const options = { directory, segmentBytes: 262_144, firstSegmentBytes: 65_536, segmentsAhead };
    const sizes: number[] = [];
    let wal = await openWal(options);
    /** One after the other: the next LSN is known only when the last append was answered. */
    const append = async (): Promise<boolean> => {
      const lsn = sizes.length + 1;
      const bytes = 100 + ((lsn * 977) % 20_000);
      try {
        expect(await wal.append(recordPayload(lsn, bytes))).toBe(lsn);
        sizes.push(bytes);
        return true;
      } catch (error) {
        if (!(error instanceof WalError && error.code === 'DISK_FULL')) throw error;
        return false;
      }
    };
    try {
      for (let round = 0; round < 3; round++) {
        await fill(filler, 1_000_000);
        for (let refused = 0; refused < 30; ) if (!(await append())) refused++;
        await checkAll(wal, (lsn) => sizes[lsn - 1] as number);
        if (round === 1) {
          await wal.close();
          wal = await openWal(options);
          expect(wal.info()).toMatchObject({ lastLsn: sizes.length, tornTail: undefined });
        }
        await rm(filler);
        for (let i = 0; i < 20; i++) expect(await append()).toBe(true);
        await checkAll(wal, (lsn) => sizes[lsn - 1] as number);
      }
      await wal.close();
      wal = await openWal(options);
      expect(wal.info().lastLsn).toBe(sizes.length);
      await checkAll(wal, (lsn) => sizes[lsn - 1] as number);
      await wal.close();
    } finally {
      await rm(parent, { recursive: true, force: true });
    }
  },
);
