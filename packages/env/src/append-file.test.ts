import { describe, expect, test } from 'vitest';
import { type AppendFile, createAppendFile } from './append-file.js';
import { InvariantError } from './invariant.js';
import { createFaultDisk } from './testing/create-fault-disk.js';
import type { FaultDisk } from './testing/fault-disk.js';

const bytes = (...values: number[]) => Uint8Array.from(values);

async function openLog(): Promise<{ disk: FaultDisk; log: AppendFile }> {
  const disk = createFaultDisk({ seed: 5 });
  return { disk, log: createAppendFile(await disk.open('/log', 'create'), 0) };
}

/** Both forms of each call, so that each claim is made of both. */
const forms = {
  promises: {
    append: (log: AppendFile, buffer: Uint8Array) => log.append(buffer),
    sync: (log: AppendFile) => log.sync(),
  },
  blocking: {
    append: async (log: AppendFile, buffer: Uint8Array) => log.appendSync(buffer),
    sync: async (log: AppendFile) => log.syncSync(),
  },
};

for (const [form, { append, sync }] of Object.entries(forms)) {
  describe(`with ${form}`, () => {
    test('appends follow each other, and a sync moves the durable end', async () => {
      const { disk, log } = await openLog();
      expect(await append(log, bytes(1, 2, 3))).toBe(0);
      expect(await append(log, bytes(4, 5))).toBe(3);
      expect([log.end, log.durableEnd]).toEqual([5, 0]);
      await sync(log);
      expect([log.end, log.durableEnd]).toEqual([5, 5]);
      expect(disk.contents('/log')).toEqual(bytes(1, 2, 3, 4, 5));
    });

    test('short writes are continued', async () => {
      const { disk, log } = await openLog();
      disk.inject({ operation: 'write', times: Number.POSITIVE_INFINITY, effect: { kind: 'short', bytes: 2 } });
      expect(await append(log, bytes(1, 2, 3, 4, 5))).toBe(0);
      expect(disk.contents('/log')).toEqual(bytes(1, 2, 3, 4, 5));
      expect(disk.steps).toBe(1 + 3);
    });

    test('a full disk before the first byte refuses the append and leaves the file usable', async () => {
      const { disk, log } = await openLog();
      await append(log, bytes(1));
      disk.inject({ operation: 'write', effect: { kind: 'error', code: 'ENOSPC' } });
      await expect(append(log, bytes(2, 3))).rejects.toMatchObject({ code: 'ENOSPC' });
      expect([log.end, log.failure]).toEqual([1, undefined]);
      expect(await append(log, bytes(4))).toBe(1);
      await sync(log);
      expect(disk.contents('/log')).toEqual(bytes(1, 4));
    });

    test.each(['write', 'sync'] as const)(
      'a failed %s poisons every later call with the same error',
      async (operation) => {
        const { disk, log } = await openLog();
        await append(log, bytes(1));
        disk.inject({ operation, effect: { kind: 'error', code: 'EIO' } });
        const failing = operation === 'write' ? append(log, bytes(2)) : sync(log);
        await expect(failing).rejects.toMatchObject({ code: 'EIO' });
        const { failure } = log;
        const steps = disk.steps;
        await expect(append(log, bytes(3))).rejects.toBe(failure);
        await expect(sync(log)).rejects.toBe(failure);
        expect(disk.steps).toBe(steps);
        expect(log.durableEnd).toBe(0);
        await log.close();
        expect(disk.openFiles).toBe(0);
      },
    );
  });
}

/** A disk runs full within a write: a part of it goes down, the rest is refused. */
function fillUp(disk: FaultDisk, bytes: number): void {
  disk.inject({ operation: 'write', effect: { kind: 'short', bytes } });
  disk.inject({ operation: 'write', effect: { kind: 'error', code: 'ENOSPC' } });
}

test('a disk that runs full within an append takes it back, durably, and the file goes on', async () => {
  const { disk, log } = await openLog();
  await disk.syncDirectory('/');
  await log.append(bytes(1));
  await log.sync();
  fillUp(disk, 2);
  await expect(log.append(bytes(2, 3, 4))).rejects.toMatchObject({ code: 'ENOSPC' });
  expect([log.end, log.failure]).toEqual([1, undefined]);
  for (const survival of ['none', 'all', 'random'] as const) {
    expect(disk.afterCrash(survival).contents('/log')).toEqual(bytes(1));
  }
  expect(await log.append(bytes(5))).toBe(1);
  await log.sync();
  expect(disk.restart('none').contents('/log')).toEqual(bytes(1, 5));
});

test.each(['truncate', 'sync'] as const)(
  'where the %s that takes an append back fails, the file is poisoned',
  async (operation) => {
    const { disk, log } = await openLog();
    fillUp(disk, 1);
    disk.inject({ operation, effect: { kind: 'error', code: 'EIO' } });
    await expect(log.append(bytes(1, 2))).rejects.toMatchObject({ code: 'EIO' });
    const { failure } = log;
    expect(failure).toMatchObject({ code: 'EIO' });
    await expect(log.append(bytes(3))).rejects.toBe(failure);
    await expect(log.sync()).rejects.toBe(failure);
    expect(log.end).toBe(0);
  },
);

test('a disk that runs full within a blocking append poisons the file', async () => {
  const { disk, log } = await openLog();
  fillUp(disk, 1);
  expect(() => log.appendSync(bytes(1, 2))).toThrow('ENOSPC');
  expect(log.failure).toMatchObject({ code: 'ENOSPC' });
  expect(() => log.appendSync(bytes(3))).toThrow(log.failure);
  expect(log.end).toBe(0);
});

test('a sync covers the appends completed before it began, not those during it', async () => {
  const { disk, log } = await openLog();
  await log.append(bytes(1, 2));
  let release = () => {};
  const stalled = new Promise<void>((resolve) => {
    release = resolve;
  });
  disk.inject({ operation: 'sync', effect: { kind: 'stall', release: stalled } });
  const syncing = log.sync();
  await log.append(bytes(3));
  release();
  await syncing;
  expect([log.end, log.durableEnd]).toEqual([3, 2]);
  expect(disk.restart('none').files()).toEqual([]);
});

test('two appends or two syncs at once are a defect of the caller, and poison nothing', async () => {
  const { log } = await openLog();
  const first = log.append(bytes(1));
  await expect(log.append(bytes(2))).rejects.toThrow(InvariantError);
  await first;
  const syncing = log.sync();
  await expect(log.sync()).rejects.toThrow(InvariantError);
  await syncing;
  expect([log.end, log.durableEnd, log.failure]).toEqual([1, 1, undefined]);
});

test('an empty append writes nothing', async () => {
  const { disk, log } = await openLog();
  expect(await log.append(new Uint8Array(0))).toBe(0);
  expect(disk.steps).toBe(1);
});

test('an append file begins where it is told, and refuses ends that make no sense', async () => {
  const disk = createFaultDisk({ seed: 5 });
  disk.setContents('/log', bytes(1, 2, 3, 4));
  const file = await disk.open('/log', 'write');
  const log = createAppendFile(file, 2, 1);
  expect([log.end, log.durableEnd]).toEqual([2, 1]);
  await log.append(bytes(9));
  expect(disk.contents('/log')).toEqual(bytes(1, 2, 9, 4));
  for (const end of [-1, 0.5, Number.NaN]) expect(() => createAppendFile(file, end)).toThrow(RangeError);
  expect(() => createAppendFile(file, 2, 3)).toThrow(RangeError);
});
