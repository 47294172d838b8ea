/** Groups that begin only when their first members have met. */
import { expect, test } from 'vitest';
import { command, HostCluster, watched } from './host-cluster.js';

const elections = 40;

test('a majority of first members that lost all they had makes no group anew, while the one that has it is unheard [T28]', async () => {
  const cluster = await HostCluster.open({ beginsTogether: true });
  const leader = await cluster.elected();
  await Promise.all([cluster.group(leader).propose(command(1)), cluster.ticks(2)]);
  await cluster.crash(1);
  await cluster.crash(2);
  // What a node that knows them as others would do: it lets them not in.
  cluster.network.cut(3);
  for (const id of [1, 2]) {
    cluster.wipe(id);
    await cluster.startNode(id);
  }
  await cluster.ticks(elections);
  for (const id of [1, 2]) {
    const { leaderId, term, awaits } = cluster.group(id).status();
    expect({ leaderId, term, awaits }).toEqual({ leaderId: 0, term: 1, awaits: [3] });
  }
  await cluster.close();
});

test('where a majority may begin alone, two wiped first members would make an empty group', async () => {
  const cluster = await HostCluster.open();
  await cluster.elected();
  await cluster.crash(1);
  await cluster.crash(2);
  cluster.network.cut(3);
  for (const id of [1, 2]) {
    cluster.wipe(id);
    await cluster.startNode(id);
  }
  expect([1, 2]).toContain(await cluster.elected(1, [1, 2]));
  await cluster.close();
});

test('a group begins when the last of its first members is heard', async () => {
  const cluster = await HostCluster.open({ beginsTogether: true });
  cluster.network.cut(2);
  await cluster.ticks(elections);
  expect(cluster.leaderOf()).toBeUndefined();
  expect(cluster.group(1).status().awaits).toEqual([2]);
  cluster.network.heal();
  const leader = await cluster.elected();
  expect(cluster.group(leader).status().awaits).toEqual([]);
  await cluster.close();
});

test('a group that has begun needs no more than a majority, also of nodes that start again', async () => {
  const cluster = await HostCluster.open({ beginsTogether: true });
  const first = await cluster.elected();
  await Promise.all([cluster.group(first).propose(command(1)), cluster.ticks(5)]);
  for (const id of [1, 2, 3]) await cluster.crash(id);
  await cluster.startNode(1);
  await cluster.startNode(2);
  const leader = await cluster.elected(1, [1, 2]);
  const result = watched(cluster.group(leader).propose(command(2)));
  await cluster.until(() => result.value !== undefined);
  await cluster.close();
});

test('whoever has heard a leader follows it and votes, although it has not met everybody', async () => {
  const cluster = await HostCluster.open({ beginsTogether: true });
  await cluster.elected();
  await cluster.crash(1);
  await cluster.crash(2);
  cluster.wipe(2);
  await cluster.startNode(1);
  await cluster.elected(1, [1, 3]);
  // It was told by no one that it is another one; in the place of 3 it is needed from now on.
  await cluster.startNode(2);
  await cluster.until(() => cluster.group(2).status().lastIndex > 1);
  await cluster.crash(3);
  expect([1, 2]).toContain(await cluster.elected(1, [1, 2]));
  await cluster.close();
});

test('a host tells once, when the first answers come, that its clock can be judged', async () => {
  const told: number[] = [];
  const cluster = await HostCluster.open({ listener: (id) => ({ clockKnown: () => told.push(id) }) });
  await cluster.ticks(10);
  expect([...told].sort()).toEqual([1, 2, 3]);
  await cluster.crash(3);
  cluster.network.cut(3);
  await cluster.startNode(3);
  await cluster.ticks(10);
  expect([told.length, cluster.node(3).host.judgeClock().isKnown]).toEqual([3, false]);
  cluster.network.heal();
  await cluster.ticks(10);
  expect(told.slice(3)).toEqual([3]);
  await cluster.close();
});
