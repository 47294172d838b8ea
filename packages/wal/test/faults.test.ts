import { createFaultDisk, createManualClock } from '@shanghai/env/testing';
import { describe, expect, test } from 'vitest';
import { WalError, type WalErrorCode } from '../src/index.js';
import { checkLog, emptyHistory } from './support/check-log.js';
import { openOn } from './support/open-on.js';
import { recordPayload } from './support/record-payload.js';

/** The code a promise rejected with, or `undefined` where it resolved. */
async function codeOf(promise: Promise<unknown>): Promise<WalErrorCode | undefined> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    if (error instanceof WalError) return error.code;
    throw error;
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

describe('a sync that fails', () => {
  test('poisons the log: nothing is acknowledged any more, the next sync is never tried', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await openOn(disk);
    await wal.append(recordPayload(1, 10));
    disk.inject({ operation: 'sync', path: /\.tmp$|\.wal$/, effect: { kind: 'error', code: 'EIO' } });
    const waiting = [wal.append(recordPayload(2, 10)), wal.append(recordPayload(3, 10)), wal.flush()];
    expect(await Promise.all(waiting.map(codeOf))).toEqual(['WAL_POISONED', 'WAL_POISONED', 'WAL_POISONED']);
    const steps = disk.steps;
    const error: unknown = await wal.append(recordPayload(4, 10)).catch((reason) => reason);
    expect(error).toMatchObject({ code: 'WAL_POISONED', details: { errno: 'EIO' }, cause: { code: 'EIO' } });
    expect(await codeOf(wal.appendBatch([{ payload: recordPayload(4, 10) }]))).toBe('WAL_POISONED');
    expect(disk.steps).toBe(steps);
    expect(wal.info()).toMatchObject({ state: 'poisoned', durableLsn: 1 });
    expect((await wal.read(1))?.lsn).toBe(1);
    expect(await wal.read(2)).toBeUndefined();
    await wal.close();
    expect(disk.openFiles).toBe(0);
  });

  test('and a process that opens the log anew does not build on bytes that are in the cache only', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const disk = createFaultDisk({ seed });
      const wal = await openOn(disk);
      const history = emptyHistory();
      const append = async (opened: typeof wal, bytes: number) => {
        history.sizes.push(bytes);
        await opened.append(recordPayload(history.sizes.length, bytes));
        history.durable = history.sizes.length;
      };
      await append(wal, 100);
      disk.inject({ operation: 'sync', effect: { kind: 'error', code: 'EIO' } });
      expect(await codeOf(append(wal, 700))).toBe('WAL_POISONED');
      await wal.close();
      const again = await openOn(disk);
      history.sizes.length = again.info().lastLsn;
      await append(again, 300);
      await append(again, 20);
      const afterPowerFailure = disk.restart('none');
      const last = await openOn(afterPowerFailure);
      await checkLog(last, history).catch((error) => {
        throw new Error(`seed ${seed}: ${error}`, { cause: error });
      });
      await last.close();
      // Its disk lost power above.
      await again.close().catch(() => undefined);
    }
  });

  test('of the directory, while a segment is released, poisons the log too', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const poisoned = deferred();
    const wal = await openOn(disk, { listener: { poisoned: () => poisoned.resolve() } });
    for (let lsn = 1; lsn <= 10; lsn++) await wal.append(recordPayload(lsn, 3000));
    disk.inject({ operation: 'syncDirectory', effect: { kind: 'error', code: 'EIO' } });
    wal.release(0, 5);
    await poisoned.promise;
    expect(await codeOf(wal.append(recordPayload(11, 1)))).toBe('WAL_POISONED');
    await wal.close();
  });
});

test('a write that fails half-way poisons the log, and what was acknowledged is there after opening it anew', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const wal = await openOn(disk);
  await wal.append(recordPayload(1, 500));
  disk.inject({ operation: 'write', effect: { kind: 'short', bytes: 100 } });
  disk.inject({ operation: 'write', effect: { kind: 'error', code: 'EIO' } });
  expect(await codeOf(wal.append(recordPayload(2, 500)))).toBe('WAL_POISONED');
  await wal.close();
  const again = await openOn(disk);
  expect(again.info()).toMatchObject({ lastLsn: 1, tornTail: { offset: expect.any(Number) } });
  expect(await again.append(recordPayload(2, 500))).toBe(2);
  await again.close();
});

test('short writes and short reads change nothing', async () => {
  const disk = createFaultDisk({ seed: 1 });
  disk.inject({ operation: 'write', times: Number.POSITIVE_INFINITY, effect: { kind: 'short', bytes: 333 } });
  disk.inject({ operation: 'read', times: Number.POSITIVE_INFINITY, effect: { kind: 'short', bytes: 77 } });
  const history = emptyHistory();
  const wal = await openOn(disk);
  for (let lsn = 1; lsn <= 20; lsn++) {
    history.sizes.push(lsn * 100);
    await wal.append(recordPayload(lsn, lsn * 100));
  }
  await wal.close();
  const again = await openOn(disk);
  expect(await checkLog(again, history)).toBe(20);
  await again.close();
});

describe('a full disk', () => {
  test('at any step rejects appends and does no harm, and the log goes on when there is room', async () => {
    let rejected = 0;
    for (const segmentsAhead of [0, 1]) {
      for (let after = 0; after < 70; after++) {
        const disk = createFaultDisk({ seed: after });
        const wal = await openOn(disk, { segmentsAhead });
        const history = emptyHistory();
        const rules = (['write', 'rename', 'open'] as const).map((operation) =>
          disk.inject({ operation, path: /\.tmp|\.wal/, after, times: 3, effect: { kind: 'error', code: 'ENOSPC' } }),
        );
        for (let i = 0; i < 30; i++) {
          const bytes = 100 + i * 80;
          const code = await codeOf(wal.append(recordPayload(history.sizes.length + 1, bytes)));
          expect([undefined, 'DISK_FULL']).toContain(code);
          if (code === undefined) history.sizes.push(bytes);
          else rejected++;
          history.durable = history.sizes.length;
        }
        expect(wal.info().state).toBe('open');
        for (const takeAway of rules) takeAway();
        await checkLog(wal, history);
        await wal.close();
        const again = await openOn(disk.restart('none'), { segmentsAhead });
        expect(await checkLog(again, history)).toBe(history.sizes.length);
        await again.close();
      }
    }
    expect(rejected).toBeGreaterThan(100);
  });

  test.each([
    { segmentsAhead: 0, writer: 'async' },
    { segmentsAhead: 0, writer: 'blocking' },
    { segmentsAhead: 1, writer: 'async' },
  ] as const)('that runs full within a write takes it back, and no crash brings it again: %o', async (options) => {
    let refused = 0;
    for (let written = 1; written < 5000; written += 137) {
      const disk = createFaultDisk({ seed: written });
      const wal = await openOn(disk, options);
      const history = emptyHistory();
      for (let i = 0; i < 12; i++) {
        disk.inject({ operation: 'write', effect: { kind: 'short', bytes: written } });
        const lift = disk.inject({ operation: 'write', effect: { kind: 'error', code: 'ENOSPC' } });
        const next = history.sizes.length + 1;
        const group = [0, 1, 2].map((k) => codeOf(wal.append(recordPayload(next + k, 100 + i * 150))));
        const codes = await Promise.all(group);
        lift();
        expect([
          [undefined, undefined, undefined],
          ['DISK_FULL', 'DISK_FULL', 'DISK_FULL'],
        ]).toContainEqual(codes);
        if (codes[0] === undefined) history.sizes.push(...codes.map(() => 100 + i * 150));
        else refused++;
        history.durable = history.sizes.length;
        const crashed = await openOn(disk.afterCrash(i % 2 === 0 ? 'all' : 'random'), options);
        expect(await checkLog(crashed, history)).toBe(history.sizes.length);
        expect(crashed.info().tornTail).toBeUndefined();
        await crashed.close();
      }
      expect(wal.info().state).toBe('open');
      history.sizes.push(40);
      await wal.append(recordPayload(history.sizes.length, 40));
      history.durable = history.sizes.length;
      await checkLog(wal, history);
      await wal.close();
    }
    expect(refused).toBeGreaterThan(50);
  });

  test('that refuses to take a part of a write back poisons the log', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await openOn(disk);
    await wal.append(recordPayload(1, 500));
    disk.inject({ operation: 'write', effect: { kind: 'short', bytes: 100 } });
    disk.inject({ operation: 'write', effect: { kind: 'error', code: 'ENOSPC' } });
    disk.inject({ operation: 'sync', effect: { kind: 'error', code: 'EIO' } });
    expect(await codeOf(wal.append(recordPayload(2, 500)))).toBe('WAL_POISONED');
    await wal.close();
    const again = await openOn(disk);
    expect(again.info().lastLsn).toBe(1);
    await again.close();
  });

  test('rejects exactly the appends that did not fit, and LSNs stay without gaps', async () => {
    const disk = createFaultDisk({ seed: 1 });
    const wal = await openOn(disk, { segmentsAhead: 0 });
    await wal.append(recordPayload(1, 10));
    disk.inject({ operation: 'write', effect: { kind: 'error', code: 'ENOSPC' } });
    expect(await codeOf(wal.append(recordPayload(9, 10)))).toBe('DISK_FULL');
    expect(await wal.append(recordPayload(2, 10))).toBe(2);
    await wal.close();
  });
});

test('a disk that stalls holds up the append and nothing else', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const wal = await openOn(disk);
  await wal.append(recordPayload(1, 10));
  const stall = deferred();
  disk.inject({ operation: 'sync', effect: { kind: 'stall', release: stall.promise } });
  let done = false;
  const pending = wal.append(recordPayload(2, 10)).then((lsn) => {
    done = true;
    return lsn;
  });
  for (let i = 0; i < 100; i++) await new Promise((resolve) => setImmediate(resolve));
  expect(done).toBe(false);
  expect((await wal.read(1))?.lsn).toBe(1);
  expect(await wal.read(2)).toBeUndefined();
  stall.resolve();
  expect(await pending).toBe(2);
  await wal.close();
});

test('128 callers share one sync each round; one caller alone waits for no timer', async () => {
  const clock = createManualClock();
  const disk = createFaultDisk({ seed: 1, clock });
  const wal = await openOn(disk, {}, clock);
  const before = wal.info().syncs;
  for (let round = 0; round < 10; round++) await wal.append(recordPayload(1, 128));
  expect(wal.info().syncs - before).toBe(10);
  // Half of them are behind some more awaits, as callers in layers are.
  const direct = () => wal.append(recordPayload(1, 128));
  const wrapped = async () => await direct();
  const layered = async () => await wrapped();
  await Promise.all(
    Array.from({ length: 128 }, async (_, caller) => {
      for (let round = 0; round < 10; round++) await (caller % 2 === 0 ? direct() : layered());
    }),
  );
  expect(wal.info().syncs - before).toBeLessThanOrEqual(10 + 11);
  await wal.close();
});

test('a queue that is full refuses, stays within its bound, and takes appends again afterwards', async () => {
  const disk = createFaultDisk({ seed: 1 });
  let refusals = 0;
  const wal = await openOn(disk, { maxQueuedBytes: 10_000, listener: { queueFull: () => refusals++ } });
  const stall = deferred();
  disk.inject({ operation: 'sync', effect: { kind: 'stall', release: stall.promise } });
  const all = Array.from({ length: 30 }, () => codeOf(wal.append(recordPayload(1, 1000))));
  expect(wal.info().queuedBytes).toBeLessThanOrEqual(10_000);
  stall.resolve();
  const codes = await Promise.all(all);
  expect(codes.filter((code) => code === 'QUEUE_FULL')).toHaveLength(20);
  expect(refusals).toBe(20);
  expect(await codeOf(wal.append(recordPayload(1, 50_000)))).toBeUndefined();
  expect(wal.info().queuedBytes).toBe(0);
  await wal.close();
});

test('close waits for appends in flight, and refuses what comes later', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const wal = await openOn(disk);
  const appended = wal.append(recordPayload(1, 10));
  const closed = Promise.all([wal.close(), wal.close()]);
  expect(await codeOf(wal.append(recordPayload(2, 10)))).toBe('WAL_CLOSED');
  expect(await appended).toBe(1);
  await closed;
  expect(await codeOf(wal.read(1))).toBe('WAL_CLOSED');
  expect(wal.info()).toMatchObject({ state: 'closed', durableLsn: 1 });
});

test('a directory that another log holds is refused with LOCKED', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const wal = await openOn(disk);
  expect(await codeOf(openOn(disk))).toBe('LOCKED');
  await wal.close();
  await (await openOn(disk)).close();
});
