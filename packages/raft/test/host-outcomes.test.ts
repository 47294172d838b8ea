/** What becomes of proposals when leaders go, disks stall or fill up, and hosts close. */
import { expect, test } from 'vitest';
import { command, HostCluster, numbersOf, watched } from './host-cluster.js';

const others = (id: number) => [1, 2, 3].filter((other) => other !== id);

test('a command that another leader wrote over is superseded: nothing was done', async () => {
  const cluster = await HostCluster.open();
  const old = await cluster.elected();
  cluster.network.cut(old);
  const lost = watched(cluster.group(old).propose(command(1)));
  await cluster.settle();
  const next = await cluster.elected(1, others(old));
  await Promise.all([cluster.group(next).propose(command(2)), cluster.ticks(1)]);
  expect(lost).toEqual({ value: undefined, error: undefined });
  cluster.network.heal();
  await cluster.ticks(2);
  expect(lost.error).toMatchObject({ code: 'SUPERSEDED' });
  expect(numbersOf(cluster.machine(old).commands)).toEqual([2]);
  await cluster.close();
});

test('a leader that was cut off waits an election timeout longer, then says that the outcome is not known', async () => {
  const cluster = await HostCluster.open();
  const old = await cluster.elected();
  cluster.network.cut(old);
  const lost = watched(cluster.group(old).propose(command(1)));
  await cluster.until(() => cluster.group(old).status().role !== 'StateLeader');
  await cluster.ticks(8);
  expect(lost.error).toBeUndefined();
  await cluster.ticks(3);
  expect(lost.error).toMatchObject({ code: 'UNKNOWN', stage: 'appended' });
  await cluster.close();
});

test('a command that was on its way when its leader stepped down is still answered when it is applied', async () => {
  const cluster = await HostCluster.open();
  const old = await cluster.elected();
  const [heir] = others(old) as [number];
  // Everybody gets the entry; the old leader does not hear so.
  cluster.network.cutOneWay(heir, old);
  cluster.network.cutOneWay(others(old)[1] as number, old);
  const result = watched(cluster.group(old).propose(command(1)));
  await cluster.ticks(1);
  expect(result).toEqual({ value: undefined, error: undefined });
  cluster.network.heal();
  const over = () => true;
  const transfer = watched(cluster.group(old).transferLeadership(heir).then(over, over));
  await cluster.until(() => result.value !== undefined || result.error !== undefined);
  expect(result.value).toBe(1);
  await cluster.close();
  expect(transfer.value).toBe(true);
});

test('a proposal that gets no majority is an unknown outcome after its time, and says how far it came', async () => {
  const cluster = await HostCluster.open({ limits: { proposalTimeoutMs: 500, electionTicks: 20 } });
  const leader = await cluster.elected();
  cluster.network.cut(leader);
  const result = watched(cluster.group(leader).propose(command(1)));
  await cluster.ticks(4);
  expect(result.error).toBeUndefined();
  await cluster.ticks(3);
  expect(result.error).toMatchObject({ code: 'UNKNOWN', stage: 'appended' });
  await cluster.close();
});

test('more than may be in flight is refused at once, and so is what is too large', async () => {
  const limits = { maxProposals: 3, maxProposalBytes: 100, maxEntryBytes: 200 };
  const cluster = await HostCluster.open({ limits });
  const group = cluster.group(await cluster.elected());
  await expect(group.propose(new Uint8Array(201))).rejects.toMatchObject({ code: 'TOO_LARGE' });
  // One that is alone is taken, whatever the bound on bytes.
  const alone = watched(group.propose(new Uint8Array(150)));
  await expect(group.propose(new Uint8Array(1))).rejects.toMatchObject({ code: 'BUSY' });
  await cluster.settle();
  expect(alone.value).toBe(1);
  const three = [1, 2, 3].map((number) => watched(group.propose(command(number))));
  await expect(group.propose(command(4))).rejects.toMatchObject({ code: 'BUSY' });
  await cluster.settle();
  expect(three.map(({ value }) => value)).toEqual([2, 3, 4]);
  await cluster.close();
});

test('[T24] a leader whose disk is silent steps down though it could still send; past the hard limit its host ends', async () => {
  const limits = { stallFatalMs: 6_000 };
  const stalled: number[] = [];
  const listener = () => ({ diskStalled: ({ waitedMs }: { waitedMs: number }) => void stalled.push(waitedMs) });
  const cluster = await HostCluster.open({ limits, listener });
  const old = await cluster.elected();
  cluster.node(old).log.stall();
  const result = watched(cluster.group(old).propose(command(1)));
  await cluster.until(() => cluster.group(old).status().role !== 'StateLeader', 15);
  expect(cluster.group(old).status().state).toBe('stalled');
  expect(stalled).toHaveLength(1);
  const next = await cluster.elected(1, others(old));
  // Two others have it: it was committed, or is now.
  await cluster.until(() => cluster.machine(next).commands.length === 1);
  expect(cluster.node(old).fatal).toEqual([]);
  await cluster.until(() => cluster.node(old).fatal.length > 0, 60);
  expect(cluster.node(old).fatal).toMatchObject([{ code: 'DISK_STALLED' }]);
  expect(result.error).toMatchObject({ code: 'UNKNOWN' });
  await expect(cluster.node(old).host.openGroup({ groupId: 9, machine: cluster.machine(old) })).rejects.toMatchObject({
    code: 'CLOSED',
  });
  await cluster.close();
});

test('a disk that answers again lets its node take part again', async () => {
  const answered: number[] = [];
  const listener = () => ({ diskAnswered: ({ waitedMs }: { waitedMs: number }) => void answered.push(waitedMs) });
  const cluster = await HostCluster.open({ listener });
  const old = await cluster.elected();
  cluster.node(old).log.stall();
  watched(cluster.group(old).propose(command(1)));
  await cluster.elected(1, others(old));
  cluster.node(old).log.resume();
  await cluster.until(() => cluster.machine(old).commands.length === 1);
  await cluster.elected();
  expect(answered).toHaveLength(1);
  expect(cluster.group(old).status().state).toBe('open');
  await cluster.close();
});

test('a process that was held up does not take the disk for silent', async () => {
  const cluster = await HostCluster.open({ nodes: 1, limits: { stallFatalMs: 2_000, proposalTimeoutMs: 60_000 } });
  cluster.node(1).log.stall();
  const result = watched(cluster.group(1).propose(command(1)));
  await cluster.settle();
  // The next tick comes late; the answer is there, and only not looked at yet.
  const { clock } = cluster;
  const monotonicMs = clock.monotonicMs.bind(clock);
  clock.monotonicMs = () => monotonicMs() + 30_000;
  await cluster.ticks(1);
  expect(cluster.node(1).fatal).toEqual([]);
  cluster.node(1).log.resume();
  await cluster.ticks(2);
  expect([result.value, cluster.node(1).fatal]).toEqual([1, []]);
  await cluster.close();
});

test('a full disk of the only voter refuses what it dropped, and nothing else; reads go on', async () => {
  const events: string[] = [];
  const listener = () => ({ logFull: () => void events.push('full'), logReopened: () => void events.push('reopened') });
  const cluster = await HostCluster.open({ nodes: 1, listener });
  const { log } = cluster.node(1);
  await Promise.all([cluster.group(1).propose(command(1)), cluster.settle()]);
  log.isFull = true;
  const dropped = [2, 3].map((number) => watched(cluster.group(1).propose(command(number))));
  await cluster.settle();
  expect(dropped.map(({ error }) => error?.code)).toEqual(['FULL', 'FULL']);
  expect(cluster.group(1).status()).toMatchObject({ state: 'full', role: 'StateFollower' });
  await expect(cluster.group(1).propose(command(4))).rejects.toMatchObject({ code: 'FULL' });
  const read = watched(cluster.group(1).readIndex());
  await cluster.settle();
  expect(read.value).toBe(cluster.group(1).status().appliedIndex);
  await cluster.ticks(25);
  expect(cluster.group(1).status().state).toBe('full');
  log.isFull = false;
  await cluster.until(() => cluster.leaderOf() === 1, 15);
  await Promise.all([cluster.group(1).propose(command(5)), cluster.settle()]);
  expect(numbersOf(cluster.machine(1).commands)).toEqual([1, 5]);
  expect(events).toEqual(['full', 'reopened']);
  await cluster.close();
});

test('the only voter that starts on a full disk answers reads with all that it has ever acknowledged', async () => {
  const cluster = await HostCluster.open({ nodes: 1 });
  const numbers = [1, 2, 3, 4, 5];
  for (const number of numbers) await Promise.all([cluster.group(1).propose(command(number)), cluster.settle()]);
  const { appliedIndex } = cluster.group(1).status();
  await cluster.crash(1);
  cluster.node(1).log.isFull = true;
  // Its state was not durable at all.
  await cluster.startNode(1, false);
  expect(cluster.group(1).status()).toMatchObject({ state: 'full', appliedIndex });
  const read = watched(cluster.group(1).readIndex());
  await cluster.settle();
  expect(read.value).toBe(appliedIndex);
  expect(numbersOf(cluster.machine(1).commands)).toEqual(numbers);
  await cluster.close();
});

test('the only voter that starts on a full disk refuses reads where a change of members may stand before what it holds', async () => {
  const cluster = await HostCluster.open({ nodes: 1 });
  const change = { transition: 'auto' as const, changes: [{ type: 'addLearner' as const, nodeId: 9 }] };
  const before = watched(cluster.group(1).propose(command(1)));
  const changed = watched(cluster.group(1).changeConfiguration(change));
  const behind = watched(cluster.group(1).propose(command(2)));
  await cluster.settle();
  expect([before.value, changed.value?.learners, behind.value]).toEqual([1, [9], 2]);
  await cluster.crash(1);
  cluster.node(1).log.isFull = true;
  await cluster.startNode(1, false);
  const read = watched(cluster.group(1).readIndex());
  await cluster.settle();
  expect(read.error).toMatchObject({ code: 'NOT_LEADER' });
  expect(numbersOf(cluster.machine(1).commands)).toEqual([1]);
  cluster.node(1).log.isFull = false;
  await cluster.until(() => cluster.machine(1).commands.length === 2, 15);
  await cluster.close();
});

test('a leader whose disk is full leaves the group to the others, which may have what it dropped', async () => {
  const cluster = await HostCluster.open();
  const old = await cluster.elected();
  cluster.node(old).log.isFull = true;
  const result = watched(cluster.group(old).propose(command(1)));
  await cluster.settle();
  expect(result.error).toMatchObject({ code: 'UNKNOWN' });
  await expect(cluster.group(old).readIndex()).rejects.toMatchObject({ code: 'NOT_LEADER' });
  const next = await cluster.elected(1, others(old));
  await Promise.all([cluster.group(next).propose(command(2)), cluster.ticks(1)]);
  cluster.node(old).log.isFull = false;
  await cluster.until(() => cluster.machine(old).commands.length === cluster.machine(next).commands.length);
  expect(numbersOf(cluster.machine(old).commands)).toEqual(numbersOf(cluster.machine(next).commands));
  expect(numbersOf(cluster.machine(next).commands)).toContain(2);
  await cluster.close();
});

test('a group that is closed while its log is tried again takes nothing else with it', async () => {
  const cluster = await HostCluster.open({ nodes: 1, groups: [1, 2] });
  const { log, host, fatal } = cluster.node(1);
  log.isFull = true;
  watched(cluster.group(1).propose(command(1)));
  await cluster.settle();
  log.isFull = false;
  log.stall();
  await cluster.ticks(12);
  expect(log.waitingSinceMs()).toBeDefined();
  const closed = cluster.group(1).close(0);
  await cluster.settle();
  await closed;
  log.resume();
  await cluster.ticks(2);
  expect([fatal, host.status().failure]).toEqual([[], undefined]);
  await Promise.all([cluster.group(1, 2).propose(command(2)), cluster.settle()]);
  await cluster.close();
});

test('a log that cannot be written any more is the end of the host', async () => {
  const cluster = await HostCluster.open();
  const old = await cluster.elected();
  cluster.node(old).log.fail(new Error('EIO'));
  const result = watched(cluster.group(old).propose(command(1)));
  await cluster.settle();
  expect(result.error).toMatchObject({ code: 'UNKNOWN' });
  expect(cluster.node(old).fatal).toMatchObject([{ message: 'EIO' }]);
  expect(cluster.node(old).host.status()).toMatchObject({ failure: { message: 'EIO' }, groups: [{ state: 'failed' }] });
  await cluster.elected(1, others(old));
  await cluster.close();
});

test('a closing group takes nothing more, and waits for what is in flight', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  const inFlight = watched(cluster.group(leader).propose(command(1)));
  const group = cluster.group(leader);
  const closed = watched(group.close(1_000));
  await expect(group.propose(command(2))).rejects.toMatchObject({ code: 'CLOSED' });
  await expect(group.readIndex()).rejects.toMatchObject({ code: 'CLOSED' });
  await cluster.settle();
  expect([inFlight.value, closed.error]).toEqual([1, undefined]);
  expect(cluster.node(leader).host.group(1)).toBeUndefined();
  await expect(group.close(0)).resolves.toBeUndefined();
  await cluster.close();
});

test('a closing group leaves what does not end in time with an unknown outcome', async () => {
  const cluster = await HostCluster.open();
  const leader = await cluster.elected();
  cluster.network.cut(leader);
  const inFlight = watched(cluster.group(leader).propose(command(1)));
  await cluster.settle();
  const closing = watched(cluster.group(leader).close(300));
  await cluster.ticks(2);
  expect(inFlight.error).toBeUndefined();
  await cluster.ticks(2);
  expect([inFlight.error?.code, closing.error]).toEqual(['UNKNOWN', undefined]);
  await cluster.close();
});

test('[T9] the only voter acknowledges nothing that is not durable', async () => {
  const cluster = await HostCluster.open({ nodes: 1 });
  cluster.node(1).log.stall();
  const result = watched(cluster.group(1).propose(command(1)));
  await cluster.ticks(3);
  expect([result.value, cluster.machine(1).commands.length]).toEqual([undefined, 0]);
  cluster.node(1).log.resume();
  await cluster.settle();
  expect(result.value).toBe(1);
  await cluster.close();
});
