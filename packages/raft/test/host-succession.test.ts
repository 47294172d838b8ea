/** The process of a leader has ended, and a connection that is refused says so. */
import { expect, test } from 'vitest';
import { command, HostCluster, watched } from './host-cluster.js';

const others = (id: number) => [1, 2, 3].filter((other) => other !== id);

/** Elections take a second and more here by silence alone. */
async function cluster(groups: readonly number[] = [1]): Promise<HostCluster> {
  const opened = await HostCluster.open({ groups });
  for (const groupId of groups) await opened.elected(groupId);
  return opened;
}

test('who is left elects another at once, the one with the least id', async () => {
  const opened = await cluster();
  opened.network.tellsOfEnds = true;
  const gone = opened.leaderOf() as number;
  const [heir, other] = others(gone) as [number, number];
  await opened.crash(gone);
  for (let i = 0; i < 2; i++) {
    await opened.ticks(1);
    // Said again it is the same.
    for (const id of [heir, other]) opened.network.tell(id, gone);
  }
  expect(opened.leaderOf(1, [heir, other])).toBe(heir);
  const result = watched(opened.group(heir).propose(command(1)));
  await opened.settle();
  expect(result.value).toBe(1);
  await opened.close();
});

test('the next one stands when the first cannot be elected', async () => {
  const opened = await cluster();
  opened.network.tellsOfEnds = true;
  const gone = opened.leaderOf() as number;
  const [first, second] = others(gone) as [number, number];
  // The first one lacks what the second one has.
  opened.network.cutOneWay(gone, first);
  const result = watched(opened.group(gone).propose(command(1)));
  await opened.settle();
  expect(result.value).toBe(1);
  opened.network.heal();
  await opened.crash(gone);
  await opened.ticks(5);
  expect(opened.leaderOf(1, [first, second])).toBe(second);
  expect(opened.machine(second).appliedIndex).toBeGreaterThan(0);
  await opened.close();
});

test('groups that sleep wake for it, each by itself', async () => {
  const groups = [1, 2, 3, 4];
  const opened = await cluster(groups);
  const isAsleep = () =>
    groups.every((groupId) => [1, 2, 3].every((id) => opened.group(id, groupId).status().isAsleep));
  await opened.until(isAsleep, 80);
  opened.network.tellsOfEnds = true;
  const gone = opened.leaderOf() as number;
  const led = groups.filter((groupId) => opened.leaderOf(groupId) === gone);
  await opened.crash(gone);
  await opened.ticks(2);
  expect(led.map((groupId) => opened.leaderOf(groupId, others(gone)))).toEqual(led.map(() => others(gone)[0]));
  await opened.close();
});

test('a leader that is there after all goes on leading: who has it wrong changes nothing', async () => {
  const opened = await cluster();
  const leader = opened.leaderOf() as number;
  const [mistaken] = others(leader) as [number];
  const { term } = opened.group(leader).status();
  for (let i = 0; i < 20; i++) {
    opened.network.tell(mistaken, leader);
    await opened.ticks(1);
  }
  expect(opened.group(leader).status()).toMatchObject({ role: 'StateLeader', term });
  // Nor where both are mistaken: it is heard again before their patience is over.
  for (const id of others(leader)) opened.network.tell(id, leader);
  await opened.ticks(5);
  expect(opened.group(leader).status().role).toBe('StateLeader');
  await opened.close();
});

test('a node that closes while it waits to stand stands no more', async () => {
  const opened = await cluster();
  opened.network.tellsOfEnds = true;
  const gone = opened.leaderOf() as number;
  const [heir, other] = others(gone) as [number, number];
  await opened.crash(gone);
  await opened.crash(heir);
  await opened.ticks(8);
  expect(opened.leaderOf(1, [other])).toBeUndefined();
  await opened.close();
});
