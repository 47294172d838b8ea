/** What is written and not synced yet: nobody reads it in mode `always`, and no sync that began before it covers it. */
import { createFaultDisk, createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { openOn } from './support/open-on.js';
import { recordPayload } from './support/record-payload.js';

test('in mode always a record is read after its sync, not before', async () => {
  const clock = createManualClock();
  const disk = createFaultDisk({ seed: 1, clock });
  const wal = await openOn(disk, { segmentsAhead: 0 }, clock);
  await wal.append(recordPayload(1, 10));
  disk.inject({ operation: 'sync', effect: { kind: 'delay', delayMs: 50 } });
  const appended = wal.append(recordPayload(2, 10));
  await clock.advance(10);
  expect(await wal.read(2)).toBeUndefined();
  const seen: number[] = [];
  for await (const { lsn } of wal.entries()) seen.push(lsn);
  expect([seen, wal.info().durableLsn]).toEqual([[1], 1]);
  await clock.advance(100);
  expect(await appended).toBe(2);
  expect((await wal.read(2))?.lsn).toBe(2);
  await wal.close();
});

test('in mode interval a sync covers what was written before it began, not what came meanwhile', async () => {
  const clock = createManualClock();
  const disk = createFaultDisk({ seed: 1, clock });
  const options = { durability: 'interval', syncIntervalMs: 50, segmentsAhead: 0, lock: false } as const;
  const wal = await openOn(disk, options, clock);
  await wal.append(recordPayload(1, 1_000));
  disk.inject({ operation: 'sync', effect: { kind: 'delay', delayMs: 30 } });
  await clock.advance(55);
  const second = wal.append(recordPayload(2, 1_000));
  await clock.advance(1);
  expect(await second).toBe(2);
  await clock.advance(30);
  expect(wal.info()).toMatchObject({ lastLsn: 2, durableLsn: 1 });
  // The next frame states what is synced: a crash that takes the second away must not find that it was.
  await wal.append(recordPayload(3, 1_000));
  const ends = new Set<number>();
  for (const draw of Array.from({ length: 40 }, (_, i) => i)) {
    const left = await openOn(disk.afterCrash('random', draw), { lock: false });
    ends.add(left.info().lastLsn);
    await left.close();
  }
  expect(ends).toEqual(new Set([1, 2, 3]));
  await wal.close();
});
