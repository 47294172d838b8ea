import { afterEach, expect, test } from 'vitest';
import type { JoinRequest, NodeMembers } from '../src/members/node-members.js';
import type { ServerError } from '../src/requests/server-error.js';
import { group, isReady, TestCluster } from './cluster-harness.js';
import { bytes, get, put, request, smallOptions, text } from './core-harness.js';

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

/** Whether every group has taken a node in, as the node table says. */
const isMember = (nodeId: number) => () => table(cluster.leader(0) as number).includes(`${nodeId} member`);

async function fourNodes(): Promise<void> {
  cluster = new TestCluster(3);
  await cluster.startAll();
  await cluster.join(4);
  await cluster.until('node 4 is a member', isMember(4));
}

function membersOf(nodeId: number): NodeMembers {
  return cluster.node(nodeId).members as NodeMembers;
}

test('the leader of every group can leave: it hands over, is taken out, and is told so', async () => {
  await fourNodes();
  const failures: unknown[] = [];
  const leader = cluster.leader(1) as number;
  await cluster.stop(leader);
  await cluster.start(leader, { flags: false, listener: { failed: ({ error }) => failures.push(error) } });
  for (const groupId of [0, 1]) {
    await cluster.until(`group ${groupId} has a leader`, () => cluster.leader(groupId) !== undefined);
  }
  const rest = cluster.ids.concat(4).filter((id) => id !== leader);
  await cluster.during(membersOf(rest[0] as number).leave(leader, false));
  await until(`${rest}+ ${rest}+`);
  await cluster.until('it is told', () => failures.length > 0);
  expect(failures[0]).toMatchObject({ code: 'REMOVED', message: expect.stringContaining('--join') });
  await cluster.stop(leader, 0).catch(() => undefined);
  await expect(cluster.start(leader)).rejects.toMatchObject({ code: 'REMOVED' });
  await cluster.during(put(leaderNode(1), 'after', '1'));
});

test('a node that was taken out while it was down is told when it comes back, and disturbs nobody [T42]', async () => {
  await fourNodes();
  const victim = cluster.ids.find((id) => id !== cluster.leader(0) && id !== cluster.leader(1)) as number;
  await cluster.stop(victim, 0);
  await cluster.during(membersOf(cluster.leader(0) as number).replace(victim, 0, false));
  const rest = cluster.ids.concat(4).filter((id) => id !== victim);
  await until(`${rest}+ ${rest}+`);
  await cluster.until('it is gone', () => !table(cluster.leader(0) as number).includes(`${victim} `));
  const terms = () => [0, 1].map((groupId) => group(leaderNode(groupId), groupId).term);
  const before = terms();
  const failures: unknown[] = [];
  await cluster.start(victim, { flags: false, listener: { failed: ({ error }) => failures.push(error) } });
  await cluster.until('it is told', () => failures.length > 0);
  expect(failures[0]).toMatchObject({ code: 'REMOVED' });
  expect(terms()).toEqual(before);
});

test('a dead node keeps its place until a new one has caught up and takes it', async () => {
  cluster = new TestCluster(3);
  await cluster.startAll();
  const dead = cluster.ids.find((id) => id !== cluster.leader(0) && id !== cluster.leader(1)) as number;
  await cluster.stop(dead, 0);
  await cluster.during(membersOf(cluster.leader(0) as number).replace(dead, 0, false));
  await cluster.during(put(leaderNode(1), 'meanwhile', '1'));
  await until('1,2,3+ 1,2,3+');
  const through = cluster.leader(0) as number;
  await cluster.join(4, through);
  const rest = cluster.ids.concat(4).filter((id) => id !== dead);
  await until(`${rest}+ ${rest}+`);
  expect(await cluster.during(get(cluster.node(4), 'meanwhile'))).toBe('1');
});

test('a leave that would leave no majority, an unknown node, and a second leave are refused, each with its reason', async () => {
  cluster = new TestCluster(3);
  await cluster.startAll();
  const leader = cluster.leader(0) as number;
  const members = membersOf(leader);
  const outcome = (work: Promise<void>) =>
    cluster.during(work).then(
      () => 'taken',
      (error: ServerError) => `${error.code} ${error.message}`,
    );
  expect(await outcome(members.leave(9, false))).toContain('NOT_FOUND');
  const [first, second] = cluster.ids.filter((id) => id !== leader) as [number, number];
  await cluster.stop(first, 0);
  await cluster.until('the leader has noticed', () => {
    const known = group(cluster.node(leader), 0).consensus?.replicas;
    return known?.some(({ nodeId, isActive }) => nodeId === first && !isActive) === true;
  });
  expect(await outcome(members.leave(second, false))).toMatch(/^CONFLICT .*most of them are not up/);
  expect(await outcome(members.replace(first, 0, false))).toBe('taken');
  expect(await outcome(members.leave(second, false))).toMatch(/^CONFLICT .*is leaving/);
  // By force it is written down, and not done before a majority would remain.
  expect(await outcome(members.leave(second, true))).toBe('taken');
  await cluster.during(put(leaderNode(1), 'k', 'v'));
  expect(group(cluster.node(leader), 0).consensus?.configuration.voters).toEqual([1, 2, 3]);
});

test('a node that was broken off while it joined goes on as the same one', async () => {
  cluster = new TestCluster(3);
  await cluster.startAll();
  const broken = {
    addresses: ['node-1:9090'],
    peerAddress: 'node-4:9190',
    ask: async (_address: string, request: JoinRequest) => {
      await membersOf(1).join(request);
      throw new Error('the power is gone');
    },
  };
  for (let i = 0; i < 2; i++) {
    const start = cluster.start(4, { flags: false, nodeId: 4, join: broken });
    await expect(cluster.during(start)).rejects.toThrow('the power is gone');
  }
  await expect(cluster.start(4, { flags: false })).rejects.toMatchObject({ code: 'OTHER_NODE' });
  await cluster.join(4);
  await cluster.until('node 4 is a member', isMember(4));
  expect(table(1)).toBe('1 first, 2 first, 3 first, 4 member');
  await cluster.stop(4);
  await cluster.start(4, { flags: false });
  await cluster.until('it is ready without flags', () => isReady(cluster.node(4)));
});

test('a learner answers stale and session reads, takes writes for the leader, and is one after a restart [T43]', async () => {
  await fourNodes();
  const four = () => cluster.node(4);
  await cluster.during(put(leaderNode(1), 'k', 'v'));
  expect(group(four(), 1).role).toBe('learner');
  const read = four().keyValue.get(bytes('k'), { keyspace: '', level: 'stale' }, request());
  expect(text((await cluster.during(read)).value?.value)).toBe('v');
  expect(await cluster.during(get(four(), 'k'))).toBe('v');
  await cluster.stop(4);
  await cluster.start(4, { flags: false });
  await cluster.until('it is ready', () => isReady(four()));
  expect(members()).toBe('1,2,3+4 1,2,3+4');
  expect([group(four(), 0).role, group(four(), 1).role]).toEqual(['learner', 'learner']);
});

test('with a higher factor learners vote, with a lower one voters learn', async () => {
  await fourNodes();
  await cluster.join(5);
  await cluster.until('node 5 is a member', isMember(5));
  await cluster.during(membersOf(1).setReplicationFactor(5));
  await until('1,2,3,4,5+ 1,2,3,4,5+');
  await cluster.during(membersOf(4).setReplicationFactor(3));
  await cluster.until('three vote in each', () => {
    const votes = [0, 1].map((groupId) => group(leaderNode(groupId), groupId).consensus?.configuration);
    return votes.every((one) => one?.voters.length === 3 && one.learners.length === 2);
  });
});

test('a node that does not sync before it answers does not join, and one that has no listener is not joined', async () => {
  cluster = new TestCluster(1);
  await cluster.start(1, { flags: false });
  await expect(cluster.join(2)).rejects.toMatchObject({
    code: 'JOIN_REFUSED',
    message: expect.stringContaining('--peer-port'),
  });
  await cluster.stop(1);
  await cluster.start(1, { flags: false, peers: { host: 'node-1', port: 9190 } });
  await cluster.during(put(cluster.node(1), 'alone', '1'));
  const other = { instanceId: 'other', peerAddress: 'node-2:9190', name: '', nodeId: 0, engine: 'level' };
  await expect(membersOf(1).join(other)).rejects.toMatchObject({ code: 'CONFLICT' });
  await cluster.join(2);
  await until('1,2+ 1,2+');
  expect(await cluster.during(get(cluster.node(2), 'alone'))).toBe('1');
  await cluster.stop(1);
  const unsynced = { ...smallOptions.wal, durability: 'never' } as const;
  await expect(cluster.start(1, { flags: false, wal: unsynced })).rejects.toMatchObject({ code: 'OTHER_NODE' });
  await cluster.start(1, { flags: false });
  await cluster.until('both are ready again', () => isReady(cluster.node(1)) && isReady(cluster.node(2)));
});
