/** Who is in a group, and who leads it. */
import { expect, test } from 'vitest';
import type { ConfChangeType } from '../src/core/configuration/conf-change.js';
import { command, HostCluster, numbersOf, watched } from './host-cluster.js';

const change = (type: ConfChangeType, nodeId: number) => ({ transition: 'auto' as const, changes: [{ type, nodeId }] });
const others = (id: number) => [1, 2, 3].filter((other) => other !== id);

test('a node becomes learner, then voter, and another one is removed', async () => {
  const cluster = await HostCluster.open({ nodes: 4, voters: [1, 2, 3] });
  const leader = await cluster.elected(1, [1, 2, 3]);
  const leaving = others(leader)[0] as number;
  const group = cluster.group(leader);
  const made = async (type: ConfChangeType, nodeId: number) => {
    const result = watched(group.changeConfiguration(change(type, nodeId)));
    await cluster.until(() => result.value !== undefined || result.error !== undefined);
    return result.value;
  };
  expect(await made('addLearner', 4)).toMatchObject({ voters: [1, 2, 3], learners: [4] });
  expect(await made('addNode', 4)).toMatchObject({ voters: [1, 2, 3, 4], learners: [] });
  expect(await made('removeNode', leaving)).toMatchObject({ voters: [1, 2, 3, 4].filter((id) => id !== leaving) });
  await Promise.all([group.propose(command(1)), cluster.ticks(2)]);
  await cluster.until(() => cluster.machine(4).commands.length === 1);
  expect(cluster.machine(leaving).commands).toEqual([]);
  const voters = [1, 2, 3, 4].filter((id) => id !== leaving);
  await cluster.until(() => voters.every((id) => cluster.machine(id).commands.length === 1));
  for (const id of voters) expect(cluster.group(id).status().configuration, `node ${id}`).toMatchObject({ voters });
  await cluster.close();
});

test('a change that the configuration cannot take is refused, and so is a second one before the first is applied', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const group = cluster.group(leader);
  const leave = watched(group.changeConfiguration({ transition: 'auto', changes: [] }));
  const learner = watched(group.changeConfiguration(change('addLearner', 8)));
  const second = watched(group.changeConfiguration(change('addLearner', 9)));
  await cluster.ticks(2);
  expect(leave.error).toMatchObject({ code: 'REFUSED' });
  expect(learner.value).toMatchObject({ learners: [8] });
  expect(second.error).toMatchObject({ code: 'REFUSED' });
  const last = watched(cluster.group(leader).changeConfiguration(change('removeNode', 8)));
  await cluster.ticks(1);
  expect(last.value).toMatchObject({ learners: [] });
  await cluster.close();
});

test('several nodes change at once through both majorities, and the joint configuration is left by itself', async () => {
  const cluster = await HostCluster.open({ nodes: 5, voters: [1, 2, 3] });
  const leader = await cluster.elected(1, [1, 2, 3]);
  const [leaving] = others(leader) as [number];
  const result = watched(
    cluster.group(leader).changeConfiguration({
      transition: 'auto',
      changes: [
        { type: 'addNode', nodeId: 4 },
        { type: 'addNode', nodeId: 5 },
        { type: 'removeNode', nodeId: leaving },
      ],
    }),
  );
  await cluster.until(() => result.value !== undefined);
  expect(result.value?.votersOutgoing).toEqual([1, 2, 3]);
  await cluster.until(() => cluster.group(leader).status().configuration.votersOutgoing.length === 0);
  await Promise.all([cluster.group(leader).propose(command(1)), cluster.ticks(3)]);
  await cluster.until(() => [4, 5].every((id) => cluster.machine(id).commands.length === 1));
  await cluster.close();
});

test('a leader that removes itself leads no more, and the others go on', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const gone = watched(cluster.group(leader).changeConfiguration(change('removeNode', leader)));
  await cluster.ticks(1);
  expect(gone.value?.voters).toEqual(others(leader));
  const next = await cluster.elected(1, others(leader));
  await Promise.all([cluster.group(next).propose(command(1)), cluster.ticks(2)]);
  expect(numbersOf(cluster.machine(next).commands)).toEqual([1]);
  await cluster.close();
});

test('configurations are known again after a restart, also where the log was cut behind a change', async () => {
  const limits = { compactBytes: 1_000, trailingEntries: 3, trailingBytes: 1_000 };
  const cluster = await HostCluster.open({ limits });
  const leader = await cluster.elected();
  const group = cluster.group(leader);
  await Promise.all([group.changeConfiguration(change('addLearner', 9)), cluster.ticks(1)]);
  for (let i = 0; i < 40; i++) await Promise.all([group.propose(command(i, 50)), cluster.settle()]);
  await Promise.all([group.compact(group.status().appliedIndex), cluster.settle()]);
  await Promise.all([group.changeConfiguration(change('addLearner', 10)), cluster.ticks(1)]);
  const { firstIndex } = group.status();
  expect(firstIndex).toBeGreaterThan(30);
  await cluster.crash(leader);
  await cluster.startNode(leader);
  expect(cluster.group(leader).status()).toMatchObject({
    configuration: { voters: [1, 2, 3], learners: [9, 10] },
    firstIndex,
  });
  await cluster.close();
});

test('changes that are applied are not applied again when a log that was full is opened anew', async () => {
  const applied: string[] = [];
  const listener = (nodeId: number) => ({
    configurationChanged: ({ index }: { index: number }) => void applied.push(`${index} on ${nodeId}`),
  });
  const cluster = await HostCluster.open({ listener });
  const leader = await cluster.elected();
  const [full] = others(leader) as [number];
  for (const type of ['addLearner', 'removeNode', 'addLearner'] as const) {
    const made = watched(cluster.group(leader).changeConfiguration(change(type, 9)));
    await cluster.until(() => made.value !== undefined);
  }
  await cluster.ticks(2);
  cluster.node(full).log.isFull = true;
  await Promise.all([cluster.group(leader).propose(command(1)), cluster.ticks(1)]);
  expect(cluster.group(full).status().state).toBe('full');
  cluster.node(full).log.isFull = false;
  await cluster.until(() => cluster.machine(full).commands.length === 1);
  expect(applied.filter((one) => one.endsWith(` on ${full}`))).toHaveLength(3);
  expect(new Set(applied).size).toBe(applied.length);
  expect(cluster.group(full).status().configuration).toMatchObject({ voters: [1, 2, 3], learners: [9] });
  await cluster.close();
});

test('leadership goes to whom it is given, behind what was proposed before', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const [heir] = others(leader) as [number];
  const before = watched(cluster.group(leader).propose(command(1)));
  const moved = watched(
    cluster
      .group(leader)
      .transferLeadership(heir)
      .then(() => true),
  );
  await cluster.until(() => cluster.leaderOf() === heir, 5);
  expect([moved.value, before.value]).toEqual([true, 1]);
  await expect(cluster.group(leader).propose(command(2))).rejects.toMatchObject({ code: 'NOT_LEADER', leaderId: heir });
  await cluster.close();
});

test('a transfer that does not come about is refused after an election timeout, and the leader goes on', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const [heir, third] = others(leader) as [number, number];
  cluster.network.cut(heir);
  const moved = watched(cluster.group(leader).transferLeadership(heir));
  await cluster.ticks(13);
  expect(moved.error).toMatchObject({ code: 'REFUSED' });
  await expect(cluster.group(leader).transferLeadership(9)).rejects.toMatchObject({ code: 'REFUSED' });
  await expect(cluster.group(third).transferLeadership(leader)).rejects.toMatchObject({ code: 'NOT_LEADER' });
  await Promise.all([cluster.group(leader).propose(command(1)), cluster.ticks(1)]);
  await cluster.close();
});

test('who is taken out as a leader whose vote for itself is still being written goes on, and leads no more', async () => {
  const cluster = await HostCluster.open();
  const leaving = await cluster.elected();
  const rest = others(leaving);
  const { log } = cluster.node(leaving);
  // Its log alone holds the change, and nobody else asks for votes.
  const lost: readonly string[] = ['MsgApp', 'MsgPreVote'];
  cluster.network.filter = (from, _to, { messages }) => {
    const types = messages.map(({ message }) => message.type);
    if (from === leaving && types.includes('MsgPreVote')) log.stall();
    else return !types.some((type) => lost.includes(type));
    return true;
  };
  const gone = watched(cluster.group(leaving).changeConfiguration(change('removeNode', leaving)));
  await cluster.settle();
  await cluster.crash(leaving);
  await cluster.startNode(leaving);
  await cluster.until(() => cluster.group(leaving).status().role === 'StateLeader');
  cluster.network.filter = undefined;
  await cluster.until(() => cluster.group(leaving).status().configuration.voters.length === 2);
  expect(cluster.group(leaving).status().configuration.voters).toEqual(rest);
  log.resume();
  await cluster.ticks(30);
  expect(cluster.group(leaving).status()).toMatchObject({ role: 'StateFollower', state: 'open' });
  expect(gone.value).toBeUndefined();
  const next = await cluster.elected(1, rest);
  await Promise.all([cluster.group(next).propose(command(1)), cluster.ticks(2)]);
  await cluster.close();
});
