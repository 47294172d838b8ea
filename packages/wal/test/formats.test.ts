import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createSeededRandom } from '@shanghai/env';
import { createManualClock, createMemoryDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { openWal, verifyWal } from '../src/index.js';

const directory = new URL('../testdata/formats/v1/', import.meta.url);

/** The log that was kept: two streams, a batch, a sealed segment, an orderly end. */
async function writeSample() {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_700_000_000_000);
  const options = { directory: '/log', disk, clock, random: createSeededRandom(11), segmentBytes: 65_536, lock: false };
  const wal = await openWal({ ...options, firstSegmentBytes: 8192, segmentsAhead: 0 });
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

const names = ['00000000000000000001.wal', '00000000000000000004.wal'];

test('version 1 is written today byte for byte as the kept files have it', async () => {
  const disk = await writeSample();
  expect(disk.files().map((name) => name.slice('/log/'.length))).toEqual(names);
  if (process.env['SHANGHAI_REGENERATE'] === '1') {
    mkdirSync(directory, { recursive: true });
    for (const name of names) writeFileSync(new URL(name, directory), disk.contents(`/log/${name}`));
  }
  for (const name of names) {
    expect(Buffer.compare(disk.contents(`/log/${name}`), readFileSync(new URL(name, directory))), name).toBe(0);
  }
});

test('every kept version is read', async () => {
  const root = new URL('../testdata/formats/', import.meta.url);
  for (const version of readdirSync(root)) {
    const disk = createMemoryDisk();
    await disk.makeDirectory('/log');
    for (const name of names) {
      const file = new URL(`${version}/${name}`, root);
      expect(existsSync(file)).toBe(true);
      disk.setContents(`/log/${name}`, readFileSync(file));
    }
    expect(await verifyWal(disk, '/log')).toMatchObject({ ok: true, records: 5, lastLsn: 5 });
    const wal = await openWal({ directory: '/log', disk, clock: createManualClock() });
    const entries: unknown[] = [];
    for await (const { lsn, stream, kind, wallTimeMs, payload } of wal.entries()) {
      entries.push([lsn, stream, kind, wallTimeMs, Buffer.from(payload).toString().slice(0, 6)]);
    }
    expect(entries).toEqual([
      [1, 0, 0, 1_700_000_000_000, 'first'],
      [2, 7, 1, 1_700_000_000_000, 'two'],
      [3, 8, 0, 1_700_000_000_000, ''],
      [4, 7, 255, 1_700_000_000_000, 'xxxxxx'],
      [5, 0, 0, 1_700_000_001_000, 'fifth'],
    ]);
    expect(await wal.append(Buffer.from('sixth'))).toBe(6);
    await wal.close();
  }
});
