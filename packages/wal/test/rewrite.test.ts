import { createFaultDisk, type FaultDisk } from '@shanghai/env/testing';
import { describe, expect, test } from 'vitest';
import { dumpWal, repairWal, salvageWal, verifyWal, type Wal, type WalEntry } from '../src/index.js';
import { openMemoryWal } from '../src/testing/index.js';
import { openOn } from './support/open-on.js';
import { recordPayload } from './support/record-payload.js';

const settle = () => new Promise((resolve) => setImmediate(resolve));

async function lsnsOf(entries: AsyncIterable<WalEntry>): Promise<number[]> {
  const list: number[] = [];
  for await (const { lsn } of entries) list.push(lsn);
  return list;
}

/** 40 records over many segments: LSN 1 to 3 of stream 7, which nobody writes to any more, then stream 1. */
async function logWithStraggler(disk: FaultDisk): Promise<Wal> {
  const wal = await openOn(disk);
  for (let lsn = 1; lsn <= 40; lsn++) {
    await wal.append(recordPayload(lsn, 1500), { stream: lsn <= 3 ? 7 : 1 });
  }
  return wal;
}

describe('a stream that is rewritten', () => {
  test('has the new records in the place of all earlier ones, for every kind of reader', async () => {
    const wal = await openMemoryWal();
    for (const text of ['a', 'b', 'c']) await wal.append(Buffer.from(text), { stream: 7 });
    await wal.append(Buffer.from('other'), { stream: 1 });
    const waiting = wal.append(Buffer.from('on its way'), { stream: 7 });
    const first = await wal.rewriteStream(7, [{ payload: Buffer.from('B'), kind: 9 }, { payload: Buffer.from('C') }]);
    expect([await waiting, first]).toEqual([5, 6]);
    await wal.append(Buffer.from('D'), { stream: 7 });
    expect(await lsnsOf(wal.entries({ stream: 7 }))).toEqual([6, 7, 8]);
    expect(await lsnsOf(wal.entries())).toEqual([4, 6, 7, 8]);
    expect(await lsnsOf(wal.entries({ stream: 7, from: 2 }))).toEqual([6, 7, 8]);
    await expect(wal.read(2)).rejects.toMatchObject({ code: 'LSN_TRIMMED' });
    expect(await wal.read(6)).toMatchObject({ kind: 9, stream: 7, replaces: true });
    expect((await wal.read(8))?.replaces).toBeUndefined();
    await wal.close();
  });

  test('with no records is empty, also after reopening, and goes on with what is appended', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await openOn(disk);
    await wal.append(recordPayload(1, 10), { stream: 7 });
    expect(await wal.rewriteStream(7, [])).toBe(2);
    expect(await lsnsOf(wal.entries())).toEqual([]);
    await expect(wal.read(2)).rejects.toMatchObject({ code: 'LSN_TRIMMED' });
    await wal.append(recordPayload(3, 10), { stream: 7 });
    await wal.close();
    const again = await openOn(disk);
    expect(await lsnsOf(again.entries({ stream: 7 }))).toEqual([3]);
    await again.close();
  });

  test('lets the segments go that it kept, only after a sync, and stays as it is after reopening', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await logWithStraggler(disk);
    wal.release(1, 40);
    await settle();
    expect(wal.pins()[0]).toMatchObject({ heldBy: 'stream', streams: [{ stream: 7 }] });
    await wal.rewriteStream(7, [{ payload: recordPayload(41, 1500) }]);
    await settle();
    expect(wal.info().firstLsn).toBeGreaterThan(3);
    await wal.append(recordPayload(42, 10), { stream: 7 });
    await wal.close();
    const again = await openOn(disk.restart('all'));
    expect(await lsnsOf(again.entries({ stream: 7 }))).toEqual([41, 42]);
    await again.close();
  });

  test('and is not synced yet frees nothing, in a mode that does not sync', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await openOn(disk, { durability: 'never' });
    for (let lsn = 1; lsn <= 10; lsn++) await wal.append(recordPayload(lsn, 1500), { stream: 7 });
    await wal.rewriteStream(7, [{ payload: recordPayload(11, 10) }]);
    await settle();
    const { firstLsn, durableLsn } = wal.info();
    expect(firstLsn).toBe(1);
    expect(durableLsn).toBeLessThan(11);
    expect(await lsnsOf(wal.entries({ stream: 7 }))).toEqual([11]);
    await wal.flush();
    await settle();
    expect(wal.info().firstLsn).toBeGreaterThan(1);
    await wal.close();
  });

  test('is followed by a tail: it sees the new records, marked, though it fell behind what is kept', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await logWithStraggler(disk);
    const tail = wal.tail({ stream: 7 })[Symbol.asyncIterator]();
    expect((await tail.next()).value?.lsn).toBe(1);
    wal.release(1, 40);
    await wal.rewriteStream(7, [{ payload: recordPayload(41, 5) }, { payload: recordPayload(42, 5) }]);
    await settle();
    expect(wal.info().firstLsn).toBeGreaterThan(3);
    expect((await tail.next()).value).toMatchObject({ lsn: 41, replaces: true });
    expect((await tail.next()).value).toMatchObject({ lsn: 42, replaces: true });
    await tail.return?.();
    await wal.close();
  });

  test('in a full disk stays as it was', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await logWithStraggler(disk);
    disk.inject({ operation: 'write', path: /\.wal$|\.tmp$/, effect: { kind: 'error', code: 'ENOSPC' } });
    await expect(wal.rewriteStream(7, [{ payload: recordPayload(41, 5) }])).rejects.toMatchObject({
      code: 'DISK_FULL',
    });
    expect(await lsnsOf(wal.entries({ stream: 7 }))).toEqual([1, 2, 3]);
    expect(await wal.rewriteStream(7, [{ payload: recordPayload(41, 5) }])).toBe(41);
    expect(await lsnsOf(wal.entries({ stream: 7 }))).toEqual([41]);
    await wal.close();
  });

  test('needs a stream number, records of the right kind, and an open log', async () => {
    const wal = await openMemoryWal();
    await expect(wal.rewriteStream(-1, [])).rejects.toThrow(RangeError);
    await expect(wal.rewriteStream(1, [{ payload: Buffer.of(), kind: 256 }])).rejects.toThrow(RangeError);
    await wal.close();
    await expect(wal.rewriteStream(1, [])).rejects.toMatchObject({ code: 'WAL_CLOSED' });
  });
});

test('an empty active segment of a log without the feature is replaced, and nothing is lost', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const wal = await openOn(disk);
  expect(await wal.rewriteStream(3, [{ payload: recordPayload(1, 20) }])).toBe(1);
  expect(wal.info().segments).toBe(1);
  await wal.append(recordPayload(2, 20), { stream: 3 });
  await wal.close();
  const again = await openOn(disk.restart('none'));
  expect(await lsnsOf(again.entries())).toEqual([1, 2]);
  await again.close();
  expect(disk.openFiles).toBe(0);
});

describe('the report of stragglers', () => {
  test('names who keeps old segments, and recommends a rewrite that is cheap', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await logWithStraggler(disk);
    expect(wal.stragglers()).toMatchObject({ recommended: [], freedBytes: 0 });
    wal.release(1, 38);
    await settle();
    const report = wal.stragglers();
    expect(report.streams[0]).toMatchObject({ stream: 7, bytes: 3 * 1512 });
    expect(report.recommended).toEqual([7]);
    expect(report.rewriteBytes).toBe(3 * 1512);
    expect(report.freedBytes).toBeGreaterThan(4 * report.rewriteBytes);
    await wal.rewriteStream(7, [{ payload: recordPayload(41, 1500) }]);
    await settle();
    expect(wal.stragglers().recommended).toEqual([]);
    expect(wal.info().firstLsn).toBeGreaterThan(20);
    await wal.close();
  });

  test('says the same after reopening, from footers', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await logWithStraggler(disk);
    wal.release(1, 38);
    await settle();
    const before = wal.stragglers();
    await wal.close();
    const again = await openOn(disk);
    again.release(1, 38);
    await settle();
    expect(again.stragglers()).toEqual(before);
    expect(again.stragglers({ maxStreamBytes: 1000 }).recommended).toEqual([]);
    expect(() => again.stragglers({ maxShare: 0 })).toThrow(RangeError);
    await again.close();
  });
});

describe('the offline tools, over a log with replaced streams', () => {
  async function written(): Promise<FaultDisk> {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await openOn(disk);
    await wal.append(recordPayload(1, 10), { stream: 9 });
    for (let lsn = 2; lsn <= 4; lsn++) await wal.append(recordPayload(lsn, 1500), { stream: 1 });
    await wal.rewriteStream(1, [{ payload: recordPayload(5, 900) }]);
    await wal.append(recordPayload(6, 900), { stream: 2 });
    await wal.rewriteStream(2, []);
    for (let lsn = 8; lsn <= 12; lsn++) await wal.append(recordPayload(lsn, 1500), { stream: 1 });
    await wal.close();
    return disk;
  }

  test('dump says which frames replace which stream', async () => {
    const frames: unknown[] = [];
    for await (const item of dumpWal(await written(), '/log')) {
      if (item.kind === 'frame' && item.replaces !== undefined) frames.push([item.firstLsn, item.replaces]);
    }
    expect(frames).toEqual([
      [5, { stream: 1, emptied: false }],
      [7, { stream: 2, emptied: true }],
    ]);
  });

  test('salvage keeps what was replaced replaced', async () => {
    const disk = await written();
    await salvageWal(disk, '/log', '/saved');
    expect(await verifyWal(disk, '/saved')).toMatchObject({ ok: true, lastLsn: 12 });
    const wal = await openOn(disk, { directory: '/saved' });
    expect(await lsnsOf(wal.entries())).toEqual([1, 5, 8, 9, 10, 11, 12]);
    await wal.close();
  });

  test('a repair that cuts a frame which replaced a stream leaves the stream as it was before', async () => {
    const disk = await written();
    const places: { segment: string; offset: number }[] = [];
    for await (const item of dumpWal(disk, '/log')) if (item.kind === 'frame' && item.firstLsn === 5) places.push(item);
    const { segment, offset } = places[0] as { segment: string; offset: number };
    disk.corrupt(`/log/${segment}`, offset + 60, 1);
    await repairWal(disk, '/log', { mode: 'truncate-tail' });
    const wal = await openOn(disk);
    expect(await lsnsOf(wal.entries({ stream: 1 }))).toEqual([2, 3, 4]);
    await wal.close();
  });
});
