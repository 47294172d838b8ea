import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createSeededRandom } from '@shanghai/env';
import { createManualClock, createMemoryDisk, type MemoryDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { openWal, verifyWal, type WalOptions } from '../src/index.js';

const root = new URL('../testdata/formats/', import.meta.url);

function openSample(disk: MemoryDisk, clock: ReturnType<typeof createManualClock>, options: Partial<WalOptions> = {}) {
  return openWal({
    ...{ directory: '/log', disk, clock, random: createSeededRandom(11), segmentBytes: 65_536, lock: false },
    ...{ firstSegmentBytes: 8192, segmentsAhead: 0 },
    ...options,
  });
}

/** The log that was kept of every version: two streams, a batch, a sealed segment, an orderly end. */
async function writePlainSample(): Promise<MemoryDisk> {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_700_000_000_000);
  const wal = await openSample(disk, clock);
  await wal.append(Buffer.from('first'));
  await wal.appendBatch([
    { payload: Buffer.from('two'), stream: 7, kind: 1 },
    { payload: Buffer.alloc(0), stream: 8 },
  ]);
  await wal.append(Buffer.alloc(5000, 'x'), { stream: 7, kind: 255 });
  await clock.advance(1000);
  await wal.append(Buffer.from('fifth'));
  await wal.close();
  return disk;
}

/** A log with what version 1.1 added: a compressed frame, a stream replaced in a segment that is sealed, and one emptied. */
async function writeFeaturesSample(): Promise<MemoryDisk> {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_700_000_000_000);
  const wal = await openSample(disk, clock, { compression: 'lz4' });
  await wal.append(Buffer.from('old'), { stream: 7 });
  await wal.append(Buffer.alloc(20_000, 'text '), { stream: 8 });
  await wal.rewriteStream(7, [{ payload: Buffer.from('new'), kind: 2 }, { payload: Buffer.from('newer') }]);
  await wal.append(Buffer.from(createSeededRandom(3).bytes(9000)), { stream: 9 });
  await wal.append(Buffer.from('gone'), { stream: 10 });
  await wal.rewriteStream(10, []);
  await wal.append(Buffer.from('last'), { stream: 7 });
  await wal.close();
  return disk;
}

function keep(disk: MemoryDisk, version: string): void {
  const directory = new URL(`${version}/`, root);
  mkdirSync(directory, { recursive: true });
  for (const name of disk.files()) writeFileSync(new URL(name.slice('/log/'.length), directory), disk.contents(name));
}

async function keptLog(version: string): Promise<MemoryDisk> {
  const disk = createMemoryDisk();
  await disk.makeDirectory('/log');
  const directory = new URL(`${version}/`, root);
  for (const name of readdirSync(directory)) disk.setContents(`/log/${name}`, readFileSync(new URL(name, directory)));
  return disk;
}

async function contents(disk: MemoryDisk): Promise<unknown[]> {
  const wal = await openWal({ directory: '/log', disk, clock: createManualClock() });
  const entries: unknown[] = [];
  for await (const { lsn, stream, kind, wallTimeMs, payload } of wal.entries()) {
    entries.push([lsn, stream, kind, wallTimeMs, Buffer.from(payload).toString('latin1').slice(0, 6)]);
  }
  const next = wal.info().lastLsn + 1;
  expect(await wal.append(Buffer.from('next'))).toBe(next);
  await wal.close();
  return entries;
}

test('version 1.1 is written today byte for byte as the kept files have it', async () => {
  const disk = await writePlainSample();
  if (process.env['SHANGHAI_REGENERATE'] === '1') {
    keep(disk, 'v1.1');
    keep(await writeFeaturesSample(), 'v1.1-features');
  }
  const kept = await keptLog('v1.1');
  expect(disk.files()).toEqual(kept.files());
  for (const name of kept.files()) expect(Buffer.compare(disk.contents(name), kept.contents(name)), name).toBe(0);
});

test.each(['v1', 'v1.1'])('a plain log of version %s is read', async (version) => {
  const disk = await keptLog(version);
  expect(await verifyWal(disk, '/log')).toMatchObject({ ok: true, records: 5, lastLsn: 5 });
  expect(await contents(disk)).toEqual([
    [1, 0, 0, 1_700_000_000_000, 'first'],
    [2, 7, 1, 1_700_000_000_000, 'two'],
    [3, 8, 0, 1_700_000_000_000, ''],
    [4, 7, 255, 1_700_000_000_000, 'xxxxxx'],
    [5, 0, 0, 1_700_000_001_000, 'fifth'],
  ]);
});

test('a log with compressed frames and replaced streams is read', async () => {
  const disk = await keptLog('v1.1-features');
  expect(await verifyWal(disk, '/log')).toMatchObject({ ok: true, records: 8, lastLsn: 8 });
  const found = await contents(disk);
  expect(found.map((entry) => (entry as unknown[]).slice(0, 3))).toEqual([
    [2, 8, 0],
    [3, 7, 2],
    [4, 7, 0],
    [5, 9, 0],
    [8, 7, 0],
  ]);
  expect(found.map((entry) => (entry as unknown[])[4]).filter((_, i) => i !== 3)).toEqual([
    'text t',
    'new',
    'newer',
    'last',
  ]);
});

test('a segment with a feature nobody knows is refused, and so is a frame', async () => {
  for (const [offset, what] of [
    [12, 'header'],
    [4096 + 32, 'frame'],
  ] as const) {
    const disk = await keptLog('v1.1');
    const name = disk.files().at(-1) as string;
    await setBit(disk, name, offset, what);
    const error: unknown = await openSample(disk, createManualClock()).catch((reason: unknown) => reason);
    expect(error, what).toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
  }
});

/** Sets bit 7 of a byte that holds flags, and makes the checksum right again. */
async function setBit(disk: MemoryDisk, name: string, offset: number, what: 'header' | 'frame'): Promise<void> {
  const { crc32 } = await import('@shanghai/env');
  const bytes = Uint8Array.from(disk.contents(name));
  const view = new DataView(bytes.buffer);
  bytes[offset] = 128;
  if (what === 'header') view.setUint32(4092, crc32(bytes, 0, 0, 4092), true);
  else {
    const place = new Uint8Array(4);
    new DataView(place.buffer).setUint32(0, 4096, true);
    const seed = crc32(place, crc32(bytes.subarray(16, 24)));
    view.setUint32(4096, crc32(bytes, seed, 4100, 4096 + view.getUint32(4100, true)), true);
  }
  disk.setContents(name, bytes);
}
