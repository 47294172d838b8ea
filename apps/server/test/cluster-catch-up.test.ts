import { afterEach, expect, test } from 'vitest';
import type { StateChecksum } from '../src/raft/state-checksum.js';
import { group, isReady, TestCluster } from './cluster-harness.js';
import { appendTo, get, put, quorumLog, readLog, request } from './core-harness.js';

let cluster: TestCluster;

afterEach(async () => {
  await cluster.close();
});

/** Logs are cut as soon as they can be: who was away needs a snapshot. */
const cutAtOnce = { raft: { compactBytes: 0, trailingEntries: 0, trailingBytes: 0 } };

/** Checksums of all nodes at one entry. */
async function checksums(groupId: number): Promise<StateChecksum[]> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const sums = await cluster.during(
      Promise.all([...cluster.nodes.values()].map(async (node) => node.stateChecksum?.(groupId))),
    );
    const found = sums.filter((sum) => sum !== undefined);
    if (new Set(found.map(({ appliedIndex }) => appliedIndex)).size === 1) return found;
    await cluster.clock.advance(100);
  }
  throw new Error(`the nodes did not meet at one entry of group ${groupId}`);
}

async function expectSameEverywhere(): Promise<void> {
  for (const groupId of [0, 1]) {
    const sums = await checksums(groupId);
    expect(sums).toHaveLength(cluster.nodes.size);
    expect(new Set(sums.map(({ checksum }) => checksum)).size).toBe(1);
  }
}

function leaderOfData() {
  return cluster.node(cluster.leader(1) as number);
}

test('a node that was away for longer than the log is kept gets a snapshot, and is the same as the others', async () => {
  cluster = new TestCluster(3, cutAtOnce);
  await cluster.startAll();
  const away = cluster.ids.find((nodeId) => nodeId !== cluster.leader(1) && nodeId !== cluster.leader(0)) as number;
  await cluster.during(leaderOfData().logs.create('events', quorumLog, request()));
  await put(leaderOfData(), 'early', 'x');
  await appendTo(leaderOfData(), 'events', 'a');
  await cluster.until('all have it', () => [...cluster.nodes.values()].every((node) => group(node, 1).revision === 1));
  await cluster.stop(away);
  for (let i = 0; i < 100; i++) await put(leaderOfData(), `k${i}`, `v${i}`);
  await appendTo(leaderOfData(), 'events', 'b', 'c');
  for (const node of cluster.nodes.values()) await cluster.during(node.checkpoint());
  const cut = Math.min(...[...cluster.nodes.values()].map((node) => group(node, 1).firstIndex));
  const back = await cluster.start(away, { flags: false });
  expect(group(back, 1).lastIndex).toBeLessThan(cut - 1);
  await cluster.until('it is ready', () => isReady(back));
  expect(await cluster.during(get(back, 'k99'))).toBe('v99');
  expect(await cluster.during(get(back, 'early'))).toBe('x');
  expect(await cluster.during(readLog(back, 'events'))).toEqual(['a', 'b', 'c']);
  await expectSameEverywhere();
  await cluster.during(put(leaderOfData(), 'late', 'y'));
  await cluster.stop(away);
  const again = await cluster.start(away, { flags: false });
  await cluster.until('it is ready again', () => isReady(again));
  expect(await cluster.during(get(again, 'late'))).toBe('y');
  await expectSameEverywhere();
});

test('data of every kind is the same on all nodes at one entry', async () => {
  cluster = new TestCluster(3);
  await cluster.startAll();
  const leader = leaderOfData();
  const { sessionId } = (await leader.keyValue.openSession(0, request())).value;
  for (let i = 0; i < 30; i++) {
    await put(leader, `k${i % 7}`, `v${i}`, { sessionId, requestNumber: i + 1, retry: false });
  }
  await cluster.during(leader.logs.create('events', quorumLog, request()));
  for (let i = 0; i < 10; i++) await appendTo(leader, 'events', `e${i}`);
  await expectSameEverywhere();
});
