import { createFaultDisk, createManualClock, type FaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import type { Bitcask } from '../src/bitcask.js';
import { bytesOf, contentsOf, openOn } from './history.js';

/** Turns that need no sync: the next one's write begins before the last one is in the key directory. */

const [a, b] = [bytesOf('a'), bytesOf('b')];

interface Held {
  readonly disk: FaultDisk;
  readonly store: Bitcask;
  readonly first: Promise<unknown>;
  /** Runs everything that can run. */
  settleDown(): Promise<void>;
  release(): Promise<void>;
}

/** A store whose first write is at the disk, which keeps it until `release`: what is queued now makes the next turn. */
async function heldStore(): Promise<Held> {
  const disk = createFaultDisk({ seed: 1 });
  const clock = createManualClock();
  const store = await openOn(disk, { durability: 'never', clock });
  await store.put(bytesOf('before'), a);
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  disk.inject({ operation: 'write', path: /\.data$/, effect: { kind: 'stall', release: released } });
  const first = store.put(a, bytesOf('1'));
  const settleDown = () => clock.advance(0);
  await settleDown();
  return {
    disk,
    store,
    first,
    settleDown,
    release: () => {
      release();
      return settleDown();
    },
  };
}

test('a write that hangs keeps nobody from seeing the one before it', async () => {
  const held = await heldStore();
  let release = () => {};
  const hanging = new Promise<void>((resolve) => {
    release = resolve;
  });
  const second = held.store.put(b, bytesOf('2'));
  expect(held.store.has(a)).toBe(false);
  held.disk.inject({ operation: 'write', path: /\.data$/, effect: { kind: 'stall', release: hanging } });
  await held.release();
  expect(await held.first).toEqual({ sequence: 2 });
  expect([held.store.has(a), held.store.has(b)]).toEqual([true, false]);
  release();
  expect(await second).toEqual({ sequence: 3 });
  expect(held.store.has(b)).toBe(true);
  await held.store.close();
});

test('conditions are judged against the turn before, whether it is in the key directory yet or not', async () => {
  const held = await heldStore();
  const wanted = held.store.put(a, bytesOf('2'), { ifRevision: 2 });
  const absent = held.store.put(a, bytesOf('3'), { ifRevision: 0 });
  const deleted = held.store.delete(a);
  const nothing = held.store.delete(b);
  const results = Promise.allSettled([wanted, absent, deleted, nothing]);
  await held.release();
  expect(await results).toMatchObject([
    { status: 'fulfilled', value: { sequence: 3 } },
    { status: 'rejected', reason: { code: 'CONDITION_FAILED' } },
    { status: 'fulfilled', value: true },
    { status: 'fulfilled', value: false },
  ]);
  await held.store.close();
});

test('a write that fails takes nothing from the turn before it', async () => {
  for (const [code, expected] of [
    ['EIO', 'IO_ERROR'],
    ['ENOSPC', 'DISK_FULL'],
  ] as const) {
    const held = await heldStore();
    const results = Promise.allSettled([held.first, held.store.put(b, bytesOf('2'))]);
    held.disk.inject({ operation: 'write', path: /\.data$/, effect: { kind: 'error', code } });
    await held.release();
    expect(await results).toMatchObject([
      { status: 'fulfilled', value: { sequence: 2 } },
      { status: 'rejected', reason: { code: expected } },
    ]);
    expect([...(await contentsOf(held.store)).keys()]).toEqual(['a', 'before']);
    await held.store.close();
  }
});

test('a batch that asks for a sync is answered behind the turn before it, and both survive', async () => {
  const held = await heldStore();
  const synced = held.store.batch([{ type: 'put', key: b, value: a }], { sync: true });
  await held.release();
  expect(await held.first).toEqual({ sequence: 2 });
  expect(await synced).toEqual({ sequence: 3 });
  expect(held.store.stats().durableSequence).toBe(3);
  const crashed = await openOn(held.disk.afterCrash('none'));
  expect([...(await contentsOf(crashed)).keys()]).toEqual(['a', 'b', 'before']);
  await crashed.close();
  await held.store.close();
});

test('a seal between two turns finds the first one in the key directory', async () => {
  const held = await heldStore();
  const second = held.store.put(b, bytesOf('2'));
  const merging = held.store.merge({ force: true });
  await held.release();
  await held.settleDown();
  await Promise.all([held.first, second, merging]);
  expect([...(await contentsOf(held.store)).keys()]).toEqual(['a', 'b', 'before']);
  expect((await held.store.verify()).problems).toEqual([]);
  await held.store.close();
});
