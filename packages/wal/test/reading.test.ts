import { createFaultDisk, createManualClock, type FaultDisk } from '@shanghai/env/testing';
import { describe, expect, test } from 'vitest';
import type { Wal } from '../src/index.js';
import { openMemoryWal, walContract } from '../src/testing/index.js';
import { openOn } from './support/open-on.js';
import { recordPayload } from './support/record-payload.js';

describe('the contract of a log holds', () => {
  for (const durability of ['always', 'never'] as const) {
    for (const { name, run } of walContract) {
      if (durability === 'never' && name.startsWith('numbers')) continue;
      test(`in memory, mode ${durability}: ${name}`, async () => {
        const opened: Wal[] = [];
        await run(async () => {
          const wal = await openMemoryWal({ durability });
          opened.push(wal);
          return wal;
        });
        for (const wal of opened) await wal.close();
      });
    }
  }
});

/** Counts the reads that reach the disk. */
function countReads(disk: FaultDisk): () => number {
  let count = 0;
  const open = disk.open.bind(disk);
  disk.open = async (path, mode) => {
    const file = await open(path, mode);
    const read = file.read.bind(file);
    file.read = (buffer, position) => {
      count++;
      return read(buffer, position);
    };
    return file;
  };
  return () => count;
}

describe('a tail', () => {
  test('that nobody reads from costs no reads, however much is appended', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const reads = countReads(disk);
    const wal = await openOn(disk, { segmentBytes: 1_048_576 });
    await wal.append(recordPayload(1, 10));
    const iterator = wal.tail()[Symbol.asyncIterator]();
    expect((await iterator.next()).value?.lsn).toBe(1);
    const before = reads();
    for (let lsn = 2; lsn <= 500; lsn++) await wal.append(recordPayload(lsn, 2000));
    expect(reads()).toBe(before);
    for (let lsn = 2; lsn <= 500; lsn++) expect((await iterator.next()).value?.lsn).toBe(lsn);
    await iterator.return?.();
    await wal.close();
  });

  test('follows across segments, sees no frame before its sync, and ends when the log closes', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await openOn(disk);
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { lsn } of wal.tail()) {
        expect(lsn).toBeLessThanOrEqual(wal.info().durableLsn);
        seen.push(lsn);
      }
    })();
    for (let lsn = 1; lsn <= 60; lsn++) await wal.append(recordPayload(lsn, 1500));
    while (seen.length < 60) await new Promise((resolve) => setImmediate(resolve));
    await wal.close();
    await reading;
    expect(seen).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
  });

  test('that waits ends at once when its signal aborts', async () => {
    const wal = await openMemoryWal();
    const abort = new AbortController();
    const next = wal.tail({ signal: abort.signal })[Symbol.asyncIterator]().next();
    abort.abort();
    expect(await next).toEqual({ done: true, value: undefined });
    await wal.close();
  });

  test('of one stream gives its records only', async () => {
    const wal = await openMemoryWal();
    const abort = new AbortController();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { lsn } of wal.tail({ stream: 2, signal: abort.signal })) {
        seen.push(lsn);
        if (seen.length === 10) abort.abort();
      }
    })();
    for (let lsn = 1; lsn <= 30; lsn++) await wal.append(recordPayload(lsn, 700), { stream: lsn % 3 });
    await reading;
    expect(seen).toEqual([2, 5, 8, 11, 14, 17, 20, 23, 26, 29]);
    await wal.close();
  });
});

describe('release', () => {
  async function threeStreams(disk: FaultDisk): Promise<Wal> {
    const wal = await openOn(disk);
    for (let lsn = 1; lsn <= 40; lsn++) {
      await wal.append(recordPayload(lsn, 1500), { stream: lsn <= 3 ? 7 : 1 });
    }
    return wal;
  }
  const settle = () => new Promise((resolve) => setImmediate(resolve));

  test('lets go of a segment when no stream needs it, and says what pins it until then', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await threeStreams(disk);
    wal.release(1, 40);
    await settle();
    expect(wal.info().firstLsn).toBe(1);
    expect(wal.pins()[0]?.streams).toEqual([{ stream: 7, highestLsn: 2, released: 0 }]);
    wal.release(7, 2);
    await settle();
    expect(wal.info().firstLsn).toBe(3);
    wal.release(7, 3);
    await settle();
    expect(wal.info().firstLsn).toBeGreaterThan(3);
    await expect(wal.read(1)).rejects.toMatchObject({
      code: 'LSN_TRIMMED',
      details: { firstLsn: wal.info().firstLsn },
    });
    await wal.close();
  });

  test('never takes the last segment, so LSNs go on after reopening', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await threeStreams(disk);
    wal.release(1, 1000);
    wal.release(7, 1000);
    await settle();
    expect(wal.info().segments).toBe(1);
    await wal.close();
    const again = await openOn(disk);
    expect(await again.append(recordPayload(41, 1))).toBe(41);
    await again.close();
  });

  test('uses released files again, and their stale frames never come back', async () => {
    const disk = createFaultDisk({ seed: 1 });
    let recycled = 0;
    const listener = { segmentOpened: (event: { recycled: boolean }) => void (event.recycled && recycled++) };
    const wal = await openOn(disk, { listener });
    for (let lsn = 1; lsn <= 200; lsn++) {
      await wal.append(recordPayload(lsn, 1500));
      wal.release(0, Math.max(0, lsn - 5));
    }
    expect(recycled).toBeGreaterThan(2);
    const { firstLsn } = wal.info();
    await wal.close();
    const again = await openOn(disk.restart('all'));
    let lsn = firstLsn;
    for await (const entry of again.entries()) expect(entry.lsn).toBe(lsn++);
    expect(lsn).toBe(201);
    await again.close();
  });

  test('stale bytes behind the end of a recycled segment do not pass for a torn tail', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await openOn(disk);
    for (let lsn = 1; lsn <= 160; lsn++) {
      await wal.append(recordPayload(lsn, 1500));
      wal.release(0, lsn - 1);
    }
    await wal.append(recordPayload(161, 10));
    const again = await openOn(disk.restart('all'));
    expect(again.info()).toMatchObject({ lastLsn: 161, tornTail: undefined });
    await again.close();
  });

  test('a reader that falls behind gets LSN_TRIMMED, never a silent gap', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await openOn(disk);
    for (let lsn = 1; lsn <= 200; lsn++) await wal.append(recordPayload(lsn, 1500));
    const iterator = wal.entries()[Symbol.asyncIterator]();
    expect((await iterator.next()).value?.lsn).toBe(1);
    wal.release(0, 180);
    await settle();
    let last = 1;
    const reading = (async () => {
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
        expect(next.value.lsn).toBe(last + 1);
        last = next.value.lsn;
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: 'LSN_TRIMMED' });
    await wal.close();
  });
});

test('lsnAtTime finds the first frame at or after a moment, and wall time never falls', async () => {
  const clock = createManualClock(1000);
  const disk = createFaultDisk({ seed: 1, clock });
  const wal = await openOn(disk, {}, clock);
  for (let lsn = 1; lsn <= 40; lsn++) {
    clock.setWall(lsn === 20 ? 5 : 1000 + lsn * 10);
    await wal.append(recordPayload(lsn, 1500));
  }
  expect(await wal.lsnAtTime(0)).toBe(1);
  expect(await wal.lsnAtTime(1100)).toBe(10);
  expect(await wal.lsnAtTime(1101)).toBe(11);
  expect((await wal.read(20))?.wallTimeMs).toBe(1190);
  expect(await wal.lsnAtTime(9_999_999)).toBe(41);
  await wal.close();
});

test('a segment is sealed at its age, but never an empty one', async () => {
  const clock = createManualClock();
  const disk = createFaultDisk({ seed: 1, clock });
  const wal = await openOn(disk, { segmentAgeMs: 1000 }, clock);
  await clock.advance(5000);
  expect(wal.info().segments).toBe(1);
  await wal.append(recordPayload(1, 10));
  await clock.advance(2500);
  expect(wal.info().segments).toBe(2);
  await clock.advance(10_000);
  expect(wal.info().segments).toBe(2);
  await wal.close();
});

test('mode interval syncs at the interval, and an idle log states its durable end once', async () => {
  const clock = createManualClock();
  const disk = createFaultDisk({ seed: 1, clock });
  const wal = await openOn(disk, { durability: 'interval', syncIntervalMs: 50 }, clock);
  await wal.append(recordPayload(1, 10));
  expect(wal.info().durableLsn).toBe(0);
  await clock.advance(60);
  expect(wal.info()).toMatchObject({ durableLsn: 1, syncs: 1 });
  await clock.advance(100);
  const { syncs } = wal.info();
  expect(syncs).toBe(2);
  await clock.advance(10_000);
  expect(wal.info().syncs).toBe(syncs);
  await wal.close();
});

test('in mode interval a sync that stalls holds up no append, and covers what was written before it began', async () => {
  const clock = createManualClock();
  const disk = createFaultDisk({ seed: 1, clock });
  const wal = await openOn(disk, { durability: 'interval', syncIntervalMs: 50, segmentsAhead: 0 }, clock);
  // The first frame of its kind takes a segment of its own, which would wait for the sync.
  await wal.rewriteStream(9, [{ payload: recordPayload(1, 10) }]);
  let letGo: () => void = () => undefined;
  const release = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  disk.inject({ operation: 'sync', effect: { kind: 'stall', release } });
  await clock.advance(60);
  for (let lsn = 2; lsn <= 5; lsn++) await wal.append(recordPayload(lsn, 10), { stream: 3 });
  await wal.rewriteStream(3, [{ payload: recordPayload(6, 10) }]);
  expect(wal.info()).toMatchObject({ lastLsn: 6, durableLsn: 0, syncs: 0 });
  const flushed = wal.flush();
  letGo();
  await flushed;
  expect(wal.info()).toMatchObject({ lastLsn: 6, durableLsn: 6, syncs: 2 });
  await wal.close();
});

test('in mode interval a sync that fails beside appends poisons the log', async () => {
  const clock = createManualClock();
  const disk = createFaultDisk({ seed: 1, clock });
  const wal = await openOn(disk, { durability: 'interval', syncIntervalMs: 50, segmentsAhead: 0 }, clock);
  await wal.append(recordPayload(1, 10));
  disk.inject({ operation: 'sync', effect: { kind: 'error', code: 'EIO' } });
  await clock.advance(60);
  expect(wal.info().state).toBe('poisoned');
  const { steps } = disk;
  await expect(wal.append(recordPayload(2, 10))).rejects.toMatchObject({ code: 'WAL_POISONED' });
  await expect(wal.close()).resolves.toBeUndefined();
  expect(disk.steps).toBe(steps);
});

test('a record longer than a segment gets one of its own', async () => {
  const wal = await openMemoryWal();
  await wal.append(recordPayload(1, 100));
  await wal.append(recordPayload(2, 500_000));
  await wal.append(recordPayload(3, 100));
  expect(wal.info().segments).toBe(3);
  expect((await wal.read(2))?.payload.length).toBe(500_000);
  expect((await wal.read(3))?.payload.length).toBe(100);
  await expect(wal.append(new Uint8Array(17_000_000))).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' });
  await wal.close();
});

test('reads all over many segments keep a bounded number of files open', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const wal = await openOn(disk);
  for (let lsn = 1; lsn <= 120; lsn++) await wal.append(recordPayload(lsn, 20_000));
  expect(wal.info().segments).toBeGreaterThan(30);
  let most = 0;
  for (let i = 0; i < 240; i++) {
    const lsn = ((i * 53) % 120) + 1;
    expect(Buffer.compare((await wal.read(lsn))?.payload ?? Buffer.of(), recordPayload(lsn, 20_000))).toBe(0);
    most = Math.max(most, disk.openFiles);
  }
  expect(most).toBeLessThanOrEqual(20);
  await wal.close();
  expect(disk.openFiles).toBe(0);
});

test('reading record after record, or one of them again, goes to the disk once a window', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const wal = await openOn(disk, { segmentBytes: 1_048_576, firstSegmentBytes: 1_048_576 });
  const bytes = (lsn: number) => 100 + (lsn % 50);
  for (let lsn = 1; lsn <= 500; lsn++) await wal.append(recordPayload(lsn, bytes(lsn)));
  const reads = countReads(disk);
  const check = async (lsn: number) =>
    expect(Buffer.compare((await wal.read(lsn))?.payload ?? Buffer.of(), recordPayload(lsn, bytes(lsn)))).toBe(0);
  for (let lsn = 1; lsn <= 300; lsn++) await check(lsn);
  for (const lsn of [300, 300, 12, 299, 1]) await check(lsn);
  expect(reads()).toBeLessThanOrEqual(8);
  await Promise.all([7, 450, 3, 450, 9].map(check));
  await wal.append(recordPayload(501, bytes(501)));
  for (const lsn of [500, 501, 499]) await check(lsn);
  await wal.close();
  await expect(wal.read(499)).rejects.toMatchObject({ code: 'WAL_CLOSED' });
});

test('lsnAtTime reads a few frames of a long segment, and passes over damage', async () => {
  const clock = createManualClock(0);
  const disk = createFaultDisk({ seed: 1, clock });
  const wal = await openOn(disk, { segmentBytes: 8_388_608, firstSegmentBytes: 8_388_608, segmentsAhead: 0 }, clock);
  for (let lsn = 1; lsn <= 1000; lsn++) {
    clock.setWall(lsn * 10);
    await wal.append(recordPayload(lsn, 5000));
  }
  const reads = countReads(disk);
  for (const lsn of [1, 2, 400, 731, 1000]) {
    expect(await wal.lsnAtTime(lsn * 10)).toBe(lsn);
    expect(await wal.lsnAtTime(lsn * 10 - 5)).toBe(lsn);
  }
  expect(reads()).toBeLessThan(10 * 10);
  await wal.close();
});
