import assert from 'node:assert/strict';
import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk, createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { BitcaskError } from '../src/bitcask-error.js';
import { assertPrefix, bytesOf, contentsOf, directory, openOn, Recorder, startHistory, textOf } from './history.js';

const large = new Uint8Array(700).fill(1);

test('after a failed sync no write is acknowledged any more, and what was acknowledged before is there', async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const disk = createFaultDisk({ seed });
    const poisoned: Error[] = [];
    const store = await openOn(disk, { listener: { poisoned: ({ error }) => poisoned.push(error) } });
    const recorder = new Recorder(store, startHistory());
    await recorder.put('a', '1');
    disk.inject({ operation: 'sync', path: /\.data$/, effect: { kind: 'error', code: 'EIO' } });
    await expect(recorder.put('a', '2')).rejects.toMatchObject({ code: 'IO_ERROR' });
    await expect(recorder.put('b', '3')).rejects.toMatchObject({ code: 'POISONED' });
    await expect(store.checkpoint()).rejects.toMatchObject({ code: 'POISONED' });
    expect(textOf((await store.get(bytesOf('a'))) as Uint8Array)).toBe('1');
    expect(poisoned).toHaveLength(1);
    await store.close();
    disk.crash();
    const again = await openOn(disk.restart('random'));
    await assertPrefix(again, recorder.history);
    await again.close();
  }
});

test('writes that were queued when the disk failed are refused and never reach it', async () => {
  const disk = createFaultDisk({ seed: 2 });
  const store = await openOn(disk);
  await store.put(bytesOf('a'), bytesOf('1'));
  let release = () => {};
  const stall = new Promise<void>((resolve) => {
    release = resolve;
  });
  disk.inject({ operation: 'write', path: /\.data$/, effect: { kind: 'stall', release: stall } });
  disk.inject({ operation: 'sync', path: /\.data$/, effect: { kind: 'error', code: 'EIO' } });
  const first = store.put(bytesOf('a'), bytesOf('2'));
  // By then the first is at the disk, which hangs.
  for (let i = 0; i < 50; i++) await Promise.resolve();
  const second = store.put(bytesOf('b'), bytesOf('3'));
  const outcomes = Promise.allSettled([first, second]);
  release();
  const [one, two] = await outcomes;
  expect(one).toMatchObject({ status: 'rejected', reason: { code: 'IO_ERROR' } });
  expect(two).toMatchObject({ status: 'rejected', reason: { code: 'POISONED' } });
  expect(disk.trace.at(-1)).toContain('sync');
  await store.close();
});

test('a write that fails half-way poisons the store; the next open finds a prefix', async () => {
  const disk = createFaultDisk({ seed: 3 });
  const recorder = new Recorder(await openOn(disk), startHistory());
  await recorder.put('a', '1');
  disk.inject({ operation: 'write', path: /\.data$/, effect: { kind: 'short', bytes: 10 } });
  disk.inject({ operation: 'write', path: /\.data$/, effect: { kind: 'error', code: 'EIO' } });
  await expect(recorder.put('b', '2')).rejects.toMatchObject({ code: 'IO_ERROR' });
  await expect(recorder.put('c', '3')).rejects.toMatchObject({ code: 'POISONED' });
  await recorder.store.close();
  const again = await openOn(disk);
  await assertPrefix(again, recorder.history);
  await again.close();
});

test('a disk that runs full within a write refuses it as not done: it goes on, and no crash brings the write back', async () => {
  for (const durability of ['always', 'never'] as const) {
    for (let written = 1; written < 900; written += 89) {
      const disk = createFaultDisk({ seed: written });
      const store = await openOn(disk, { durability });
      await store.put(bytesOf('a'), bytesOf('1'));
      disk.inject({ operation: 'write', path: /\.data$/, effect: { kind: 'short', bytes: written } });
      disk.inject({ operation: 'write', path: /\.data$/, effect: { kind: 'error', code: 'ENOSPC' } });
      const calls = Array.from({ length: 3 }, (_, i) => store.put(bytesOf(`full-${i}`), bytesOf('x'.repeat(400))));
      for (const call of await Promise.allSettled(calls)) {
        expect(call).toMatchObject({ status: 'rejected', reason: { code: 'DISK_FULL' } });
      }
      const crashed = await openOn(disk.afterCrash('all'));
      expect([...(await contentsOf(crashed))]).toEqual([['a', '1']]);
      await crashed.close();
      await store.put(bytesOf('b'), bytesOf('2'));
      await store.checkpoint();
      const again = await openOn(disk.restart('random'));
      expect([...(await contentsOf(again))]).toEqual([
        ['a', '1'],
        ['b', '2'],
      ]);
      assert.deepEqual((await again.verify()).problems, []);
      await again.close();
    }
  }
});

test('short writes and short reads are continued', async () => {
  const disk = createFaultDisk({ seed: 4 });
  disk.inject({ operation: 'write', times: Number.POSITIVE_INFINITY, effect: { kind: 'short', bytes: 7 } });
  disk.inject({ operation: 'read', times: Number.POSITIVE_INFINITY, effect: { kind: 'short', bytes: 5 } });
  const recorder = new Recorder(await openOn(disk), startHistory());
  for (let i = 0; i < 12; i++) await recorder.put(`k${i % 5}`, `${i}`.repeat(200));
  await recorder.store.merge({ force: true });
  await recorder.close();
  const again = await openOn(disk);
  await assertPrefix(again, recorder.history);
  assert.deepEqual((await again.verify()).problems, []);
  await again.close();
});

test('a disk without space refuses the write and nothing else, wherever it is met', async () => {
  for (let after = 0; after < 40; after++) {
    const disk = createFaultDisk({ seed: 5 });
    const recorder = new Recorder(await openOn(disk), startHistory());
    for (let i = 0; i < 4; i++) await recorder.put(`k${i}`, 'x'.repeat(700));
    const kept = await contentsOf(recorder.store);
    const operation = (['write', 'open', 'rename', 'syncDirectory'] as const)[after % 4] as 'write';
    const lift = disk.inject({ operation, after: after >> 2, effect: { kind: 'error', code: 'ENOSPC' } });
    let refused: unknown;
    for (let i = 0; i < 9 && refused === undefined; i++) {
      const call = recorder.store.put(bytesOf(`n${i}`), large);
      refused = await call.then(
        () => undefined,
        (error) => error,
      );
      if (refused === undefined) kept.set(`n${i}`, textOf(large));
    }
    lift();
    if (refused === undefined) {
      await recorder.store.close();
      continue;
    }
    assert.ok(refused instanceof BitcaskError, String(refused));
    const soft = refused.code === 'DISK_FULL';
    if (soft) {
      await recorder.store.put(bytesOf('room'), bytesOf('again'));
      kept.set('room', 'again');
    } else {
      assert.equal(refused.code, 'IO_ERROR');
      assert.notEqual(operation, 'write', 'a write that put down nothing must not poison');
    }
    assert.deepEqual([...(await contentsOf(recorder.store))].sort(), [...kept].sort());
    await recorder.store.close();
    const again = await openOn(disk);
    const reopened = await contentsOf(again);
    for (const [key, value] of kept)
      assert.equal(reopened.get(key), value, `${key} is lost (${operation} ${after >> 2})`);
    await again.close();
  }
});

test('attempts that find no space for the manifest leave no files behind', async () => {
  const disk = createFaultDisk({ seed: 5 });
  const store = await openOn(disk);
  const before = disk.files();
  const error = { kind: 'error', code: 'ENOSPC' } as const;
  const lift = disk.inject({ operation: 'write', path: /MANIFEST/, times: Number.POSITIVE_INFINITY, effect: error });
  for (let i = 0; i < 3; i++) await expect(store.put(bytesOf('a'), large)).rejects.toMatchObject({ code: 'DISK_FULL' });
  expect(disk.files()).toEqual(before);
  lift();
  await store.put(bytesOf('a'), large);
  await store.close();
});

test('a full disk refuses to open with DISK_FULL, and leftovers that go may make the room', async () => {
  const disk = createFaultDisk({ seed: 5 });
  const store = await openOn(disk);
  await store.put(bytesOf('a'), bytesOf('1'));
  disk.crash();
  const next = disk.restart('all');
  await store.close().catch(() => undefined);
  const leftover = `${directory}/0000000099.hint.tmp`;
  next.setContents(leftover, large);
  const error = { kind: 'error', code: 'ENOSPC' } as const;
  const lift = next.inject({ operation: 'write', times: Number.POSITIVE_INFINITY, effect: error });
  await expect(openOn(next)).rejects.toMatchObject({ code: 'DISK_FULL', message: expect.stringContaining('MANIFEST') });
  expect(next.files()).not.toContain(leftover);
  lift();
  const again = await openOn(next);
  expect([...(await contentsOf(again))]).toEqual([['a', '1']]);
  await again.close();
});

test('a merge that finds no space leaves everything as it was', async () => {
  for (let after = 0; after < 6; after++) {
    const disk = createFaultDisk({ seed: 6 });
    const recorder = new Recorder(await openOn(disk), startHistory());
    for (let i = 0; i < 12; i++) await recorder.put(`k${i % 3}`, `${i}`.repeat(300));
    await recorder.store.merge({ force: true });
    for (let i = 0; i < 12; i++) await recorder.put(`k${i % 3}`, `${i}`.repeat(300));
    const before = await contentsOf(recorder.store);
    const lift = disk.inject({
      operation: 'write',
      path: /0000000(00[6-9]|01\d)|MANIFEST/,
      after,
      effect: { kind: 'error', code: 'ENOSPC' },
    });
    const failed = await recorder.store.merge({ force: true }).then(
      () => undefined,
      (error) => error,
    );
    lift();
    if (failed !== undefined) assert.equal((failed as BitcaskError).code, 'DISK_FULL', String(failed));
    assert.deepEqual(await contentsOf(recorder.store), before);
    await recorder.store.merge({ force: true });
    assert.deepEqual(await contentsOf(recorder.store), before);
    assert.deepEqual((await recorder.store.verify()).problems, []);
    await recorder.store.close();
  }
});

test('the queue is bounded in bytes, and what it holds is written', async () => {
  const disk = createFaultDisk({ seed: 7 });
  const store = await openOn(disk, { maxQueuedBytes: 65_536 });
  const calls = Array.from({ length: 200 }, (_, i) => store.put(bytesOf(`k${i}`), large));
  const settled = await Promise.allSettled(calls);
  const refused = settled.filter((call) => call.status === 'rejected');
  expect(refused.length).toBeGreaterThan(50);
  for (const call of refused) expect(call.reason).toMatchObject({ code: 'QUEUE_FULL' });
  expect(store.size).toBe(200 - refused.length);
  await store.put(bytesOf('later'), large);
  await store.close();
});

test('a disk that hangs holds writes up and nothing else: reads and timers go on', async () => {
  const disk = createFaultDisk({ seed: 8 });
  const clock = createManualClock();
  const store = await openOn(disk, { clock, durability: 'always' });
  await store.put(bytesOf('a'), bytesOf('1'));
  let release = () => {};
  const stall = new Promise<void>((resolve) => {
    release = resolve;
  });
  disk.inject({ operation: 'sync', path: /\.data$/, effect: { kind: 'stall', release: stall } });
  let acknowledged = false;
  const write = store.put(bytesOf('a'), bytesOf('2')).then(() => {
    acknowledged = true;
  });
  let fired = false;
  clock.setTimer(5, () => {
    fired = true;
  });
  await clock.advance(10_000);
  expect(fired).toBe(true);
  expect(acknowledged).toBe(false);
  expect(textOf((await store.get(bytesOf('a'))) as Uint8Array)).toBe('1');
  expect(textOf(store.getSync(bytesOf('a')) as Uint8Array)).toBe('1');
  release();
  await write;
  expect(textOf((await store.get(bytesOf('a'))) as Uint8Array)).toBe('2');
  await store.close();
});

test('a directory is open once; closing frees it', async () => {
  const disk = createFaultDisk({ seed: 9 });
  const store = await openOn(disk);
  await expect(openOn(disk)).rejects.toMatchObject({ code: 'LOCKED' });
  await store.close();
  await store.close();
  await (await openOn(disk)).close();
});

test('read-only: nothing is written, not even a torn tail is cut', async () => {
  const disk = createFaultDisk({ seed: 10 });
  const store = await openOn(disk);
  await store.put(bytesOf('a'), bytesOf('1'));
  disk.crash();
  const restarted = disk.restart('all');
  const path = `${directory}/0000000001.data`;
  const torn = new Uint8Array(restarted.contents(path).length + 9);
  torn.set(restarted.contents(path));
  restarted.setContents(path, torn);
  const steps = restarted.steps;
  const reader = await openOn(restarted, { readOnly: true });
  expect(textOf((await reader.get(bytesOf('a'))) as Uint8Array)).toBe('1');
  await expect(reader.put(bytesOf('a'), bytesOf('2'))).rejects.toMatchObject({ code: 'READ_ONLY' });
  await expect(reader.merge()).rejects.toMatchObject({ code: 'READ_ONLY' });
  await reader.close();
  expect(restarted.steps).toBe(steps);
  await expect(openOn(createFaultDisk({ seed: 1 }), { readOnly: true })).rejects.toBeInstanceOf(Error);
});

test('a closed store answers CLOSED', async () => {
  const store = await openOn(createFaultDisk({ seed: 11 }));
  const pending = store.put(bytesOf('a'), bytesOf('1'));
  await store.close();
  await pending;
  await expect(store.get(bytesOf('a'))).rejects.toMatchObject({ code: 'CLOSED' });
  await expect(store.put(bytesOf('a'), bytesOf('1'))).rejects.toMatchObject({ code: 'CLOSED' });
  expect(() => store.getSync(bytesOf('a'))).toThrow(expect.objectContaining({ code: 'CLOSED' }));
});

test('mistakes of the caller are refused before anything is written', async () => {
  const store = await openOn(createFaultDisk({ seed: 12 }), { maxKeyBytes: 8, maxValueBytes: 16 });
  await expect(store.put(new Uint8Array(0), bytesOf('1'))).rejects.toBeInstanceOf(RangeError);
  await expect(store.put(bytesOf('123456789'), bytesOf('1'))).rejects.toMatchObject({ code: 'KEY_TOO_LARGE' });
  await expect(store.put(bytesOf('a'), new Uint8Array(17))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
  await expect(store.put('a' as never, bytesOf('1'))).rejects.toBeInstanceOf(TypeError);
  await expect(store.put(bytesOf('a'), bytesOf('1'), { expiresAtMs: 0 })).rejects.toBeInstanceOf(RangeError);
  await expect(store.put(bytesOf('a'), bytesOf('1'), { ifRevision: -1 })).rejects.toBeInstanceOf(RangeError);
  await expect(store.batch([])).rejects.toBeInstanceOf(RangeError);
  expect(() => store.range({ limit: -1 })).toThrow(RangeError);
  const half = store.batch([
    { type: 'put', key: bytesOf('a'), value: bytesOf('1') },
    { type: 'put', key: new Uint8Array(0), value: bytesOf('1') },
  ]);
  await expect(half).rejects.toBeInstanceOf(RangeError);
  expect(store.size).toBe(0);
  expect(store.stats().lastSequence).toBe(0);
  await store.close();
});

test('a newer format is refused by its version, an unknown feature by its bit', async () => {
  const { crc32 } = await import('@shanghai/env');
  for (const [offset, value] of [
    [8, 2],
    [12, 1],
  ] as const) {
    const disk = createFaultDisk({ seed: 13 });
    const store = await openOn(disk, { random: createSeededRandom(1) });
    await store.put(bytesOf('a'), bytesOf('1'));
    await store.close();
    const path = `${directory}/MANIFEST`;
    const bytes = disk.contents(path).slice();
    const view = new DataView(bytes.buffer);
    view.setUint8(offset, value);
    view.setUint32(bytes.length - 4, crc32(bytes, 0, 0, bytes.length - 4), true);
    disk.setContents(path, bytes);
    await expect(openOn(disk)).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
  }
});

test.each(['open', 'read'] as const)(
  'a hint whose %s fails is as none: the segment is read, and nothing is missing',
  async (operation) => {
    const disk = createFaultDisk({ seed: 7 });
    const store = await openOn(disk);
    for (let i = 0; i < 20; i++) await store.put(bytesOf(`key-${i}`), large);
    const before = [...(await contentsOf(store))];
    await store.close();
    disk.crash();
    const next = disk.restart('all');
    expect(next.files().filter((path) => path.endsWith('.hint')).length).toBeGreaterThan(1);
    next.inject({ operation, path: /\.hint$/, effect: { kind: 'error', code: 'EIO' } });
    const again = await openOn(next);
    expect([...(await contentsOf(again))]).toEqual(before);
    await again.close();
  },
);
