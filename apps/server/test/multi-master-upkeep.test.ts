/** Consumers and trims of logs that every node writes: at every node, also where it hears nobody. */
import { MemoryReplicationNetwork } from '@shanghai/replication/testing';
import { afterEach, expect, test } from 'vitest';
import type { LogPosition, LogSettings } from '../src/logs/log-requests.js';
import type { ConsumerSeek, LogTrim, LogUpkeepRequests } from '../src/logs/log-upkeep-requests.js';
import type { ShanghaiNode } from '../src/node.js';
import { restore, save } from './backup-harness.js';
import { TestCluster } from './cluster-harness.js';
import { appendTo, createManualClock, createMemoryDisk, openTestNode, request } from './core-harness.js';

const settings: LogSettings = {
  mode: 'multi-master',
  acknowledgement: 'local',
  retentionMs: 0,
  retentionBytes: 0,
  cleanupPolicy: 'delete',
};
const closing: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function upkeep(node: ShanghaiNode): LogUpkeepRequests {
  if (node.logUpkeep === undefined) throw new Error('the node keeps no consumers');
  return node.logUpkeep;
}

const at = (...sequences: number[]): LogPosition[] =>
  sequences.flatMap((sequence, i) => (sequence === 0 ? [] : [{ origin: i + 1, epoch: 1, sequence }]));

function commit(node: ShanghaiNode, positions: readonly LogPosition[], generation = 0, consumer = 'c') {
  return upkeep(node).commit({ log: 'events', consumer, generation, positions }, request());
}

function seek(node: ShanghaiNode, to: ConsumerSeek['to']) {
  return upkeep(node).seek({ log: 'events', consumer: 'c', to, dryRun: false }, request());
}

function trim(node: ShanghaiNode, more: Partial<LogTrim>) {
  return upkeep(node).trim({ log: 'events', origin: 0, firstSequence: 0, ...more }, request());
}

const place = (node: ShanghaiNode) => upkeep(node).consumer('events', 'c', request());

async function kept(node: ShanghaiNode): Promise<number[][]> {
  const { origins } = await node.logs.describe('events', request());
  return origins.map(({ origin, firstSequence, lastSequence }) => [origin, firstSequence, lastSequence]);
}

const pairs = [
  [1, 2],
  [1, 3],
  [2, 3],
] as const;

async function three() {
  const cluster = new TestCluster(3);
  const shipping = new MemoryReplicationNetwork({ clock: cluster.clock });
  closing.push(() => cluster.close());
  const start = cluster.start.bind(cluster);
  cluster.start = (nodeId, more = {}) =>
    start(nodeId, { replication: { transport: shipping.transport(nodeId) }, ...more });
  await cluster.startAll();
  await cluster.during(cluster.node(1).logs.create('events', settings, request()));
  const heal = () => {
    cluster.network.heal();
    for (const [a, b] of pairs) shipping.heal(a, b);
  };
  return { cluster, shipping, heal };
}

async function until(cluster: TestCluster, claim: string, holds: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if (await holds()) return;
    await cluster.clock.advance(50);
  }
  throw new Error(`not within half a minute: ${claim}`);
}

async function untilHeld(cluster: TestCluster, expected: readonly number[][]): Promise<void> {
  await until(cluster, `all nodes hold ${JSON.stringify(expected)}`, async () => {
    const all = await Promise.all(cluster.ids.map((id) => kept(cluster.node(id))));
    return all.every((one) => JSON.stringify(one) === JSON.stringify(expected));
  });
}

test('nodes that hear nobody commit and answer, and agree afterwards: a seek is undone by no commit, and no commit is lost', async () => {
  const { cluster, shipping, heal } = await three();
  for (const id of cluster.ids) await cluster.during(appendTo(cluster.node(id), 'events', 'a', 'b', 'c', 'd'));
  await untilHeld(cluster, [
    [1, 1, 4],
    [2, 1, 4],
    [3, 1, 4],
  ]);
  expect(await cluster.during(commit(cluster.node(1), at(2, 1)))).toMatchObject({ generation: 1, positions: at(2, 1) });
  const everywhere = (generation: number, positions: readonly LogPosition[]) =>
    until(cluster, `all are at ${JSON.stringify(positions)}`, async () => {
      const views = await Promise.all(cluster.ids.map((id) => place(cluster.node(id)).catch(() => undefined)));
      return views.every((view) => {
        return view?.generation === generation && JSON.stringify(view.positions) === JSON.stringify(positions);
      });
    });
  await everywhere(1, at(2, 1));
  // Everybody is alone now, in consensus and in shipping.
  for (const [a, b] of pairs) {
    cluster.network.cut(a, b);
    shipping.cut(a, b);
  }
  await cluster.clock.advance(5_000);
  expect((await commit(cluster.node(1), at(3, 1))).positions).toEqual(at(3, 1));
  expect((await commit(cluster.node(2), at(1, 4))).positions).toEqual(at(2, 4));
  expect((await place(cluster.node(3))).positions).toEqual(at(2, 1));
  heal();
  await everywhere(1, at(3, 4));
  for (const [a, b] of pairs.slice(0, 2)) {
    cluster.network.cut(a, b);
    shipping.cut(a, b);
  }
  expect(await seek(cluster.node(1), { at: 'start' })).toMatchObject({ generation: 2, earlierPositions: at(3, 4) });
  // Not heard of there: taken, and of no avail.
  expect(await commit(cluster.node(2), at(4, 4), 1)).toMatchObject({ generation: 1, positions: at(4, 4) });
  heal();
  const start = cluster.ids.map((origin) => ({ origin, epoch: 1, sequence: 0 }));
  await everywhere(2, start);
  await expect(commit(cluster.node(2), at(4, 4), 1)).rejects.toMatchObject({
    code: 'CONFLICT',
    details: { generation: 2 },
  });
  await upkeep(cluster.node(3)).deleteConsumer('events', 'c', request());
  await until(cluster, 'it is gone everywhere', async () => {
    const lists = await Promise.all(
      cluster.ids.map((id) => upkeep(cluster.node(id)).consumers('events', '', request())),
    );
    return lists.every((list) => list.length === 0);
  });
  expect(await commit(cluster.node(1), at(1))).toMatchObject({ generation: 4, positions: at(1), earlierPositions: [] });
}, 60_000);

async function alone() {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  closing.push(() => node.close(1000).catch(() => undefined));
  await node.logs.create('events', settings, request());
  return { disk, clock, node };
}

test('how far a consumer is behind is told in entries and in time, of every origin', async () => {
  const { clock, node, disk } = await alone();
  await appendTo(node, 'events', 'a', 'b');
  await clock.advance(5_000);
  await appendTo(node, 'events', 'c', 'd');
  await clock.advance(2_000);
  await commit(node, at(1));
  const [late] = (await place(node)).lags;
  expect(late).toMatchObject({ origin: 1, epoch: 1, entries: 3, lostEntries: 0 });
  expect(late?.milliseconds).toBeGreaterThanOrEqual(7_000);
  await commit(node, at(3));
  const [lag] = (await place(node)).lags;
  expect(lag).toMatchObject({ entries: 1 });
  expect(lag?.milliseconds).toBeLessThan(3_000);
  await commit(node, at(4));
  expect((await place(node)).lags).toEqual([{ origin: 1, epoch: 1, entries: 0, lostEntries: 0, milliseconds: 0 }]);
  await node.close(1000);
  const again = await openTestNode(disk, clock);
  closing.push(() => again.close(1000));
  expect(await place(again)).toMatchObject({ generation: 1, positions: at(4) });
});

test('consumers outlive a backup: at most where the entries end, in a generation that old readers do not know', async () => {
  const { clock, node, disk } = await alone();
  await appendTo(node, 'events', 'a', 'b', 'c');
  await commit(node, [...at(2), { origin: 9, epoch: 1, sequence: 4 }]);
  await commit(node, at(900), 0, 'wrong');
  await save(node, disk, 'backup');
  await restore(disk, 'backup', 'restored');
  const other = await openTestNode(disk, clock, { dataDirectory: 'restored' });
  closing.push(() => other.close(1000));
  expect(await place(other)).toMatchObject({ generation: 2, positions: at(2) });
  await expect(commit(other, at(3), 1)).rejects.toMatchObject({ code: 'CONFLICT', details: { generation: 2 } });
  expect(await commit(other, at(3), 2)).toMatchObject({ positions: at(3) });
  expect(await upkeep(other).consumer('events', 'wrong', request())).toMatchObject({ positions: at(3) });
});

test('a trim takes what all members hold, at every node, now and whatever comes later; more only where it is forced', async () => {
  const { cluster, shipping, heal } = await three();
  for (const id of cluster.ids) await cluster.during(appendTo(cluster.node(id), 'events', 'a', 'b', 'c', 'd'));
  await untilHeld(cluster, [
    [1, 1, 4],
    [2, 1, 4],
    [3, 1, 4],
  ]);
  await cluster.clock.advance(2_000);
  const vector = { positions: [...at(2), { origin: 2, epoch: 0, sequence: 3 }] };
  const { origins } = await cluster.during(trim(cluster.node(3), vector));
  expect(origins?.map(({ origin, firstSequence }) => [origin, firstSequence])).toEqual([
    [1, 3],
    [2, 4],
    [3, 1],
  ]);
  await untilHeld(cluster, [
    [1, 3, 4],
    [2, 4, 4],
    [3, 1, 4],
  ]);
  shipping.cut(1, 3);
  shipping.cut(2, 3);
  await cluster.clock.advance(1_000);
  await cluster.during(appendTo(cluster.node(1), 'events', 'e', 'f'));
  const code = (expected: string) => expect.objectContaining({ code: expected });
  await expect(trim(cluster.node(1), { positions: at(6) })).rejects.toEqual(code('CONFLICT'));
  await expect(trim(cluster.node(1), { positions: at(7), force: true })).rejects.toEqual(code('OUT_OF_RANGE'));
  await expect(trim(cluster.node(1), {})).rejects.toEqual(code('INVALID_REQUEST'));
  await expect(trim(cluster.node(1), { firstSequence: 3 })).rejects.toEqual(code('INVALID_REQUEST'));
  await trim(cluster.node(1), { positions: at(5), force: true });
  heal();
  await untilHeld(cluster, [
    [1, 6, 6],
    [2, 4, 4],
    [3, 1, 4],
  ]);
  await cluster.clock.advance(2_000);
  // Its files go with the next checkpoint, and it stays so after a start.
  await cluster.node(3).checkpoint();
  await cluster.stop(3);
  await cluster.during(cluster.start(3));
  expect(await kept(cluster.node(3))).toEqual([
    [1, 6, 6],
    [2, 4, 4],
    [3, 1, 4],
  ]);
}, 60_000);

test('a trim by time gives up what is older, of all origins, and of a log that a group orders as well', async () => {
  const { clock, node } = await alone();
  await node.logs.create('ordered', { ...settings, mode: 'quorum', acknowledgement: 'quorum' }, request());
  for (const log of ['events', 'ordered']) await appendTo(node, log, 'a', 'b');
  await clock.advance(10_000);
  for (const log of ['events', 'ordered']) await appendTo(node, log, 'c');
  const beforeMs = clock.nowMs() - 5_000;
  expect((await trim(node, { beforeMs })).origins).toMatchObject([{ firstSequence: 3, lastSequence: 3 }]);
  expect(await trim(node, { log: 'ordered', beforeMs })).toEqual({ firstSequence: 3, lastSequence: 3 });
  expect((await trim(node, { beforeMs: clock.nowMs() + 60_000 })).origins).toMatchObject([{ firstSequence: 4 }]);
  await expect(trim(node, { log: 'ordered', positions: at(1) })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});
