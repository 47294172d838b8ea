/** Every state that a follower can be in, made to happen, and what is said of it. */
import { expect, test } from 'vitest';
import type { FollowerStatus, StatusFilter } from '../src/host/replication-status.js';
import { MemoryCluster } from './support/memory-cluster.js';

const limits = { laggingMs: 500, staleMs: 5_000 };

/** How `follower` stands to `origin` as `at` sees it. */
function seen(cluster: MemoryCluster, at: number, origin: number, follower: number, filter?: StatusFilter) {
  const { followers } = cluster.node(at).replicator.status(filter);
  return followers.find((one) => one.origin === origin && one.follower === follower) as FollowerStatus;
}

test('who lacks nothing is healthy and idle for as long as nothing is written, with its credit', async () => {
  const cluster = new MemoryCluster({ limits });
  await cluster.run(10);
  await cluster.append(1, 7, 'x', 'y');
  await cluster.run(60_000);
  const follower = seen(cluster, 1, 1, 2);
  expect(follower).toMatchObject({ state: 'healthy', reason: '', heldEntries: 2, lagEntries: 0, lagMs: 0 });
  expect(follower.sinceProgressMs).toBeGreaterThan(59_000);
  expect(follower.credit).toEqual({ entries: 8_192, bytes: 4_194_304 });
  await cluster.close();
});

test('who takes nothing is lagging, then stale, then healthy again when it has come to where the origin was', async () => {
  const cluster = new MemoryCluster({ limits });
  await cluster.run(10);
  const { store } = cluster.node(2);
  const receive = store.receive.bind(store);
  let go: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  store.receive = (runs) => gate.then(() => receive(runs));
  await cluster.append(1, 7, 'x');
  await cluster.run(400);
  expect(seen(cluster, 1, 1, 2).state).toBe('healthy');
  await cluster.run(600);
  expect(seen(cluster, 1, 1, 2)).toMatchObject({ state: 'lagging', lagEntries: 1, isShipping: true });
  expect(seen(cluster, 1, 1, 2).reason).toMatch(/^it has lacked something for \d+ ms$/);
  await cluster.run(5_000);
  expect(seen(cluster, 1, 1, 2).state).toBe('stale');
  expect(seen(cluster, 1, 1, 3).state).toBe('healthy');
  go();
  await cluster.run(500);
  expect(seen(cluster, 1, 1, 2)).toMatchObject({ state: 'healthy', lagMs: 0 });
  await cluster.close();
});

test('who is cut off is disconnected; whoever ships to it instead says how it is', async () => {
  const cluster = new MemoryCluster({ limits });
  await cluster.run(10);
  cluster.network.cut(1, 3);
  await cluster.append(1, 7, 'x');
  await cluster.run(1_000);
  expect(seen(cluster, 1, 1, 3)).toMatchObject({ state: 'disconnected', lagEntries: 1, isShipping: false });
  expect(seen(cluster, 1, 1, 3).reason).toBe('node 3 has no session with this one');
  expect(seen(cluster, 1, 1, 3).credit).toBeUndefined();
  await cluster.run(3_000);
  expect(seen(cluster, 2, 1, 3)).toMatchObject({ state: 'healthy', lagEntries: 0, isShipping: true });
  await cluster.close();
});

test('who is paused says so at the one that ships to it; another node says that it is not its own to ship', async () => {
  const cluster = new MemoryCluster({ limits });
  await cluster.run(10);
  cluster.node(1).replicator.pause(3);
  await cluster.append(1, 7, 'x');
  await cluster.run(2_000);
  expect(seen(cluster, 1, 1, 3)).toMatchObject({ state: 'paused', reason: 'shipping was paused by a call' });
  expect(seen(cluster, 2, 1, 3)).toMatchObject({ state: 'lagging', isShipping: false });
  expect(seen(cluster, 2, 1, 3).reason).toContain('; it fetches this origin from another node');
  await cluster.close();
});

test('a log that cannot be read is behind by itself, and the filter shows it and its positions', async () => {
  const cluster = new MemoryCluster({ limits });
  await cluster.run(10);
  const { store } = cluster.node(1);
  const read = store.read.bind(store);
  store.read = (stream, ...rest) => (stream.logId === 7 ? Promise.reject(new Error('damaged')) : read(stream, ...rest));
  await cluster.append(1, 7, 'damaged');
  for (let i = 0; i < 20; i++) {
    await cluster.append(1, 8, `${i}`);
    await cluster.run(100);
  }
  expect(seen(cluster, 1, 1, 2)).toMatchObject({ state: 'lagging', heldEntries: 20, lagEntries: 1 });
  expect(seen(cluster, 1, 1, 2).reason).toContain('; streams that cannot be read here: 1');
  const ofLog = (logId: number) => seen(cluster, 1, 1, 2, { origin: 1, logId });
  const epoch = store.ownEpoch();
  expect(ofLog(7)).toMatchObject({ state: 'lagging', heldEntries: 0, lagEntries: 1 });
  expect(ofLog(7).positions).toEqual([{ epoch, heldSequence: 0, sequence: 1 }]);
  expect(ofLog(8)).toMatchObject({ state: 'healthy', heldEntries: 20, lagEntries: 0 });
  expect(cluster.node(1).replicator.status({ origin: 2 }).followers).toEqual([]);
  await cluster.close();
});
