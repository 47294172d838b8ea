import { afterEach, expect, test } from 'vitest';
import { group, isReady, TestCluster } from './cluster-harness.js';
import { get, put } from './core-harness.js';

let cluster: TestCluster;

afterEach(async () => {
  await cluster.close();
});

/** The voters and learners of both groups as their leaders have them. */
function members(): string {
  return [0, 1]
    .map((groupId) => {
      const leader = cluster.leader(groupId);
      if (leader === undefined) return 'no leader';
      const { voters, votersOutgoing, learners } = group(cluster.node(leader), groupId).consensus?.configuration ?? {};
      if (votersOutgoing?.length !== 0) return 'joint';
      return `${voters}+${learners}`;
    })
    .join(' ');
}

function table(nodeId: number): string {
  const nodes = cluster.node(nodeId).status().nodes ?? [];
  return nodes.map((node) => `${node.nodeId} ${node.state ?? 'first'}`).join(', ');
}

const until = (wanted: string) => cluster.until(`members are ${wanted}, not ${members()}`, () => members() === wanted);

function leaderNode(groupId: number) {
  return cluster.node(cluster.leader(groupId) as number);
}

test('a fourth node learns, takes the place of one that leaves, and holds what was written before it came', async () => {
  cluster = new TestCluster(3);
  await cluster.startAll();
  await cluster.during(put(leaderNode(1), 'before', '1'));
  await cluster.join(4);
  await until('1,2,3+4 1,2,3+4');
  await cluster.until('it is a member', () => table(1).includes('4 member') && isReady(cluster.node(4)));
  await cluster.during(cluster.node(4).members?.leave(2, false) as Promise<void>);
  await until('1,3,4+ 1,3,4+');
  await cluster.until('node 2 is gone', () => table(4) === '1 first, 3 first, 4 member');
  await cluster.during(put(leaderNode(1), 'after', '2'));
  const four = cluster.node(4);
  expect([await cluster.during(get(four, 'before')), await cluster.during(get(four, 'after'))]).toEqual(['1', '2']);
});
