/** Clusters whose logs are cut after each 1,000 bytes: who was away for longer gets a snapshot. */
import { describe, expect } from 'vitest';
import { KvCluster } from './kv-cluster.js';
import { type LoadScenario, loadScenario, scenario } from './kv-scenario.js';
import { appendMany, expectSpeed } from './kv-speed.js';

const cutBytes = 1000;
/** How often nodes look whether something of theirs is worth merging. */
const mergeCheckMs = 10_000;
/** A few segments of 4 KiB: fewer than are worth merging. */
const largestSnapshot = 3 * 4096;
const unreliable = { isUnreliable: true };
const restarts = { hasRestarts: true };
const partitions = { hasPartitions: true };

describe('clients at work', () => {
  const scenarios: readonly LoadScenario[] = [
    [
      'power failures lose nothing that one client was told (snapshots, recovery)',
      { nodes: 5, clients: 1, cutBytes, ...restarts },
    ],
    [
      'power failures lose nothing that twenty clients were told (snapshots, recovery)',
      { nodes: 5, clients: 20, cutBytes, ...restarts },
    ],
    ['logs stay short on an unreliable network (snapshots)', { nodes: 5, clients: 5, cutBytes, ...unreliable }],
    [
      'power failures, unreliable network (snapshots, recovery)',
      { nodes: 5, clients: 5, cutBytes, ...restarts, ...unreliable },
    ],
    [
      'power failures, partitions, unreliable network (snapshots, recovery)',
      { nodes: 5, clients: 5, cutBytes, ...restarts, ...partitions, ...unreliable },
    ],
    [
      'power failures, partitions, unreliable network: 15 clients of 7 nodes see one store through random keys (snapshots, linearizable)',
      { nodes: 7, clients: 15, cutBytes, hasRandomKeys: true, ...restarts, ...partitions, ...unreliable },
    ],
  ];
  for (const one of scenarios) loadScenario(one);
});

scenario('1,000 appends wait for no timer and for no cut of the log (snapshots, speed)', async (seeded) => {
  const cluster = new KvCluster({ ...seeded, nodes: 3, cutBytes });
  const clerk = cluster.clerk();
  await cluster.run(async () => {
    expectSpeed(await appendMany(cluster, clerk, 1000));
    expect(cluster.count('compactions')).toBeGreaterThan(cluster.nodeIds.length);
    await cluster.pass(3000);
    expect(cluster.logBytes()).toBeLessThanOrEqual(8 * cutBytes);
  });
});

scenario('who lags gets a snapshot, and is whole; the log of the majority is cut meanwhile', async (seeded) => {
  const cluster = new KvCluster({ ...seeded, nodes: 3, cutBytes });
  const clerk = cluster.clerk();
  await cluster.run(async () => {
    const now = <T>(work: Promise<T>) => cluster.through('a request', work);
    const expectAll = async (values: Readonly<Record<string, string>>) => {
      for (const [key, value] of Object.entries(values)) expect([key, await now(clerk.get(key))]).toEqual([key, value]);
    };
    await now(clerk.put('a', 'A'));
    const leader = cluster.leader();
    const [lagging = 0, other = 0] = cluster.nodeIds.filter((id) => id !== leader);
    cluster.partition([leader, other], [lagging]);
    const lastIndex = cluster.dataAt(lagging).lastIndex;
    for (let i = 0; i < 50; i++) await now(clerk.put(`${i}`, `${i}`));
    await now(clerk.put('b', 'B'));
    await cluster.pass(3000);
    expect(cluster.logBytes()).toBeLessThanOrEqual(8 * cutBytes);
    expect(cluster.dataAt(leader).firstIndex).toBeGreaterThan(lastIndex + 1);
    expect(cluster.snapshotBytes).toEqual([]);

    // Without the one that lagged there is no majority now: what is answered, it has.
    cluster.partition([leader, lagging], [other]);
    await now(clerk.put('c', 'C'));
    await now(clerk.put('d', 'D'));
    await expectAll({ a: 'A', b: 'B', 1: '1', 49: '49', c: 'C', d: 'D' });
    expect(cluster.snapshotBytes).toHaveLength(1);

    cluster.heal();
    await now(clerk.put('e', 'E'));
    await expectAll({ a: 'A', b: 'B', c: 'C', e: 'E', 0: '0', 49: '49' });
    cluster.checkHistory();
    await cluster.checkAgreement();
  });
});

scenario('a snapshot is as large as what there is, however often it was written (snapshot size)', async (seeded) => {
  const cluster = new KvCluster({ ...seeded, nodes: 3, cutBytes });
  // Of what sessions have done the last 1,024 results are kept, too.
  const clerk = cluster.clerk({ hasSession: false });
  await cluster.run(async () => {
    for (const round of [1, 2]) {
      const leader = cluster.leader();
      const [lagging = 0, other = 0] = cluster.nodeIds.filter((id) => id !== leader);
      cluster.partition([leader, other], [lagging]);
      for (let i = 0; i < 100; i++) {
        await cluster.through('a put', clerk.put('x', '0'));
        expect(await cluster.through('a read', clerk.get('x'))).toBe('0');
        await cluster.through('a put', clerk.put('x', '1'));
        expect(await cluster.through('a read', clerk.get('x'))).toBe('1');
      }
      await cluster.pass(mergeCheckMs + 2000);
      expect(cluster.logBytes()).toBeLessThanOrEqual(8 * cutBytes);
      cluster.heal();
      await cluster.until('it has caught up', () => cluster.snapshotBytes.length === round);
    }
    for (const bytes of cluster.snapshotBytes) expect(bytes).toBeLessThan(largestSnapshot);
    await cluster.checkAgreement();
  });
});
