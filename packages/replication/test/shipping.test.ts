import { expect, test } from 'vitest';
import type { DataMessage } from '../src/core/message.js';
import { MemoryEntryDirectory } from '../src/testing/memory-entry-directory.js';
import { MemoryCluster } from './support/memory-cluster.js';

test('what any node writes comes to all, in the order of each writer', async () => {
  const cluster = new MemoryCluster();
  await cluster.run(10);
  await Promise.all([cluster.append(1, 7, 'a1', 'a2'), cluster.append(2, 7, 'b1'), cluster.append(3, 8, 'c1')]);
  await cluster.append(1, 7, 'a3');
  await cluster.run(10);
  cluster.expectAlike();
  expect(Object.values(cluster.read(3, 7))).toEqual([['a1', 'a2', 'a3'], ['b1']]);
  await cluster.close();
});

test('a node that was away gets what it lacks, from the origin or from whoever has it', async () => {
  const cluster = new MemoryCluster();
  await cluster.run(10);
  cluster.network.cut(1, 3);
  await cluster.append(1, 7, 'x');
  await cluster.run(1_000);
  expect(cluster.read(3, 7)).toEqual({});
  await cluster.run(2_000);
  expect(Object.values(cluster.read(3, 7))).toEqual([['x']]);
  cluster.network.cut(2, 3);
  await cluster.append(1, 7, 'y');
  await cluster.append(2, 7, 'z');
  await cluster.run(5_000);
  cluster.network.heal(1, 3);
  cluster.network.heal(2, 3);
  await cluster.run(1_000);
  cluster.expectAlike();
  await cluster.close();
});

test('each entry comes to each node once while nothing breaks', async () => {
  let entries = 0;
  const count = (_from: number, _to: number, message: { type: string }) => {
    if (message.type === 'run') entries += (message as Extract<DataMessage, { type: 'run' }>).run.count;
  };
  const cluster = new MemoryCluster({ nodes: 4, delayMs: 3, onMessage: count });
  await cluster.run(100);
  for (let i = 0; i < 50; i++) {
    void cluster.append((i % 4) + 1, 7, `${i}`);
    await cluster.run(7);
  }
  await cluster.run(100);
  cluster.expectAlike();
  expect(entries).toBe(50 * 3);
  await cluster.close();
});

test('more than the window is shipped as it is taken, and an entry larger than the window passes alone', async () => {
  const cluster = new MemoryCluster({ limits: { windowEntries: 4, windowBytes: 65_536 }, delayMs: 1 });
  await cluster.run(10);
  await cluster.append(1, 7, ...Array.from({ length: 100 }, (_, i) => `${i}`));
  await cluster.append(1, 7, 'x'.repeat(200_000), 'after', 'y'.repeat(100_000));
  await cluster.run(1_000);
  cluster.expectAlike();
  expect(cluster.read(2, 7)[Object.keys(cluster.read(2, 7))[0] as string]).toHaveLength(103);
  await cluster.close();
});

test('an append is acknowledged when enough nodes have it, each counted once', async () => {
  const cluster = new MemoryCluster({ delayMs: 5 });
  await cluster.run(50);
  cluster.network.cut(1, 3);
  const sequence = await cluster.append(1, 7, 'x');
  const { replicator, store } = cluster.node(1);
  const stream = { logId: 7, origin: 1, epoch: store.ownEpoch() };
  const done: string[] = [];
  for (const level of ['local', 'quorum', 'all'] as const) {
    void replicator.whenHeldBy(stream, sequence, level).then(() => done.push(level));
  }
  await cluster.run(0);
  expect(done).toEqual(['local']);
  await cluster.run(50);
  expect(done).toEqual(['local', 'quorum']);
  await cluster.run(10_000);
  // Node 3 has it by way of node 2, but node 1 does not hear that.
  expect(done).toEqual(['local', 'quorum']);
  cluster.network.heal(1, 3);
  await cluster.run(200);
  expect(done).toEqual(['local', 'quorum', 'all']);
  await cluster.close();
});

test('a node whose directory was put back gets its lost entries from others and writes under other names', async () => {
  const cluster = new MemoryCluster();
  await cluster.run(10);
  await cluster.append(1, 7, 'one');
  await cluster.run(10);
  const backup = cluster.node(1).directory.copy();
  await cluster.append(1, 7, 'two', 'three');
  await cluster.run(10);
  await cluster.crash(1);
  cluster.start(1, backup);
  await cluster.append(1, 7, 'four');
  await cluster.run(1_000);
  cluster.expectAlike();
  expect(Object.values(cluster.read(2, 7))).toEqual([['one', 'two', 'three'], ['four']]);
  await cluster.crash(1);
  cluster.start(1, new MemoryEntryDirectory());
  await cluster.append(1, 7, 'five');
  await cluster.run(1_000);
  cluster.expectAlike();
  expect(Object.values(cluster.read(2, 7)).flat()).toEqual(['one', 'two', 'three', 'four', 'five']);
  await cluster.close();
});

test('what was trimmed is passed over, and the rows that stand for it come before', async () => {
  const cluster = new MemoryCluster({ limits: { cacheBytes: 1 } });
  for (const { store } of cluster.nodes) store.foldLog(8);
  await cluster.run(10);
  await cluster.crash(3);
  await cluster.append(1, 7, 'a', 'b', 'c');
  await cluster.append(1, 8, 'd', 'e', 'f');
  await cluster.run(10);
  for (const nodeId of [1, 2]) {
    for (const logId of [7, 8]) {
      await cluster.node(nodeId).store.trim({ logId, origin: 1, epoch: 1 }, 3);
    }
  }
  cluster.start(3);
  await cluster.run(1_000);
  cluster.expectAlike();
  expect(cluster.read(3, 7)).toEqual({ '7/1.1': ['c'] });
  expect(cluster.node(3).directory.folds.get(8)?.size).toBe(3);
  await cluster.close();
});

test('marks come behind what they cover, and their least is the watermark and what is stable', async () => {
  const cluster = new MemoryCluster({ delayMs: 2 });
  await cluster.run(10);
  await cluster.append(1, 7, 'x');
  const writtenMs = cluster.clock.nowMs();
  await cluster.run(5_000);
  for (const { replicator } of cluster.nodes) {
    expect(replicator.watermark(7).ms).toBeGreaterThan(writtenMs);
    expect(replicator.stableAt(7, 1)?.ms).toBeGreaterThan(writtenMs);
  }
  await cluster.crash(3);
  const before = cluster.node(1).replicator.watermark(7);
  await cluster.append(2, 7, 'y');
  const laterMs = cluster.clock.nowMs();
  await cluster.run(5_000);
  expect(cluster.node(1).replicator.stableAt(7, 2)?.ms).toBeLessThan(laterMs);
  expect(cluster.node(1).replicator.watermark(7)).toEqual(before);
  cluster.start(3);
  await cluster.run(5_000);
  expect(cluster.node(1).replicator.stableAt(7, 2)?.ms).toBeGreaterThan(laterMs);
  await cluster.close();
});

test('a node that is told by a peer that it has lost something of its own goes on in a new epoch', async () => {
  const told: string[] = [];
  const cluster = new MemoryCluster({
    keepsEpochs: true,
    listener: () => ({
      reverted: (stream, own, _peer, held, epoch) => told.push(`${stream.epoch}: ${own} of ${held}, now ${epoch}`),
      diverged: () => told.push('diverged'),
    }),
  });
  await cluster.run(10);
  await cluster.append(1, 7, 'one');
  await cluster.run(10);
  const backup = cluster.node(1).directory.copy();
  await cluster.append(1, 7, 'two');
  await cluster.run(10);
  await cluster.crash(1);
  cluster.start(1, backup);
  await cluster.run(1_000);
  await cluster.append(1, 7, 'three');
  await cluster.run(1_000);
  expect(told).toEqual(['1: 1 of 2, now 2']);
  cluster.expectAlike();
  expect(cluster.read(3, 7)).toEqual({ '7/1.1': ['one', 'two'], '7/1.2': ['three'] });
  await cluster.close();
});

test('two entries of one name are seen, and are not shipped over', async () => {
  const told: string[] = [];
  const cluster = new MemoryCluster({
    keepsEpochs: true,
    listener: (nodeId) => ({
      diverged: (stream, sequence, peer) => told.push(`${nodeId} from ${peer}: ${stream.epoch} ${sequence}`),
    }),
  });
  await cluster.run(10);
  const backup = cluster.node(1).directory.copy();
  await cluster.append(1, 7, 'one');
  await cluster.run(10);
  await cluster.crash(1);
  cluster.start(1, backup);
  await cluster.append(1, 7, 'another');
  await cluster.run(100);
  expect(told).toContain('1 from 2: 1 1');
  expect(cluster.read(3, 7)).toEqual({ '7/1.1': ['one'] });
  await cluster.close();
});

test('who is paused is shipped nothing, and then all of it; nobody else waits', async () => {
  const cluster = new MemoryCluster();
  await cluster.run(10);
  cluster.node(1).replicator.pause(3);
  await cluster.append(1, 7, 'x');
  await cluster.run(5_000);
  expect(cluster.read(2, 7)).toEqual({ '7/1.1': ['x'] });
  expect(cluster.read(3, 7)).toEqual({});
  const { followers } = cluster.node(1).replicator.status();
  expect(followers.map(({ follower, state, lagEntries }) => [follower, state, lagEntries])).toEqual([
    [2, 'healthy', 0],
    [3, 'paused', 1],
  ]);
  cluster.node(1).replicator.resume('all');
  await cluster.run(10);
  cluster.expectAlike();
  await cluster.close();
});

test('a follower that does not store waits for credit, costs its window and no more, and catches up', async () => {
  const told: string[] = [];
  const cluster = new MemoryCluster({
    nodes: 2,
    limits: { windowEntries: 10, laggingMs: 500, staleMs: 2_000 },
    listener: (nodeId) => ({
      behind: (origin, follower, state) => told.push(`${nodeId}: ${origin} at ${follower} ${state}`),
      caughtUp: (origin, follower) => told.push(`${nodeId}: ${origin} at ${follower} caught up`),
    }),
  });
  await cluster.run(10);
  const { store, replicator } = cluster.node(1);
  const receive = cluster.node(2).store.receive.bind(cluster.node(2).store);
  let go: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  cluster.node(2).store.receive = (runs) => gate.then(() => receive(runs));
  for (let i = 0; i < 30; i++) await cluster.append(1, 7, `${i}`);
  await cluster.run(3_000);
  const [shipping] = replicator.status().shipping;
  expect([shipping?.sentEntries, shipping?.creditEntries]).toEqual([10, 0]);
  expect(replicator.status().followers[0]).toMatchObject({ state: 'waiting for credit', lagEntries: 30 });
  expect(replicator.heldBy({ logId: 7, origin: 1, epoch: store.ownEpoch() }, 'all')).toBe(0);
  go();
  await cluster.run(1_000);
  cluster.expectAlike();
  expect(told).toEqual(['1: 1 at 2 lagging', '1: 1 at 2 stale', '1: 1 at 2 caught up']);
  await cluster.close();
});

test('what waits is told when the replicator closes, and when too many wait', async () => {
  const cluster = new MemoryCluster({ limits: { maxWaiters: 1 } });
  const { replicator } = cluster.node(1);
  const stream = { logId: 7, origin: 1, epoch: 1 };
  const first = replicator.whenHeldBy(stream, 1, 'all');
  const aborted = replicator.whenHeldBy(stream, 1, 'all', AbortSignal.abort(new Error('too late')));
  await expect(aborted).rejects.toThrow('too late');
  await expect(replicator.whenHeldBy(stream, 1, 'all')).rejects.toMatchObject({ code: 'BUSY' });
  const closing = cluster.close();
  await expect(first).rejects.toMatchObject({ code: 'CLOSED' });
  await closing;
  await expect(replicator.whenHeldBy(stream, 1, 'all')).rejects.toMatchObject({ code: 'CLOSED' });
});

test('a store that fails ends the sessions and is told as the end', async () => {
  const cluster = new MemoryCluster({ nodes: 2 });
  await cluster.run(10);
  cluster.node(2).store.receive = () => Promise.reject(new Error('the disk is gone'));
  await cluster.append(1, 7, 'x');
  await cluster.run(100);
  expect(cluster.node(2).fatal.map(({ message }) => message)).toEqual(['the disk is gone']);
  expect(cluster.node(1).replicator.status().followers[0]?.state).toBe('disconnected');
  expect(cluster.node(1).fatal).toEqual([]);
  await cluster.close();
});

test('a stream that cannot be read is told, tried again, and does not keep the others waiting', async () => {
  const told: string[] = [];
  const cluster = new MemoryCluster({
    listener: () => ({
      unreadable: (stream, sequence, follower) => told.push(`${stream.logId} ${sequence} for ${follower}`),
    }),
  });
  await cluster.run(10);
  const { store } = cluster.node(1);
  const read = store.read.bind(store);
  let isDamaged = true;
  store.read = (stream, ...rest) =>
    isDamaged && stream.logId === 7 ? Promise.reject(new Error('damaged')) : read(stream, ...rest);
  await cluster.append(1, 7, 'damaged');
  await cluster.append(1, 8, 'whole');
  await cluster.run(2_000);
  expect([cluster.read(2, 7), cluster.read(2, 8)]).toEqual([{}, { '8/1.1': ['whole'] }]);
  expect(told.sort()).toEqual(['7 1 for 2', '7 1 for 3']);
  expect(cluster.node(2).replicator.watermark(7).ms).toBe(0);
  expect(cluster.node(2).replicator.watermark(8).ms).toBeGreaterThan(0);
  isDamaged = false;
  await cluster.run(500);
  cluster.expectAlike();
  await cluster.close();
});
