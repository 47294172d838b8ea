import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk, type FaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { dumpWal, type WalFrameItem } from '../src/index.js';
import { openMemoryWal } from '../src/testing/index.js';
import { openOn } from './support/open-on.js';
import { recordPayload } from './support/record-payload.js';

async function framesOf(disk: FaultDisk): Promise<WalFrameItem[]> {
  const frames: WalFrameItem[] = [];
  for await (const item of dumpWal(disk, '/log'))
    if (item.kind === 'frame' && item.records.length > 0) frames.push(item);
  return frames;
}

test('frames from 8 KiB on are compressed where it saves a tenth; others are stored as they are', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const wal = await openOn(disk, { compression: 'lz4', segmentBytes: 1_048_576 });
  const random = createSeededRandom(9);
  const payloads = [
    recordPayload(1, 4000),
    recordPayload(2, 20_000),
    random.bytes(20_000),
    recordPayload(4, 300_000),
    random.bytes(300_000),
  ];
  for (const payload of payloads) await wal.append(payload);
  const { compression, bytes } = wal.info();
  expect(compression).toMatchObject({ compressedFrames: 2, skippedFrames: 2 });
  expect(compression.rawBytes).toBeGreaterThan(640_000);
  expect(compression.storedBytes).toBeLessThan(330_000);
  expect(bytes).toBeGreaterThan(0);
  for (const [index, payload] of payloads.entries()) {
    expect(Buffer.compare((await wal.read(index + 1))?.payload ?? Buffer.of(), payload), `record ${index + 1}`).toBe(0);
  }
  await wal.close();
  expect((await framesOf(disk)).map(({ compressed }) => compressed)).toEqual([false, true, false, true, false]);
});

test('independent appends are compressed together, and read back one by one', async () => {
  const wal = await openMemoryWal({ compression: 'lz4' });
  const bytes = (lsn: number) => 50 + (lsn % 100);
  await Promise.all(Array.from({ length: 2000 }, (_, i) => wal.append(recordPayload(i + 1, bytes(i + 1)))));
  expect(wal.info().compression.compressedFrames).toBeGreaterThan(3);
  for (const lsn of [1, 2, 999, 2000, 500]) {
    expect(Buffer.compare((await wal.read(lsn))?.payload ?? Buffer.of(), recordPayload(lsn, bytes(lsn)))).toBe(0);
  }
  let expected = 1;
  for await (const { lsn, payload } of wal.entries()) {
    expect(lsn).toBe(expected++);
    expect(payload.length).toBe(bytes(lsn));
  }
  expect(expected).toBe(2001);
  await wal.close();
});

test('a log may be opened with and without compression in turns', async () => {
  const disk = createFaultDisk({ seed: 1 });
  for (const [turn, compression] of (['none', 'lz4', 'none', 'lz4'] as const).entries()) {
    const wal = await openOn(disk, { compression, segmentBytes: 1_048_576 });
    expect(await wal.append(recordPayload(turn + 1, 20_000))).toBe(turn + 1);
    for (let lsn = 1; lsn <= turn + 1; lsn++) {
      expect(Buffer.compare((await wal.read(lsn))?.payload ?? Buffer.of(), recordPayload(lsn, 20_000))).toBe(0);
    }
    await wal.close();
  }
  expect((await framesOf(disk)).map(({ compressed }) => compressed)).toEqual([false, true, false, true]);
});

test('the payload of an entry is its own: it does not share memory with its neighbours', async () => {
  const wal = await openMemoryWal({ compression: 'lz4' });
  await wal.appendBatch([{ payload: recordPayload(1, 9000) }, { payload: recordPayload(2, 9000) }]);
  for await (const { payload } of wal.entries()) expect(payload.buffer.byteLength).toBe(9000);
  await wal.close();
});
