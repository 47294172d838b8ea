/** Consumers and compaction of logs that three nodes hold. */
import { afterEach, expect, test } from 'vitest';
import type { LogPage } from '../src/logs/log-requests.js';
import type { ShanghaiNode } from '../src/node.js';
import type { RequestContext } from '../src/requests/request-context.js';
import { group, isReady, TestCluster } from './cluster-harness.js';
import { bytes, createFaultDisk, quorumLog, request } from './core-harness.js';

let cluster: TestCluster;

afterEach(async () => {
  await cluster.close();
});

const passedOn = (): RequestContext => ({ ...request(), mayForward: true });
const nodes = () => [...cluster.nodes.values()];
const leaderId = () => cluster.leader(1) as number;

/** At every node, one after the other. */
async function atEach<T>(ask: (node: ShanghaiNode) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  for (const node of nodes()) answers.push(await cluster.during(ask(node)));
  return answers;
}

function pages(node: ShanghaiNode, log: string): Promise<LogPage> {
  const start = { from: 'sequence', sequence: 0 } as const;
  return node.logs.read({ log, origin: 0, start, limit: 10_000, maxBytes: 1 << 24 }, request());
}

test('every replica hides the same, from the same entry on, and the copies agree', async () => {
  cluster = new TestCluster(3);
  await cluster.startAll();
  const leader = cluster.node(leaderId());
  await cluster.during(leader.logs.create('state', { ...quorumLog, cleanupPolicy: 'compact' }, request()));
  const value = bytes('.'.repeat(3_000));
  for (let i = 0; i < 120; i++) {
    const records = [{ key: bytes(`key-${i % 4}`), value, headers: [] }];
    await cluster.during(leader.logs.append({ log: 'state', records }, request()));
  }
  // Files that nobody uses are looked at by nobody.
  await atEach((node) => pages(node, 'state'));
  await cluster.clock.advance(12_000);
  const [first, ...others] = await atEach((node) => pages(node, 'state'));
  expect(first?.entries.length).toBeLessThan(40);
  expect(first?.gaps.length).toBeGreaterThan(0);
  for (const other of others) expect(other).toEqual(first);
  await cluster.clock.advance(12_000);
  for (const { origins } of await atEach((node) => node.logs.describe('state', request()))) {
    expect(origins[0]?.bytes).toBeLessThan(150_000);
  }
  const sums = await atEach(async (node) => (await node.checksums()).filter(({ groupId }) => groupId <= 1));
  const [sum, ...otherSums] = sums.map((groups) => groups.map(({ checksum }) => checksum));
  for (const other of otherSums) expect(other).toEqual(sum);
});

test('a consumer commits at any node, and goes on when the node that led is gone', async () => {
  cluster = new TestCluster(3);
  await cluster.startAll();
  await cluster.during(cluster.node(leaderId()).logs.create('events', quorumLog, request()));
  const records = [{ key: bytes(''), value: bytes('v'), headers: [] }];
  for (const node of nodes()) await cluster.during(node.logs.append({ log: 'events', records }, passedOn()));
  const commit = (node: ShanghaiNode, sequence: number) =>
    cluster.during(
      node.logUpkeep?.commit(
        { log: 'events', consumer: 'c', generation: 0, positions: [{ origin: 0, epoch: 0, sequence }] },
        passedOn(),
      ) as Promise<unknown>,
    );
  for (const [i, node] of nodes().entries()) {
    expect(await commit(node, i)).toMatchObject({ positions: [{ sequence: i }] });
  }
  const gone = leaderId();
  await cluster.stop(gone, 0);
  await cluster.until('another one leads', () => cluster.leader(1) !== undefined && cluster.leader(0) !== undefined);
  for (const node of nodes()) {
    const view = await cluster.during(node.logUpkeep?.consumer('events', 'c', request()) as Promise<unknown>);
    expect(view).toMatchObject({ generation: 1, positions: [{ sequence: 2 }], lags: [{ entries: 1 }] });
  }
  expect(await commit(nodes()[0] as ShanghaiNode, 3)).toMatchObject({ positions: [{ sequence: 3 }] });
});

test('level all waits for every replica, and says what it does not know', async () => {
  cluster = new TestCluster(3);
  await cluster.startAll();
  const leader = cluster.node(leaderId());
  await cluster.during(leader.logs.create('events', { ...quorumLog, acknowledgement: 'all' }, request()));
  const records = [{ key: bytes(''), value: bytes('v'), headers: [] }];
  const append = () => cluster.during(leader.logs.append({ log: 'events', records }, request()));
  await append();
  for (const node of nodes()) expect(group(node, 1).lastIndex).toBe(group(leader, 1).lastIndex);
  const away = cluster.ids.find((nodeId) => nodeId !== leaderId() && nodeId !== cluster.leader(0)) as number;
  cluster.network.cut(away);
  const refusal = { code: 'OUTCOME_UNKNOWN', details: { acknowledgement: 'all', isDurable: true } };
  await expect(append()).rejects.toMatchObject(refusal);
  const quorum = { log: 'events', records, acknowledgement: 'quorum' } as const;
  expect(await cluster.during(leader.logs.append(quorum, request()))).toMatchObject({ firstSequence: 3 });
  cluster.network.heal();
  await append();
});

test('a follower that gets a snapshot hides what the others hide, and has the consumers', async () => {
  const received: number[] = [];
  cluster = new TestCluster(3, {
    raft: { compactBytes: 0, trailingEntries: 0, trailingBytes: 0 },
    raftListener: { snapshotReceived: ({ groupId, error }) => void (error === undefined && received.push(groupId)) },
  });
  for (const nodeId of cluster.ids) cluster.disks.set(nodeId, createFaultDisk({ seed: nodeId }));
  await cluster.startAll();
  const leader = cluster.node(leaderId());
  const laggardId = cluster.ids.find((nodeId) => nodeId !== leaderId() && nodeId !== cluster.leader(0)) as number;
  await cluster.during(leader.logs.create('state', { ...quorumLog, cleanupPolicy: 'compact' }, request()));
  const fill = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const records = [{ key: bytes(`key-${i % 4}`), value: bytes(`${i}${'.'.repeat(3_000)}`), headers: [] }];
      await cluster.during(leader.logs.append({ log: 'state', records }, request()));
    }
  };
  await fill(60);
  cluster.network.cut(laggardId);
  await fill(90);
  await cluster.during(
    leader.logUpkeep?.commit(
      { log: 'state', consumer: 'c', generation: 0, positions: [{ origin: 0, epoch: 0, sequence: 149 }] },
      request(),
    ) as Promise<unknown>,
  );
  await cluster.clock.advance(20_000);
  for (const node of nodes()) if (node !== cluster.node(laggardId)) await cluster.during(node.checkpoint());
  cluster.network.heal();
  const laggard = cluster.node(laggardId);
  await cluster.until('it has caught up', () => {
    return isReady(laggard) && group(laggard, 1).appliedIndex === group(leader, 1).appliedIndex;
  });
  expect(received).toContain(1);
  const [first, ...others] = await atEach((node) => pages(node, 'state'));
  expect(first?.entries.length).toBeLessThan(50);
  for (const other of others) expect(other).toEqual(first);
  for (const view of await atEach((node) => node.logUpkeep?.consumer('state', 'c', request()) as Promise<unknown>)) {
    expect(view).toMatchObject({ positions: [{ sequence: 149 }], lags: [{ entries: 1 }] });
  }
  const sums = await atEach(async (node) => (await node.checksums()).find(({ groupId }) => groupId === 1)?.checksum);
  expect(new Set(sums).size).toBe(1);
});
