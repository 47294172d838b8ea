import { createFaultDisk, createManualClock } from '@shanghai/env/testing';
import { describe, expect, test } from 'vitest';
import type { Wal, WalOptions } from '../src/index.js';
import { openOn } from './support/open-on.js';
import { recordPayload } from './support/record-payload.js';

const settle = () => new Promise((resolve) => setImmediate(resolve));
const recordBytes = 3000;

async function fill(wal: Wal, records: number, stream = 0): Promise<void> {
  for (let i = 0; i < records; i++) {
    await wal.append(recordPayload(wal.info().lastLsn + 1, recordBytes), { stream });
  }
  await settle();
}

function open(options: Partial<WalOptions>, clock = createManualClock()) {
  return openOn(createFaultDisk({ seed: 1, clock }), { segmentBytes: 65_536, ...options }, clock);
}

describe('a plain log', () => {
  test('keeps retainBytes in the segments behind the oldest, and no segment more', async () => {
    const wal = await open({ retention: 'limits', retainBytes: 100_000 });
    await fill(wal, 200);
    const used = wal.pins().map(({ firstLsn, lastLsn }) => (lastLsn - firstLsn + 1) * recordBytes);
    const behindOldest = used.slice(1).reduce((sum, bytes) => sum + bytes, 0);
    expect(wal.info().firstLsn).toBeGreaterThan(100);
    expect(behindOldest).toBeLessThan(110_000);
    expect(behindOldest + (used[0] as number)).toBeGreaterThanOrEqual(100_000);
    expect(wal.pins()[0]?.heldBy).toBe('limit');
    await wal.close();
  });

  test('lets go by age while it is idle, and keeps the active segment', async () => {
    const clock = createManualClock(1_000_000);
    const wal = await open({ retention: 'limits', retainMs: 60_000 }, clock);
    await fill(wal, 30);
    await clock.advance(30_000);
    await fill(wal, 30);
    await clock.advance(40_000);
    await settle();
    expect(wal.info().firstLsn).toBeGreaterThan(10);
    expect(wal.info().firstLsn).toBeLessThanOrEqual(31);
    await clock.advance(60_000);
    await settle();
    expect(wal.pins().map(({ heldBy }) => heldBy)).toEqual(['active']);
    await wal.close();
  });

  test('comes to its limit at opening, too', async () => {
    const clock = createManualClock(1_000_000);
    const disk = createFaultDisk({ seed: 1, clock });
    const options = { retention: 'limits', retainMs: 60_000 } as const;
    const wal = await openOn(disk, options, clock);
    await fill(wal, 60);
    await wal.close();
    await clock.advance(100_000);
    const again = await openOn(disk, options, clock);
    await settle();
    await settle();
    expect(again.info().segments).toBe(1);
    await again.close();
  });

  test('needs a limit', async () => {
    await expect(open({ retention: 'limits' })).rejects.toThrow(TypeError);
    await expect(open({ retainBytes: -1 })).rejects.toThrow(RangeError);
  });
});

describe('a log of streams', () => {
  test('never lets go of what a stream needs, whatever the limits say', async () => {
    const clock = createManualClock(1_000_000);
    const wal = await open({ retainBytes: 0, retainMs: 0 }, clock);
    await fill(wal, 60);
    await clock.advance(1_000_000);
    expect(await wal.trim(50)).toBe(1);
    expect(wal.pins()[0]).toMatchObject({ heldBy: 'stream', streams: [{ stream: 0 }] });
    await wal.close();
  });

  test('keeps what was released for late readers until a limit is exceeded, or it is trimmed', async () => {
    const wal = await open({ retainBytes: 100_000 });
    await fill(wal, 200);
    wal.release(0, 200);
    await settle();
    const { firstLsn } = wal.info();
    expect(firstLsn).toBeGreaterThan(100);
    expect(firstLsn).toBeLessThan(170);
    const pins = wal.pins();
    expect(pins[0]).toMatchObject({ heldBy: 'limit', streams: [] });
    expect(pins.at(-1)?.heldBy).toBe('active');
    const second = pins[1]?.firstLsn as number;
    expect(await wal.trim(second)).toBe(second);
    expect(await wal.trim(1000)).toBe(pins.at(-1)?.firstLsn);
    await wal.close();
  });
});

test('trim wants an LSN and an open log', async () => {
  const wal = await open({});
  await expect(wal.trim(-1)).rejects.toThrow(RangeError);
  await wal.close();
  await expect(wal.trim(1)).rejects.toMatchObject({ code: 'WAL_CLOSED' });
});
