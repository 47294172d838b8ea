import { createSeededRandom, ensureDirectory } from '@shanghai/env';
import { createFaultDisk, createManualClock, type FaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { openWal, thinSegment, verifyWal, type Wal } from '../src/index.js';

const directory = 'log';
const scratch = 'log/thin';

async function open(disk: FaultDisk, clock = createManualClock(1_000)): Promise<Wal> {
  return openWal({
    directory,
    durability: 'never',
    segmentsAhead: 0,
    segmentBytes: 65_536,
    firstSegmentBytes: 65_536,
    lock: false,
    disk,
    random: createSeededRandom(3),
    clock,
  });
}

const payloadOf = (lsn: number) => Buffer.from(`${lsn}`.padStart(500, '.'));

/** A log of 500 records, one a millisecond, in several segments. */
async function filled(disk: FaultDisk): Promise<readonly string[]> {
  const clock = createManualClock(1_000);
  const wal = await open(disk, clock);
  for (let lsn = 1; lsn <= 500; lsn++) {
    await wal.append(payloadOf(lsn), { stream: lsn % 2, kind: lsn % 3 });
    await clock.advance(1);
  }
  const names = wal.pins().map(({ segment }) => segment);
  await wal.close();
  return names;
}

async function thin(disk: FaultDisk, segment: string) {
  await ensureDirectory(disk, scratch);
  const random = createSeededRandom(9);
  const replace = ({ lsn, payload }: { readonly lsn: number; readonly payload: Uint8Array }) =>
    lsn % 10 === 0 ? payload : Buffer.from('x');
  return thinSegment({ disk, random, directory, segment, scratch, replace });
}

async function expectThinned(disk: FaultDisk, thinnedUpTo: number): Promise<void> {
  const wal = await open(disk);
  let lsn = 0;
  for await (const entry of wal.entries()) {
    lsn++;
    const isWhole = lsn > thinnedUpTo || lsn % 10 === 0;
    expect(entry).toMatchObject({ lsn, stream: lsn % 2, kind: lsn % 3 });
    expect(Buffer.from(entry.payload).toString()).toBe(isWhole ? payloadOf(lsn).toString() : 'x');
  }
  expect(lsn).toBe(500);
  for (const timeMs of [1_000, 1_007, 1_111, 1_400]) {
    const found = await wal.lsnAtTime(timeMs);
    // The record of that time is at or behind the place found, and not in another segment.
    expect(found).toBeLessThanOrEqual(timeMs - 999);
    expect(found).toBeGreaterThan(timeMs - 999 - 140);
  }
  expect(await wal.append(payloadOf(501))).toBe(501);
  await wal.close();
}

test('a thinned segment keeps LSNs, streams, kinds and times, is smaller, and takes the place of the old one', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const names = await filled(disk);
  expect(names.length).toBeGreaterThan(3);
  const thinned = await thin(disk, names[0] as string);
  expect(thinned?.bytesAfter).toBeLessThan((thinned?.bytesBefore ?? 0) / 4);
  await disk.rename(thinned?.path as string, `${directory}/${names[0]}`);
  const second = Number.parseInt(names[1] as string, 10);
  await expectThinned(disk, second - 1);
  expect((await verifyWal(disk, directory)).damage).toEqual([]);
});

test('a crash between writing and naming leaves the old segment or the new one, and what was left beside is no matter', async () => {
  const whole = createFaultDisk({ seed: 1 });
  const names = await filled(whole);
  const second = Number.parseInt(names[1] as string, 10);
  for (const isNamed of [false, true]) {
    const disk = createFaultDisk({ seed: 2 });
    await filled(disk);
    const thinned = await thin(disk, names[0] as string);
    if (isNamed) {
      await disk.rename(thinned?.path as string, `${directory}/${names[0]}`);
      await disk.syncDirectory(scratch);
      await disk.syncDirectory(directory);
    }
    await expectThinned(disk.restart('none'), isNamed ? second - 1 : 0);
  }
});
