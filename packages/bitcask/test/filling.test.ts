import assert from 'node:assert/strict';
import { createFaultDisk, createManualClock, enumerateCrashes, type FaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { assertPrefix, bytesOf, contentsOf, directory, openOn, Recorder, startHistory } from './history.js';

/** Zeros ahead of the records, for small turns that are synced; docs/formats/bitcask.md, section 3.4. */

const deep = process.env['SHANGHAI_DEEP'] === '1';
const path = `${directory}/0000000001.data`;

async function putMany(put: (key: string, value: string) => Promise<unknown>, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await put(`k${i}`, `value ${i}`);
}

function contentEndOf(bytes: Uint8Array): number {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
}

/** A disk whose store was filling when the process died; the witness tells of the last sync. */
async function filledDisk(): Promise<FaultDisk> {
  const disk = createFaultDisk({ seed: 1 });
  const clock = createManualClock();
  const store = await openOn(disk, { clock });
  await putMany((key, value) => store.put(bytesOf(key), bytesOf(value)), 8);
  await clock.advance(1_000);
  disk.crash();
  return disk.restart('all');
}

test('small synced turns are followed by zeros, which the seal cuts off', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const store = await openOn(disk);
  await putMany((key, value) => store.put(bytesOf(key), bytesOf(value)), 8);
  const filled = disk.contents(path);
  expect(filled.length).toBeGreaterThan(contentEndOf(filled) + 1_000);
  expect(filled.length).toBeLessThanOrEqual(4_096);
  await store.close();
  const sealed = disk.contents(path);
  expect(sealed.length).toBe(contentEndOf(filled));
  expect((await (await openOn(disk.restart('none'))).verify()).problems).toEqual([]);
});

test('writes without syncs, and turns of many bytes, are not filled for', async () => {
  for (const [durability, valueBytes] of [
    ['never', 10],
    ['always', 100_000],
  ] as const) {
    const disk = createFaultDisk({ seed: 1 });
    const store = await openOn(disk, { durability, segmentBytes: 4_194_304 });
    for (let i = 0; i < 12; i++) await store.put(bytesOf(`k${i}`), new Uint8Array(valueBytes).fill(1));
    const bytes = disk.contents(path);
    expect(bytes.length).toBe(contentEndOf(bytes));
    await store.close();
  }
});

test('after a crash zeros behind the last record are cut without a copy, and what is torn is copied without them', async () => {
  const filled = (await filledDisk()).contents(path);
  const end = contentEndOf(filled);
  for (const tornBytes of [0, 7]) {
    const disk = await filledDisk();
    const bytes = filled.slice();
    bytes.fill(0xee, end, end + tornBytes);
    disk.setContents(path, bytes);
    const torn: number[] = [];
    const store = await openOn(disk, { listener: { tornTail: (event) => torn.push(event.bytes) } });
    expect((await contentsOf(store)).size).toBe(8);
    expect(torn).toEqual(tornBytes === 0 ? [] : [tornBytes]);
    const copies = disk.files().filter((name) => name.includes('.torn-'));
    expect(copies.map((name) => disk.contents(name).length)).toEqual(torn);
    expect(disk.contents(path).length).toBe(end);
    await store.close();
  }
});

test('zeros in the place of synced records are damage, never a filled tail', async () => {
  const filled = (await filledDisk()).contents(path);
  for (let at = 64; at < contentEndOf(filled); at += 11) {
    const disk = await filledDisk();
    disk.setContents(path, filled.slice().fill(0, at));
    await expect(openOn(disk), `zeros from ${at} on`).rejects.toMatchObject({ code: 'CORRUPT' });
  }
});

test('zeros that cannot be written refuse no write', async () => {
  for (const code of ['ENOSPC', 'EIO']) {
    for (const after of [0, 1]) {
      const disk = createFaultDisk({ seed: 3 });
      const recorder = new Recorder(await openOn(disk), startHistory());
      const put = (key: string, value: string) => recorder.put(key, value);
      await putMany(put, 4);
      // The next write is the fifth put's, the one behind it (perhaps in two parts) the zeros.
      if (after === 1)
        disk.inject({ operation: 'write', after: 1, path: /\.data$/, effect: { kind: 'short', bytes: 99 } });
      disk.inject({ operation: 'write', after: 1, path: /\.data$/, effect: { kind: 'error', code } });
      await putMany(put, 9);
      expect(disk.contents(path).length).toBe(contentEndOf(disk.contents(path)));
      await recorder.close();
      const again = await openOn(disk.restart('none'));
      await assertPrefix(again, recorder.history);
      assert.deepEqual((await again.verify()).problems, []);
      await again.close();
    }
  }
});

test('filling, rotation and seal: a crash after any step leaves a prefix', async () => {
  let truncated = 0;
  const coverage = await enumerateCrashes({
    start: startHistory,
    run: async (disk, history) => {
      const recorder = new Recorder(await openOn(disk), history);
      await putMany((key, value) => recorder.put(key, value), 5);
      await Promise.all([recorder.put('k1', 'x'.repeat(2_000)), recorder.put('k2', 'y'.repeat(2_000))]);
      await recorder.close();
      truncated += disk.trace.filter((step) => step.includes('truncate')).length;
    },
    recover: async (disk) => (await openOn(disk)).close(),
    verify: async (disk, history) => {
      const store = await openOn(disk);
      await assertPrefix(store, history);
      assert.deepEqual((await store.verify()).problems, []);
      await store.close();
    },
    randomDraws: deep ? 20 : 6,
    crashRecovery: deep,
  });
  expect(coverage.cases).toBeGreaterThan(100);
  expect(truncated, 'the workload seals no filled segment').toBeGreaterThan(0);
});

test('a merge that begins while a turn crosses the end of a segment drops nothing of that turn', async () => {
  const disk = createFaultDisk({ seed: 5 });
  const clock = createManualClock();
  const merge = { enabled: false, minSegments: 1, staleRatio: 0.01 };
  const store = await openOn(disk, { clock, merge });
  let release = () => {};
  const stalled = new Promise<void>((resolve) => {
    release = resolve;
  });
  disk.inject({ operation: 'write', path: /0000000002\.data$/, after: 1, effect: { kind: 'stall', release: stalled } });
  const puts = Array.from({ length: 9 }, (_, i) => store.put(bytesOf(`k${i}`), bytesOf(`${i}`.repeat(700))));
  await clock.advance(0);
  // The first segment is sealed; the turn waits for the second.
  expect(disk.trace.some((step) => step.includes('0000000002.data'))).toBe(true);
  const merging = store.merge();
  await clock.advance(0);
  release();
  await Promise.all([...puts, merging]);
  expect((await contentsOf(store)).size).toBe(9);
  await store.close();
  const again = await openOn(disk);
  expect((await contentsOf(again)).size).toBe(9);
  await again.close();
});
