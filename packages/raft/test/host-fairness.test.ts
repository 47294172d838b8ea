/** Slow state machines, busy groups: what must not wait for what. */
import { expect, test } from 'vitest';
import type { Entry } from '../src/core/entry.js';
import { MemoryStateMachine } from '../src/testing/memory-state-machine.js';
import { command, HostCluster, numbersOf, watched } from './host-cluster.js';

class SlowStateMachine extends MemoryStateMachine {
  hold: Promise<void> | undefined;
  runs: number[] = [];

  override async apply(entries: readonly Entry[]): Promise<readonly (number | undefined)[]> {
    await this.hold;
    this.runs.push(entries.length);
    return super.apply(entries);
  }
}

function gate(): { readonly hold: Promise<void>; readonly open: () => void } {
  let open: () => void = () => {};
  const hold = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { hold, open };
}

test('a state machine that takes long does not keep its leader from leading', async () => {
  const cluster = await HostCluster.open({ machine: () => new SlowStateMachine() });
  const leader = await cluster.elected();
  const machine = cluster.machine(leader) as SlowStateMachine;
  const { hold, open } = gate();
  machine.hold = hold;
  const results = [1, 2, 3].map((number) => watched(cluster.group(leader).propose(command(number))));
  await cluster.ticks(60);
  expect(cluster.group(leader).status()).toMatchObject({ role: 'StateLeader', term: 2 });
  expect(results.map(({ value }) => value)).toEqual([undefined, undefined, undefined]);
  machine.hold = undefined;
  open();
  await cluster.settle();
  expect(results.map(({ value }) => value)).toEqual([1, 2, 3]);
  await cluster.close();
});

test('what is committed while entries are applied is applied together, within the bound', async () => {
  const cluster = await HostCluster.open({
    nodes: 1,
    machine: () => new SlowStateMachine(),
    limits: { maxApplyBytes: 2_000 },
  });
  const machine = cluster.machine(1) as SlowStateMachine;
  const { hold, open } = gate();
  machine.hold = hold;
  machine.runs = [];
  const results = [];
  for (let number = 1; number <= 30; number++) {
    results.push(watched(cluster.group(1).propose(command(number, 200))));
    await cluster.settle();
  }
  machine.hold = undefined;
  open();
  await cluster.settle();
  expect(results.map(({ value }) => value)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
  expect(machine.runs[0]).toBe(1);
  expect(Math.max(...machine.runs)).toBeGreaterThan(4);
  expect(Math.max(...machine.runs)).toBeLessThan(12);
  await cluster.close();
});

test('[T52] a group with a lot to do does not make the others wait for more than its share of a turn', async () => {
  const cluster = await HostCluster.open({ nodes: 1, groups: [1, 2] });
  const order: string[] = [];
  const note = (name: string) => () => void order.push(name);
  for (let i = 0; i < 64; i++) cluster.group(1, 1).propose(command(i, 262_144)).then(note('busy'), note('failed'));
  cluster.group(1, 2).propose(command(1)).then(note('small'), note('failed'));
  await cluster.settle();
  expect(order).toHaveLength(65);
  // A turn takes a mebibyte of the busy group: 4 or 5 of its commands.
  expect(order.indexOf('small')).toBeLessThanOrEqual(5);
  await cluster.close();
});

test('a state machine that fails ends its group and leaves it to other nodes; other groups go on', async () => {
  const failed: unknown[] = [];
  const cluster = await HostCluster.open({
    groups: [1, 2],
    machine: () => new SlowStateMachine(),
    listener: (nodeId) => ({ failed: ({ groupId }) => void failed.push([nodeId, groupId]) }),
  });
  const leader = await cluster.elected(1);
  await cluster.elected(2);
  const machine = cluster.machine(leader) as SlowStateMachine;
  machine.hold = Promise.reject(new Error('the store is broken'));
  machine.hold.catch(() => {});
  const result = watched(cluster.group(leader).propose(command(1)));
  await cluster.settle();
  expect(result.error).toMatchObject({ code: 'UNKNOWN', stage: 'committed' });
  expect(failed).toEqual([[leader, 1]]);
  expect(cluster.group(leader).status().state).toBe('failed');
  await expect(cluster.group(leader).propose(command(2))).rejects.toMatchObject({ code: 'CLOSED' });
  const next = await cluster.elected(
    1,
    [1, 2, 3].filter((id) => id !== leader),
  );
  expect(numbersOf(cluster.machine(next).commands)).toEqual([1]);
  const other = cluster.leaderOf(2) as number;
  await Promise.all([cluster.group(other, 2).propose(command(3)), cluster.ticks(1)]);
  expect(cluster.node(leader).fatal).toEqual([]);
  await cluster.close();
});

test('work of many groups in one turn is one sync and one frame to each node', async () => {
  const groups = Array.from({ length: 20 }, (_, i) => i);
  const cluster = await HostCluster.open({ groups });
  for (const groupId of groups) await cluster.elected(groupId);
  const led = groups.filter((groupId) => cluster.leaderOf(groupId) === 1);
  expect(led.length).toBeGreaterThan(2);
  const { syncs } = cluster.node(1).log;
  const { messageFramesSent } = cluster.network;
  const results = led.map((groupId) => watched(cluster.group(1, groupId).propose(command(groupId))));
  await cluster.settle();
  expect(results.every(({ value }) => value === 1)).toBe(true);
  expect(cluster.node(1).log.syncs - syncs).toBe(1);
  // Appends to two nodes, their answers, and what is committed.
  expect(cluster.network.messageFramesSent - messageFramesSent).toBeLessThanOrEqual(8);
  await cluster.close();
});

test('a follower below what it acknowledged closes its group rather than to answer for what it has lost', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const [victim] = [1, 2, 3].filter((id) => id !== leader) as [number];
  const copies = cluster.node(victim).log.copy();
  for (const number of [1, 2, 3]) await Promise.all([cluster.group(leader).propose(command(number)), cluster.ticks(1)]);
  await cluster.crash(victim);
  cluster.node(victim).log.restoreFrom(copies);
  await cluster.startNode(victim, false);
  await cluster.until(() => cluster.group(victim).status().state === 'failed', 30);
  await expect(cluster.group(victim).readIndex()).rejects.toThrow(/knows entries up to/);
  await cluster.close();
});

test('times of the stages of a command are told, none negative, and they ascend', async () => {
  const events: { queuedMs: number; syncedMs: number; committedMs: number; appliedMs: number; proposals: number }[] =
    [];
  const cluster = await HostCluster.open({ listener: () => ({ applied: (event) => void events.push(event) }) });
  const leader = await cluster.elected();
  cluster.node(leader).log.stall();
  const results = [1, 2].map((number) => watched(cluster.group(leader).propose(command(number))));
  await cluster.ticks(3);
  cluster.node(leader).log.resume();
  await cluster.settle();
  expect(results.map(({ value }) => value)).toEqual([1, 2]);
  expect(events).toMatchObject([{ proposals: 2, queuedMs: 0, committedMs: 0, syncedMs: 300, appliedMs: 300 }]);
  await cluster.close();
});
