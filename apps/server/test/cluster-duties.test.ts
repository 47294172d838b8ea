import { afterEach, expect, test } from 'vitest';
import type { ShanghaiNode } from '../src/node.js';
import { group, isReady, TestCluster } from './cluster-harness.js';
import { appendTo, by, bytes, get, put, quorumLog, readLog, request } from './core-harness.js';

let cluster: TestCluster;

afterEach(async () => {
  await cluster.close();
});

function leaderOf(groupId: number): ShanghaiNode {
  return cluster.node(cluster.leader(groupId) as number);
}

async function three(more: ConstructorParameters<typeof TestCluster>[1] = {}): Promise<void> {
  cluster = new TestCluster(3, more);
  await cluster.startAll();
  await cluster.until('every node is in the node table', () =>
    [...cluster.nodes.values()].every((node) => node.status().nodes?.length === 3),
  );
}

/** Stops the leader of the data group and starts it again, so that another one leads. */
async function changeLeader(): Promise<void> {
  const before = cluster.leader(1) as number;
  await cluster.stop(before);
  await cluster.until('both groups have leaders', () => [0, 1].every((id) => cluster.leader(id) !== undefined));
  await cluster.start(before, { flags: false });
  await cluster.until('every node is ready', () => cluster.ids.every((nodeId) => isReady(cluster.node(nodeId))));
  expect(cluster.leader(1)).not.toBe(before);
}

/** The leader's first round may be under way still. */
async function appendWhenMade(log: string, value: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      await cluster.during(appendTo(leaderOf(1), log, value));
      return;
    } catch (error) {
      if ((error as { code?: string }).code !== 'NOT_FOUND') throw error;
      await cluster.clock.advance(50);
    }
  }
  throw new Error(`log '${log}' was not made`);
}

test('a log that was made or deleted by half is so in whole once another node leads', async () => {
  await three();
  await cluster.during(leaderOf(1).logs.create('old', quorumLog, request()));
  await appendTo(leaderOf(1), 'old', 'x');
  // As if who did it had died before the data group's part.
  const half = (change: Parameters<NonNullable<ShanghaiNode['proposeCatalogue']>>[0]) =>
    cluster.during(leaderOf(0).proposeCatalogue?.(change) as Promise<number>);
  await half({ type: 'createLog', name: 'new', settings: quorumLog, origin: 1 });
  await half({ type: 'deleteLog', name: 'old' });
  await expect(cluster.during(appendTo(leaderOf(1), 'new', 'a'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await changeLeader();
  await appendWhenMade('new', 'a');
  for (const node of cluster.nodes.values()) {
    expect(await cluster.during(readLog(node, 'new'))).toEqual(['a']);
    await expect(cluster.during(readLog(node, 'old'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  }
});

test('a session that is due ends although nobody writes, by the time of whoever leads', async () => {
  await three();
  const { sessionId } = (await leaderOf(1).keyValue.openSession(5000, request())).value;
  await put(leaderOf(1), 'a', '1', { sessionId, requestNumber: 1, retry: false });
  await changeLeader();
  await cluster.clock.advance(10_000);
  await cluster.until('it has ended everywhere', () =>
    [...cluster.nodes.values()].every((node) => group(node, 1).sessions === 0),
  );
  const late = leaderOf(1).keyValue.write(
    { kind: 'independent', operations: [{ type: 'put', key: bytes('a'), value: bytes('2') }] },
    by({ sessionId, requestNumber: 2, retry: false }),
    request(),
  );
  await expect(cluster.during(late)).rejects.toMatchObject({ code: 'SESSION_EXPIRED' });
});

test('a cluster that nobody uses rests: beats go on, messages do not, and a write wakes it', async () => {
  await three();
  await put(leaderOf(1), 'a', '1');
  await cluster.until('both groups sleep everywhere', () =>
    [...cluster.nodes.values()].every((node) => node.status().groups.every(({ consensus }) => consensus?.isAsleep)),
  );
  const { messageFramesSent, framesSent } = cluster.network;
  await cluster.clock.advance(60_000);
  expect(cluster.network.messageFramesSent).toBe(messageFramesSent);
  expect(cluster.network.framesSent).toBeGreaterThan(framesSent);
  await cluster.during(put(leaderOf(1), 'a', '2'));
  for (const node of cluster.nodes.values()) expect(await cluster.during(get(node, 'a'))).toBe('2');
});

test('a leader that closes while the cluster rests hands over all the same', async () => {
  await three();
  await cluster.until('both groups sleep everywhere', () =>
    [...cluster.nodes.values()].every((node) => node.status().groups.every(({ consensus }) => consensus?.isAsleep)),
  );
  const lost = cluster.leader(1) as number;
  const startMs = cluster.clock.monotonicMs();
  await cluster.stop(lost);
  await cluster.until('another one leads', () => [0, 1].every((id) => cluster.leader(id) !== undefined));
  expect(cluster.clock.monotonicMs() - startMs).toBeLessThan(1000);
  await cluster.during(put(leaderOf(1), 'a', '2'));
});

test('a leader that dies while the cluster rests is missed, and another one leads', async () => {
  await three();
  await put(leaderOf(1), 'a', '1');
  const lost = cluster.leader(1) as number;
  await cluster.until('both groups sleep everywhere', () =>
    [...cluster.nodes.values()].every((node) => node.status().groups.every(({ consensus }) => consensus?.isAsleep)),
  );
  const dead = cluster.node(lost);
  cluster.network.cut(lost);
  cluster.nodes.delete(lost);
  await cluster.until('another one leads', () => cluster.leader(1) !== undefined && cluster.leader(0) !== undefined);
  await cluster.during(put(leaderOf(1), 'a', '2'));
  await cluster.during(dead.close(0));
});

test('checkpoints cut the log of every replica, and what is behind them is there after a restart of all', async () => {
  await three({ raft: { compactBytes: 0, trailingEntries: 5, trailingBytes: 1 << 20 } });
  for (let i = 0; i < 50; i++) await put(leaderOf(1), `k${i}`, 'x'.repeat(100));
  await cluster.until('all have it', () => [...cluster.nodes.values()].every((node) => group(node, 1).revision === 50));
  for (const node of cluster.nodes.values()) {
    await cluster.during(node.checkpoint());
    const { firstIndex, lastIndex } = group(node, 1);
    expect(lastIndex - firstIndex).toBeLessThanOrEqual(6);
  }
  for (const nodeId of cluster.ids) await cluster.stop(nodeId, 0);
  for (const nodeId of cluster.ids) await cluster.start(nodeId, { flags: false });
  await cluster.until('every node is ready', () => cluster.ids.every((nodeId) => isReady(cluster.node(nodeId))));
  for (const node of cluster.nodes.values()) expect(await cluster.during(get(node, 'k49'))).toBe('x'.repeat(100));
});
