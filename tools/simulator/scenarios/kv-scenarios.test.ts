/** Clusters whose logs are kept whole. */
import { describe, expect } from 'vitest';
import { electionMs, KvCluster } from './kv-cluster.js';
import { type LoadScenario, loadScenario, scenario } from './kv-scenario.js';
import { appendMany, expectSpeed } from './kv-speed.js';

const unreliable = { isUnreliable: true };
const restarts = { hasRestarts: true };
const partitions = { hasPartitions: true };

describe('clients at work', () => {
  const scenarios: readonly LoadScenario[] = [
    ['one client reads what it has written (basic)', { nodes: 5, clients: 1 }],
    ['five clients at a time get everything in their own order (concurrent)', { nodes: 5, clients: 5 }],
    [
      'nothing is lost or done twice where frames are lost and doubled (unreliable)',
      { nodes: 5, clients: 5, ...unreliable },
    ],
    ['one client goes on through many partitions', { nodes: 5, clients: 1, ...partitions }],
    ['many clients go on through many partitions', { nodes: 5, clients: 5, ...partitions }],
    [
      'power failures of all nodes lose nothing that one client was told (persist)',
      { nodes: 5, clients: 1, ...restarts },
    ],
    [
      'power failures of all nodes lose nothing that five clients were told (persist)',
      { nodes: 5, clients: 5, ...restarts },
    ],
    ['power failures, unreliable network', { nodes: 5, clients: 5, ...restarts, ...unreliable }],
    ['power failures, partitions', { nodes: 5, clients: 5, ...restarts, ...partitions }],
    [
      'power failures, partitions, unreliable network',
      { nodes: 5, clients: 5, ...restarts, ...partitions, ...unreliable },
    ],
    [
      'power failures, partitions, unreliable network: 15 clients of 7 nodes see one store through random keys (linearizable)',
      { nodes: 7, clients: 15, hasRandomKeys: true, ...restarts, ...partitions, ...unreliable },
    ],
  ];
  for (const one of scenarios) loadScenario(one);
});

scenario('1,000 appends one after the other wait for no timer (speed)', async (seeded) => {
  const cluster = new KvCluster({ ...seeded, nodes: 3 });
  const clerk = cluster.clerk();
  await cluster.run(async () => expectSpeed(await appendMany(cluster, clerk, 1000)));
});

scenario(
  'five clients’ appends to one key are there once each, in each client’s order, on an unreliable network',
  async (seeded) => {
    const cluster = new KvCluster({ ...seeded, nodes: 5, isUnreliable: true });
    const clerks = Array.from({ length: 5 }, () => cluster.clerk());
    const appends = 10;
    await cluster.run(async () => {
      const all = clerks.map(async (clerk) => {
        for (let i = 0; i < appends; i++) await clerk.append('k', `x ${clerk.id} ${i} y`);
      });
      await cluster.through('the appends', Promise.all(all));
      const value = await cluster.through('a read', cluster.clerk().get('k'));
      const tokens = value.match(/x \d+ \d+ y/g) ?? [];
      expect(tokens.join('')).toBe(value);
      expect(tokens).toHaveLength(clerks.length * appends);
      for (const { id } of clerks) {
        const own = Array.from({ length: appends }, (_, i) => `x ${id} ${i} y`);
        expect(tokens.filter((token) => token.startsWith(`x ${id} `))).toEqual(own);
      }
      expect(cluster.checkHistory()).toBeGreaterThan(clerks.length * appends);
      await cluster.checkAgreement();
    });
  },
);

scenario(
  'with one partition the majority goes on, the minority waits, and what waited is done after it (one partition)',
  async (seeded) => {
    const cluster = new KvCluster({ ...seeded, nodes: 5 });
    const [everywhere, inMajority, writes, reads] = [
      cluster.clerk(),
      cluster.clerk(),
      cluster.clerk(),
      cluster.clerk(),
    ];
    await cluster.run(async () => {
      const now = <T>(work: Promise<T>) => cluster.through('a request', work, 20 * electionMs);
      await now(everywhere.put('1', '13'));
      expect(await now(reads.get('1'))).toBe('13');
      const leader = cluster.leader();
      const [follower = 0, ...majority] = cluster.nodeIds.filter((id) => id !== leader);
      cluster.partition([...majority, inMajority.id], [leader, follower, writes.id, reads.id]);
      const ended: string[] = [];
      // Whoever led still takes itself for the leader now, and this client, too.
      const early = reads.get('1').finally(() => ended.push('early'));
      await now(inMajority.put('1', '14'));
      expect(await now(inMajority.get('1'))).toBe('14');

      const put = writes.put('1', '15').finally(() => ended.push('put'));
      const get = reads.get('1').finally(() => ended.push('get'));
      await cluster.pass(3 * electionMs);
      expect(ended).toEqual([]);
      expect(await now(inMajority.get('1'))).toBe('14');
      await now(inMajority.put('1', '16'));
      expect(await now(inMajority.get('1'))).toBe('16');
      expect(ended).toEqual([]);

      cluster.heal();
      await cluster.through('what waited in the minority', put, 3 * electionMs);
      // It is answered behind '16': nobody may be told of '13' or '14' any more.
      expect(['15', '16']).toContain(await cluster.through('what waited in the minority', get, 3 * electionMs));
      await cluster.through('what waited in the minority', early, 3 * electionMs);
      expect(await now(everywhere.get('1'))).toBe('15');
      expect(cluster.checkHistory()).toBe(11);
      await cluster.checkAgreement();
    });
  },
);
