import type { ManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import {
  appendTo,
  by,
  bytes,
  createFaultDisk,
  createManualClock,
  get,
  openTestNode,
  put,
  quorumLog,
  readLog,
  request,
} from './core-harness.js';

const seed = 99;

test('a failed sync is never followed by an acknowledgement: the write is an unknown outcome, later ones are refused', async () => {
  const disk = createFaultDisk({ seed });
  const failed: string[] = [];
  const listener = { failed: ({ error }: { error: Error }) => failed.push(error.message) };
  const node = await openTestNode(disk, createManualClock(1_000_000), { listener });
  await put(node, 'a', '1');
  disk.inject({ operation: 'sync', path: /\/wal\//, effect: { kind: 'error', code: 'EIO' } });
  await expect(put(node, 'b', '2')).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
  await expect(put(node, 'c', '3')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  await expect(get(node, 'a')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  expect(failed.length).toBeGreaterThan(0);
  expect(
    node
      .readiness()
      .filter(({ ok }) => !ok)
      .map(({ name }) => name),
  ).toEqual(['storage', 'leader']);
  await node.close(1000).catch(() => undefined);
  disk.crash();
  const again = await openTestNode(disk.restart('none'), createManualClock(1_000_000));
  expect(await get(again, 'a')).toBe('1');
  expect(await get(again, 'c')).toBeUndefined();
  await again.close(1000);
});

test('a full disk refuses writes as not done, and the node goes on by itself when there is space', async () => {
  const disk = createFaultDisk({ seed });
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  await put(node, 'a', '1');
  const brief = { type: 'put', key: bytes('brief'), value: bytes('x'), ttlMs: 10 } as const;
  await node.keyValue.write({ kind: 'independent', operations: [brief] }, by(), request());
  const term = node.status().groups[1]?.term ?? 0;
  const heal = disk.inject({
    operation: 'write',
    path: /\/wal\//,
    times: Number.POSITIVE_INFINITY,
    effect: { kind: 'error', code: 'ENOSPC' },
  });
  const burst = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => put(node, `full-${i}`, 'x')));
  for (const result of burst) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'STORAGE_FULL' } });
  expect(await get(node, 'a')).toBe('1');
  expect(node.readiness().find(({ name }) => name === 'space')).toMatchObject({
    ok: false,
    detail: 'the disk is full (group 1)',
  });
  await expect(put(node, 'b', '2')).rejects.toMatchObject({ code: 'STORAGE_FULL' });
  // Log time cannot move on, so what it judges stays as it is; reading goes on.
  await clock.advance(20);
  expect(await get(node, 'brief')).toBe('x');
  heal();
  await untilWritten(clock, () => put(node, 'c', '3'));
  expect(node.status().groups[1]?.term).toBe(term + 1);
  for (let i = 0; i < 8; i++) expect(await get(node, `full-${i}`)).toBeUndefined();
  await node.close(1000);
  const again = await openTestNode(disk, clock);
  expect(await get(again, 'c')).toBe('3');
  for (let i = 0; i < 8; i++) expect(await get(again, `full-${i}`)).toBeUndefined();
  await again.close(1000);
});

test('a node whose log had no space shows as ready again when there is space, without a write', async () => {
  const disk = createFaultDisk({ seed });
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  const error = { kind: 'error', code: 'ENOSPC' } as const;
  const heal = disk.inject({ operation: 'write', path: /\/wal\//, times: Number.POSITIVE_INFINITY, effect: error });
  await expect(put(node, 'a', '1')).rejects.toMatchObject({ code: 'STORAGE_FULL' });
  const check = () => node.readiness().find(({ name }) => name === 'space');
  await clock.advance(3000);
  expect(check()).toMatchObject({ ok: false, detail: expect.stringContaining('the disk is full') });
  heal();
  await clock.advance(1000);
  for (let i = 0; i < 50 && check()?.ok !== true; i++) await clock.advance(0);
  expect(check()).toMatchObject({ ok: true });
  await put(node, 'a', '1');
  await node.close(1000);
});

/** The node tries by itself, once a second. */
async function untilWritten(clock: ManualClock, attempt: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < 50; i++) {
    try {
      await attempt();
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== 'STORAGE_FULL') throw error;
      await clock.advance(100);
    }
  }
  throw new Error('the node did not recover');
}

test('a store or log file without space keeps committed writes waiting and applies them when there is space', async () => {
  for (const path of [/\/groups\/1\//, /\/logs\//]) {
    const disk = createFaultDisk({ seed });
    const clock = createManualClock(1_000_000);
    const node = await openTestNode(disk, clock);
    await node.logs.create('events', quorumLog, request());
    await appendTo(node, 'events', 'first');
    const heal = disk.inject({
      operation: 'write',
      path,
      times: Number.POSITIVE_INFINITY,
      effect: { kind: 'error', code: 'ENOSPC' },
    });
    const waiting = appendTo(node, 'events', 'second');
    for (let i = 0; i < 3; i++) await clock.advance(500);
    // What the log took now would only wait, too: it is refused at once, and readiness says why.
    await expect(put(node, 'k', 'v')).rejects.toMatchObject({ code: 'STORAGE_FULL' });
    const check = () => node.readiness().find(({ name }) => name === 'space');
    expect(check()).toMatchObject({ ok: false, detail: expect.stringContaining('the disk is full') });
    heal();
    for (let i = 0; i < 3; i++) await clock.advance(500);
    expect(await waiting).toMatchObject({ firstSequence: 2 });
    expect(await readLog(node, 'events')).toEqual(['first', 'second']);
    expect(check()).toMatchObject({ ok: true });
    await put(node, 'k', 'v');
    await node.close(1000);
  }
});

test('a store without space does not keep the log from being cut, which may be what makes space', async () => {
  const disk = createFaultDisk({ seed });
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  await node.logs.create('events', quorumLog, request());
  await appendTo(node, 'events', 'first');
  const error = { kind: 'error', code: 'ENOSPC' } as const;
  const heal = disk.inject({ operation: 'write', path: /groups\/1/, times: Number.POSITIVE_INFINITY, effect: error });
  const done = await node.checkpoint();
  const group = () => node.status().groups[1];
  expect(done[1]?.durableAppliedIndex).toBe(group()?.appliedIndex);
  heal();
  await appendTo(node, 'events', 'second');
  await node.checkpoint();
  await node.close(1000);
  const again = await openTestNode(disk, clock);
  expect(await readLog(again, 'events')).toEqual(['first', 'second']);
  await again.close(1000);
});

test('a disk that hangs leaves reads, status and other work going, and the queue bounded', async () => {
  const disk = createFaultDisk({ seed });
  const node = await openTestNode(disk, createManualClock(1_000_000), { limits: { maxProposals: 10 } });
  await put(node, 'a', '1');
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  disk.inject({ operation: 'sync', path: /\/wal\//, effect: { kind: 'stall', release: released } });
  const waiting = Array.from({ length: 10 }, (_, i) => put(node, `k${i}`, 'x'));
  expect(await get(node, 'a')).toBe('1');
  await expect(put(node, 'more', 'x')).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  expect(node.status().groups[1]?.lastIndex).toBeGreaterThan(node.status().groups[1]?.appliedIndex ?? 0);
  release();
  await Promise.all(waiting);
  expect(await get(node, 'k9')).toBe('x');
  await put(node, 'more', 'x');
  await node.close(1000);
});

test('a write that a hanging disk holds too long is an unknown outcome, shows in readiness, and is applied later', async () => {
  const disk = createFaultDisk({ seed });
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  disk.inject({ operation: 'sync', path: /\/wal\//, effect: { kind: 'stall', release: released } });
  const waiting = expect(put(node, 'a', '1')).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
  await clock.advance(10_000);
  await waiting;
  const check = () => node.readiness().find(({ name }) => name === 'disk');
  expect(check()).toMatchObject({ ok: false, detail: expect.stringContaining('the disk does not answer') });
  release();
  await put(node, 'b', '2');
  expect(check()).toMatchObject({ ok: true });
  expect(await get(node, 'a')).toBe('1');
  await node.close(1000);
});

test('bytes in flight are bounded as well as writes', async () => {
  const disk = createFaultDisk({ seed });
  const mib = 1024 * 1024;
  const limits = { maxValueBytes: mib, maxRequestBytes: mib + 1000, maxOperations: 10, maxProposalBytes: 2 * mib };
  const node = await openTestNode(disk, createManualClock(1_000_000), { limits });
  const value = 'v'.repeat(mib - 1000);
  const results = await Promise.allSettled([1, 2, 3].map((i) => put(node, `k${i}`, value)));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  expect(results[2]).toMatchObject({ reason: { code: 'RESOURCE_EXHAUSTED' } });
  await node.close(1000);
});

test('writes that a stalled disk holds beyond the drain time are unknown outcomes when the node closes', async () => {
  const disk = createFaultDisk({ seed });
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  disk.inject({ operation: 'sync', path: /\/wal\//, effect: { kind: 'stall', release: released } });
  const waiting = expect(put(node, 'a', '1')).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
  const closing = node.close(500);
  await clock.advance(600);
  await waiting;
  release();
  await closing;
  const again = await openTestNode(disk, clock);
  expect(await get(again, 'a')).toBe('1');
  await again.close(1000);
});

test('log files that could not be synced when they were closed keep the log from being cut', async () => {
  const disk = createFaultDisk({ seed });
  const node = await openTestNode(disk, createManualClock(1_000_000), { limits: { openLogs: 1 } });
  for (const log of ['a', 'b']) await node.logs.create(log, quorumLog, request());
  await appendTo(node, 'a', 'first');
  const before = await node.checkpoint();
  await appendTo(node, 'a', 'second');
  disk.inject({ operation: 'sync', path: /\/logs\/1\//, effect: { kind: 'error', code: 'EIO' } });
  // Opening the other log closes the first; by the second append that is over, and failed unseen.
  await appendTo(node, 'b', 'other');
  await appendTo(node, 'b', 'more');
  await expect(node.checkpoint()).rejects.toThrow();
  expect(node.status().groups[1]?.durableAppliedIndex).toBe(before[1]?.durableAppliedIndex);
  disk.crash();
  await node.close(0).catch(() => undefined);
  const again = await openTestNode(disk.restart('none'), createManualClock(1_000_000));
  expect(await readLog(again, 'a')).toEqual(['first', 'second']);
  expect(await readLog(again, 'b')).toEqual(['other', 'more']);
  await again.close(1000);
});
