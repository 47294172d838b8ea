import { afterEach, expect, test } from 'vitest';
import type { ShanghaiNode } from '../src/node.js';
import { group, isReady, TestCluster } from './cluster-harness.js';
import { appendTo, by, bytes, fresh, get, put, quorumLog, readLog, request, text } from './core-harness.js';

let cluster: TestCluster;

afterEach(async () => {
  await cluster.close();
});

async function three(): Promise<TestCluster> {
  cluster = new TestCluster(3);
  await cluster.startAll();
  return cluster;
}

/** The node that leads the data group, and the others. */
function roles(): { leader: ShanghaiNode; followers: ShanghaiNode[] } {
  const leaderId = cluster.leader(1);
  if (leaderId === undefined) throw new Error('the data group has no leader');
  const followers = [...cluster.nodes].filter(([nodeId]) => nodeId !== leaderId).map(([, node]) => node);
  return { leader: cluster.node(leaderId), followers };
}

test('three nodes that were told of each other make one cluster, and each of them knows all', async () => {
  await three();
  const [first, ...others] = [...cluster.nodes.values()].map((node) => node.status());
  for (const other of others) expect(other.clusterId).toBe(first?.clusterId);
  await cluster.until('every node knows all', () =>
    [...cluster.nodes.values()].every((node) => node.status().nodes?.length === 3),
  );
  for (const node of cluster.nodes.values()) {
    expect(node.status().nodes?.map(({ nodeId, peerAddress }) => ({ nodeId, peerAddress }))).toEqual(cluster.members);
    const leaders = node.status().groups.map(({ leaderNodeId }) => leaderNodeId);
    expect(leaders).toEqual([cluster.leader(0), cluster.leader(1)]);
  }
  const instances = [...cluster.nodes.values()].map((node) => node.status().instanceId);
  expect(new Set(instances).size).toBe(3);
});

test('what was acknowledged by the leader is read at every node', async () => {
  await three();
  const { leader, followers } = roles();
  for (let i = 0; i < 20; i++) {
    await put(leader, 'a', String(i));
    for (const node of followers) expect(await cluster.during(get(node, 'a'))).toBe(String(i));
  }
  await cluster.during(leader.logs.create('events', quorumLog, request()));
  await appendTo(leader, 'events', 'x', 'y');
  for (const node of followers) expect(await cluster.during(readLog(node, 'events'))).toEqual(['x', 'y']);
});

test('a node that does not lead refuses writes as not done and names the leader', async () => {
  await three();
  const { leader, followers } = roles();
  leader.announce?.({ host: '127.0.0.1', grpcPort: 9999, httpPort: 8888 });
  const isAnnounced = (node: ShanghaiNode) =>
    node.status().nodes?.some(({ grpcAddress }) => grpcAddress.endsWith(':9999')) === true;
  await cluster.until('the address is in the node table', () => followers.every(isAnnounced));
  const leaderNodeId = cluster.leader(1);
  for (const node of followers) {
    await expect(put(node, 'a', '1')).rejects.toMatchObject({
      code: 'CLUSTER_ERROR',
      message: expect.stringContaining('nothing was done'),
      details: {
        leaderNodeId,
        leader: `node-${leaderNodeId}:9999`,
        leaderHttp: `node-${leaderNodeId}:8888`,
      },
    });
    await expect(node.logs.create('events', quorumLog, request())).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
  }
  expect(await get(leader, 'a')).toBeUndefined();
});

test('when the leader is lost the others go on with all that was acknowledged, and it follows when it is back', async () => {
  await three();
  const { leader } = roles();
  const lost = cluster.leader(1) as number;
  for (let i = 0; i < 10; i++) await put(leader, `before-${i}`, 'x');
  cluster.network.cut(lost);
  await cluster.until('another node leads both groups', () => {
    const others = [...cluster.nodes].filter(([nodeId]) => nodeId !== lost).map(([, node]) => node);
    return [0, 1].every((groupId) => others.some((node) => group(node, groupId).role === 'leader'));
  });
  const successor = [...cluster.nodes].find(([id, node]) => id !== lost && group(node, 1).role === 'leader');
  const node = successor?.[1] as ShanghaiNode;
  for (let i = 0; i < 10; i++) expect(await cluster.during(get(node, `before-${i}`))).toBe('x');
  await cluster.during(put(node, 'after', 'y'));
  const isolated = put(leader, 'isolated', 'z');
  isolated.catch(() => undefined);
  await cluster.until('the lost one has stepped down', () => group(leader, 1).role !== 'leader');
  await cluster.clock.advance(5000);
  cluster.network.heal();
  await cluster.until('it follows', () => isReady(cluster.node(lost)));
  expect(await cluster.during(get(leader, 'after'))).toBe('y');
  await expect(isolated).rejects.toMatchObject({ code: expect.stringMatching(/CLUSTER_ERROR|OUTCOME_UNKNOWN/) });
});

test('without a majority nothing is answered as done or as fresh, and readiness says what is missing', async () => {
  await three();
  const { leader } = roles();
  await put(leader, 'a', '1');
  const kept = cluster.leader(1) as number;
  cluster.network.cut(...cluster.ids.filter((nodeId) => nodeId !== kept));
  await cluster.until('it has stepped down', () => group(leader, 1).role !== 'leader');
  expect(leader.readiness().filter(({ ok }) => !ok)).toContainEqual(
    expect.objectContaining({ name: 'leader', detail: 'there is none (groups 0, 1)' }),
  );
  await expect(cluster.during(put(leader, 'a', '2'))).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
  await expect(cluster.during(get(leader, 'a'))).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
  const stale = await leader.keyValue.get(bytes('a'), { keyspace: '', level: 'stale' }, request());
  expect(text(stale.value?.value)).toBe('1');
  cluster.network.heal();
  await cluster.until('it is ready', () => isReady(leader));
});

test('a cluster that was stopped starts without flags, with everything that was acknowledged', async () => {
  await three();
  const { leader } = roles();
  for (let i = 0; i < 20; i++) await put(leader, `k${i}`, `v${i}`);
  await cluster.during(leader.logs.create('events', quorumLog, request()));
  await appendTo(leader, 'events', 'x');
  const { clusterId } = leader.status();
  for (const nodeId of cluster.ids) await cluster.stop(nodeId);
  for (const nodeId of cluster.ids) await cluster.start(nodeId, { flags: false });
  await cluster.until('every node is ready', () => cluster.ids.every((nodeId) => isReady(cluster.node(nodeId))));
  for (const [nodeId, node] of cluster.nodes) {
    expect(node.status()).toMatchObject({ nodeId, clusterId });
    for (let i = 0; i < 20; i++) expect(await cluster.during(get(node, `k${i}`))).toBe(`v${i}`);
    expect(await cluster.during(readLog(node, 'events'))).toEqual(['x']);
  }
});

test('a node that closes hands leadership over first: nobody waits for an election', async () => {
  await three();
  const lost = cluster.leader(1) as number;
  const terms = () => [...cluster.nodes.values()].map((node) => group(node, 1).term);
  const term = Math.max(...terms());
  const startMs = cluster.clock.monotonicMs();
  await cluster.stop(lost);
  await cluster.until('another one leads', () => cluster.leader(1) !== undefined && cluster.leader(1) !== lost);
  expect(Math.max(...terms())).toBe(term + 1);
  expect(cluster.clock.monotonicMs() - startMs).toBeLessThan(1000);
});

test('keyspaces and logs are made through whoever leads the data group, also where it does not lead the system group', async () => {
  await three();
  await cluster.until('every node is in the node table', () =>
    [...cluster.nodes.values()].every((node) => node.status().nodes?.length === 3),
  );
  // Each start and stop moves leaders about.
  for (let i = 0; i < 20 && cluster.leader(0) === cluster.leader(1); i++) {
    const moved = cluster.leader(1) as number;
    await cluster.stop(moved);
    await cluster.until('both groups have leaders', () => [0, 1].every((id) => cluster.leader(id) !== undefined));
    await cluster.start(moved, { flags: false });
    await cluster.until('every node is ready', () => cluster.ids.every((nodeId) => isReady(cluster.node(nodeId))));
  }
  expect(cluster.leader(0)).not.toBe(cluster.leader(1));
  const { leader, followers } = roles();
  const write = leader.keyValue.write(
    { kind: 'independent', operations: [{ type: 'put', key: bytes('ann'), value: bytes('1') }] },
    { ...by(), keyspace: 'users' },
    request(),
  );
  await cluster.during(write);
  await cluster.during(leader.logs.create('events', quorumLog, request()));
  await appendTo(leader, 'events', 'x');
  for (const node of followers) {
    const { value } = await cluster.during(node.keyValue.get(bytes('ann'), { ...fresh, keyspace: 'users' }, request()));
    expect(text(value?.value)).toBe('1');
    expect(await cluster.during(readLog(node, 'events'))).toEqual(['x']);
  }
  await cluster.during(leader.logs.delete('events', request()));
  for (const node of followers) {
    await expect(cluster.during(readLog(node, 'events'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  }
});
