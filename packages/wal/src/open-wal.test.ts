import { type Clock, createSeededRandom, nodeClock } from '@shanghai/env';
import { createFaultDisk, createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { openWal } from './open-wal.js';
import type { Wal, WalEntry } from './wal.js';

const text = (payload: Uint8Array) => Buffer.from(payload).toString();
const bytes = (value: string) => Buffer.from(value);

async function all(entries: AsyncIterable<WalEntry>): Promise<string[]> {
  const list: string[] = [];
  for await (const entry of entries) list.push(`${entry.lsn}:${text(entry.payload)}`);
  return list;
}

function options(disk = createFaultDisk({ seed: 1 })) {
  return {
    directory: '/log',
    disk,
    clock: createManualClock(),
    random: createSeededRandom(7),
    segmentBytes: 65_536,
    firstSegmentBytes: 8192,
  };
}

test('records are numbered from 1 and read back after reopening', async () => {
  const chosen = options();
  const wal: Wal = await openWal(chosen);
  expect(await Promise.all([wal.append(bytes('a')), wal.append(bytes('b'))])).toEqual([1, 2]);
  expect(await wal.appendBatch([{ payload: bytes('c') }, { payload: bytes('d'), stream: 3, kind: 9 }])).toBe(3);
  expect(text((await wal.read(2))?.payload ?? bytes('?'))).toBe('b');
  expect(await wal.read(5)).toBeUndefined();
  expect(await all(wal.entries())).toEqual(['1:a', '2:b', '3:c', '4:d']);
  await wal.close();
  const again = await openWal(chosen);
  expect(again.info()).toMatchObject({ firstLsn: 1, lastLsn: 4, durableLsn: 4, tornTail: undefined });
  expect(await again.append(bytes('e'))).toBe(5);
  expect(await all(again.entries({ from: 4 }))).toEqual(['4:d', '5:e']);
  expect(await all(again.entries({ stream: 3 }))).toEqual(['4:d']);
  await again.close();
  expect(chosen.disk.openFiles).toBe(0);
});

test('a log that outgrows its segments keeps every record across them', async () => {
  const chosen = options();
  const wal = await openWal(chosen);
  for (let i = 1; i <= 300; i++) await wal.append(Buffer.alloc(1000, i % 251));
  expect(wal.info().segments).toBeGreaterThan(4);
  await wal.close();
  const again = await openWal(chosen);
  let lsn = 0;
  for await (const entry of again.entries()) {
    lsn++;
    expect(entry.lsn).toBe(lsn);
    expect(entry.payload[999]).toBe(lsn % 251);
  }
  expect(lsn).toBe(300);
  await again.close();
});

test('opening syncs the directory and the last segment before it decides anything by what it reads', async () => {
  const chosen = options();
  const wal = await openWal(chosen);
  await wal.append(bytes('a'));
  await wal.close();
  const disk = chosen.disk.restart('all');
  await (await openWal({ ...chosen, disk })).close();
  const steps = disk.trace.filter((line) => line.includes('.wal') || /syncDirectory \/log$/.test(line));
  expect(steps[0]).toMatch(/syncDirectory/);
  expect(steps[1]).toMatch(/sync .*\.wal/);
});

test('a process with nothing else to do waits for an append that lingers', async () => {
  const node = nodeClock();
  const awaited: number[] = [];
  const clock: Clock = {
    nowMs: () => node.nowMs(),
    monotonicMs: () => node.monotonicMs(),
    setTimer: (delayMs, callback, timer) => {
      if (timer?.keepsProcess === true) awaited.push(delayMs);
      return node.setTimer(delayMs, callback, timer);
    },
    soon: (callback) => node.soon(callback),
  };
  const wal = await openWal({ ...options(), clock, lingerMs: 3 });
  expect(await wal.append(bytes('alone'))).toBe(1);
  expect(awaited).toEqual([3]);
  await wal.close();
});
