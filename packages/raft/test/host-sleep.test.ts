/** Groups without work come to rest, and wake. */
import { expect, test, vi } from 'vitest';
import { RawNode } from '../src/core/raw-node.js';
import { command, HostCluster, numbersOf, watched } from './host-cluster.js';

const others = (id: number) => [1, 2, 3].filter((other) => other !== id);

async function asleep(groups: readonly number[] = [1]): Promise<HostCluster> {
  const cluster = await HostCluster.open({ groups });
  for (const groupId of groups) await cluster.elected(groupId);
  await cluster.until(() => isAsleep(cluster, groups), 80);
  return cluster;
}

function isAsleep(cluster: HostCluster, groups: readonly number[] = [1]): boolean {
  return groups.toReversed().every((groupId) => [1, 2, 3].every((id) => cluster.group(id, groupId).status().isAsleep));
}

test('a group without work falls asleep everywhere; work at its leader wakes it', async () => {
  const cluster = await asleep();
  const leader = cluster.leaderOf() as number;
  const result = watched(cluster.group(leader).propose(command(1)));
  await cluster.settle();
  expect(result.value).toBe(1);
  expect([1, 2, 3].map((id) => cluster.group(id).status().isAsleep)).toEqual([false, false, false]);
  await cluster.until(() => isAsleep(cluster), 60);
  expect(cluster.group(leader).status()).toMatchObject({ role: 'StateLeader', term: 2 });
  await cluster.close();
});

test('a read at a follower that sleeps is answered by a leader that sleeps', async () => {
  const cluster = await asleep();
  const leader = cluster.leaderOf() as number;
  const read = watched(cluster.group(others(leader)[0] as number).readIndex());
  await cluster.settle();
  expect(read.value).toBe(cluster.group(leader).status().commitIndex);
  await cluster.close();
});

test('groups asleep, be they a thousand, cost neither ticks nor messages, only the beats of their nodes', async () => {
  const groups = Array.from({ length: process.env.SHANGHAI_DEEP === '1' ? 1_000 : 200 }, (_, i) => i);
  const cluster = await HostCluster.open({ groups, limits: { sleepTicks: 3 } });
  await cluster.until(() => isAsleep(cluster, groups), 80);
  const { network } = cluster;
  const before = [network.framesSent, network.messageFramesSent];
  const clocksBefore = network.clockFramesSent;
  const tick = vi.spyOn(RawNode.prototype, 'tick');
  await cluster.ticks(50);
  expect(tick).not.toHaveBeenCalled();
  tick.mockRestore();
  expect([network.framesSent - (before[0] ?? 0), network.messageFramesSent - (before[1] ?? 0)]).toEqual([50 * 6, 0]);
  // In five seconds each node asks each other one two or three times.
  expect(network.clockFramesSent - clocksBefore).toBeLessThanOrEqual(3 * 2 * 6);
  expect(cluster.node(1).log.waitingSinceMs()).toBeUndefined();
  expect(isAsleep(cluster, groups)).toBe(true);
  await cluster.close();
}, 60_000);

test('the leader of a group asleep tells by the beats of their nodes which members are there', async () => {
  const cluster = await asleep();
  const leader = cluster.leaderOf() as number;
  const [gone, there] = others(leader) as [number, number];
  await cluster.crash(gone);
  await cluster.ticks(15);
  const { isAsleep: isStillAsleep, replicas } = cluster.group(leader).status();
  expect(isStillAsleep).toBe(true);
  const active = new Map(replicas.map(({ nodeId, isActive }) => [nodeId, isActive]));
  expect([active.get(gone), active.get(there)]).toEqual([false, true]);
  await cluster.close();
});

test('[T49] followers wake when the node of their leader is not heard any more, and elect another', async () => {
  const cluster = await asleep([1, 2, 3]);
  const leader = cluster.leaderOf() as number;
  await cluster.crash(leader);
  const next = await cluster.elected(1, others(leader));
  const result = watched(cluster.group(next).propose(command(1)));
  await cluster.settle();
  expect(result.value).toBe(1);
  await cluster.close();
});

test('[T49] a node that comes back sooner than it is missed does not leave its groups without a leader', async () => {
  const cluster = await asleep();
  const leader = cluster.leaderOf() as number;
  await cluster.crash(leader);
  await cluster.startNode(leader);
  await cluster.ticks(1);
  // It is heard, but it is another process: nobody there leads.
  expect(others(leader).map((id) => cluster.group(id).status().isAsleep)).toEqual([false, false]);
  const next = await cluster.elected();
  const result = watched(cluster.group(next).propose(command(1)));
  await cluster.settle();
  expect(result.value).toBe(1);
  await cluster.close();
});

test('a follower that comes back hears of its leader without an election', async () => {
  const cluster = await asleep();
  const leader = cluster.leaderOf() as number;
  const [follower] = others(leader) as [number];
  await cluster.crash(follower);
  await cluster.startNode(follower);
  await cluster.ticks(3);
  expect(cluster.group(follower).status()).toMatchObject({ leaderId: leader, term: 2 });
  await cluster.until(() => isAsleep(cluster), 60);
  await cluster.close();
});

test('a learner whose group is opened while the others sleep wakes their leader, and can be read from', async () => {
  const cluster = await HostCluster.open({ nodes: 4, voters: [1, 2, 3] });
  const leader = await cluster.elected(1, [1, 2, 3]);
  const added = cluster.group(leader).changeConfiguration({
    transition: 'auto',
    changes: [{ type: 'addLearner', nodeId: 4 }],
  });
  await cluster.ticks(3);
  await added;
  const isResting = () => [1, 2, 3, 4].every((id) => cluster.group(id).status().isAsleep);
  await cluster.until(isResting, 60);
  await cluster.group(4).close(0);
  await cluster.ticks(3);
  expect(cluster.group(leader).status().isAsleep).toBe(true);
  await cluster.openGroup(4, 1);
  await cluster.until(() => cluster.group(4).status().leaderId === leader, 15);
  const read = watched(cluster.group(4).readIndex());
  await cluster.settle();
  expect(read.value).toBe(cluster.group(leader).status().commitIndex);
  await cluster.until(isResting, 60);
  await cluster.close();
});

test('[T50] a follower that did not hear that it may rest wakes the others, without an election', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const [deaf] = others(leader) as [number];
  cluster.network.filter = (_from, to, { messages, signals }) => ({
    messages,
    signals: to === deaf ? signals.filter(({ type }) => type !== 'rest') : signals,
  });
  await cluster.until(() => cluster.group(leader).status().isAsleep, 60);
  expect(cluster.group(deaf).status().isAsleep).toBe(false);
  cluster.network.filter = undefined;
  await cluster.until(() => isAsleep(cluster), 80);
  expect(cluster.leaderOf()).toBe(leader);
  expect(cluster.group(leader).status().term).toBe(2);
  await cluster.close();
});

test('[T50] a group with a member that lacks something, or cannot be heard, does not sleep', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const [away] = others(leader) as [number];
  cluster.network.cut(away);
  await cluster.ticks(60);
  expect(cluster.group(leader).status().isAsleep).toBe(false);
  await Promise.all([cluster.group(leader).propose(command(1)), cluster.ticks(1)]);
  cluster.network.heal();
  await cluster.until(() => isAsleep(cluster), 100);
  expect(numbersOf(cluster.machine(away).commands)).toEqual([1]);
  await cluster.close();
});

test('a leader that slept through a partition confirms that it leads before it answers', async () => {
  const cluster = await asleep();
  const old = cluster.leaderOf() as number;
  cluster.network.cut(old);
  const next = await cluster.elected(1, others(old));
  await Promise.all([cluster.group(next).propose(command(1)), cluster.ticks(1)]);
  expect(cluster.group(old).status()).toMatchObject({ isAsleep: true, role: 'StateLeader' });
  const read = watched(cluster.group(old).readIndex());
  await cluster.ticks(25);
  expect(read.error).toMatchObject({ code: 'NOT_LEADER' });
  cluster.network.heal();
  await cluster.until(() => cluster.machine(old).commands.length === 1);
  await cluster.close();
});

test('groups that sleep wake when the disk of their leader is silent', async () => {
  const cluster = await HostCluster.open({ groups: [1, 2] });
  // One node leads both groups; only one of them writes.
  const leader = await cluster.elected(1);
  if ((await cluster.elected(2)) !== leader) {
    const held = cluster.leaderOf(2) as number;
    await Promise.all([cluster.group(held, 2).transferLeadership(leader), cluster.ticks(2)]);
  }
  await cluster.until(() => isAsleep(cluster, [1, 2]), 80);
  cluster.node(leader).log.stall();
  watched(cluster.group(leader, 1).propose(command(1)));
  await cluster.elected(2, others(leader));
  await cluster.close();
});

test('a group of one voter needs no ticks', async () => {
  const cluster = await HostCluster.open({ nodes: 1, groups: [1, 2] });
  await cluster.ticks(2);
  const tick = vi.spyOn(RawNode.prototype, 'tick');
  await cluster.ticks(100);
  expect(tick).not.toHaveBeenCalled();
  tick.mockRestore();
  expect(cluster.group(1).status()).toMatchObject({ role: 'StateLeader', term: 2, isAsleep: false });
  await cluster.close();
});
