import { expect, test } from 'vitest';
import { command, HostCluster, numbersOf, watched } from './host-cluster.js';

test('three hosts elect one of them, and everybody knows who it is', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  for (const id of [1, 2, 3]) expect(cluster.group(id).status()).toMatchObject({ leaderId: leader, term: 2 });
  await cluster.close();
});

test('proposals made at the same time are applied everywhere in the order of the calls', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const numbers = Array.from({ length: 500 }, (_, i) => i + 1);
  const results = Promise.all(numbers.map((number) => cluster.group(leader).propose(command(number))));
  await cluster.ticks(2);
  expect(await results).toEqual(numbers);
  for (const id of [1, 2, 3]) expect(numbersOf(cluster.machine(id).commands)).toEqual(numbers);
  await cluster.close();
});

test('a lone voter leads as soon as its group is open, and needs no ticks', async () => {
  const cluster = await HostCluster.open({ nodes: 1 });
  expect(cluster.leaderOf()).toBe(1);
  const result = watched(cluster.group(1).propose(command(7)));
  await cluster.settle();
  expect(result.value).toBe(1);
  await cluster.close();
});

test('followers take no proposals, and say who does', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const follower = leader === 1 ? 2 : 1;
  await expect(cluster.group(follower).propose(command(1))).rejects.toMatchObject({
    code: 'NOT_LEADER',
    leaderId: leader,
  });
  await cluster.close();
});

test('reads are answered at the leader and at followers, behind what was acknowledged before', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const written = watched(cluster.group(leader).propose(command(1)));
  await cluster.settle();
  expect(written.value).toBe(1);
  const at = cluster.group(leader).status().commitIndex;
  for (const id of [1, 2, 3]) {
    const read = watched(cluster.group(id).readIndex());
    await cluster.settle();
    expect(read.value, `node ${id}`).toBe(at);
  }
  await cluster.close();
});

test('a host that was started anew holds what it held, and goes on', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  for (const number of [1, 2, 3]) await Promise.all([cluster.group(leader).propose(command(number)), cluster.ticks(1)]);
  await cluster.crash(leader);
  const others = [1, 2, 3].filter((id) => id !== leader);
  const next = await cluster.elected(1, others);
  await Promise.all([cluster.group(next).propose(command(4)), cluster.ticks(1)]);
  await cluster.startNode(leader, false);
  await cluster.until(() => cluster.machine(leader).commands.length === 4);
  expect(numbersOf(cluster.machine(leader).commands)).toEqual([1, 2, 3, 4]);
  await cluster.close();
});
