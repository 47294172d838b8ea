import { createHash } from 'node:crypto';
import { MemoryReplicationNetwork } from '@shanghai/replication/testing';
import { afterEach, expect, test } from 'vitest';
import { pauseReplication, replicationMessage } from '../src/api/grpc/replication-messages.js';
import { encodeLogRecords } from '../src/apply/log-record-codec.js';
import type { LogEntry, LogPage, LogRead, LogScope, LogSettings } from '../src/logs/log-requests.js';
import type { ShanghaiNode } from '../src/node.js';
import { TestCluster } from './cluster-harness.js';
import { appendTo, bytes, createManualClock, createMemoryDisk, openTestNode, request, text } from './core-harness.js';

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

function read(node: ShanghaiNode, more: Partial<LogRead> = {}): Promise<LogPage> {
  const start = { from: 'sequence', sequence: 0 } as const;
  return node.logs.read({ log: 'events', origin: 0, start, limit: 1000, maxBytes: 1 << 20, ...more }, request());
}

const all = (more: Partial<LogScope> = {}): LogScope => ({ allOrigins: true, epoch: 0, order: 'arrival', ...more });
const texts = (entries: readonly LogEntry[]) => entries.map(({ value }) => text(value));

async function alone() {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  closing.push(() => node.close(1000).catch(() => undefined));
  return { disk, clock, node };
}

test('a node alone takes appends under its own id, and has them again after a restart', async () => {
  const { disk, clock, node } = await alone();
  await node.logs.create('events', settings, request());
  expect(await appendTo(node, 'events', 'a', 'b')).toMatchObject({
    origin: 1,
    epoch: 1,
    firstSequence: 1,
    lastSequence: 2,
  });
  const producer = { producerId: 3, epoch: 1, sequence: 1 };
  const record = { key: bytes('k'), value: bytes('c'), headers: [{ name: 'h', value: bytes('x') }] };
  const sent = { log: 'events', records: [record], producer };
  expect(await node.logs.append(sent, request())).toMatchObject({ firstSequence: 3, duplicate: false });
  expect(await node.logs.append(sent, request())).toMatchObject({ firstSequence: 3, duplicate: true });
  await node.close(1000);
  const again = await openTestNode(disk, clock);
  closing.push(() => again.close(1000));
  const page = await read(again);
  expect(texts(page.entries)).toEqual(['a', 'b', 'c']);
  expect(page.entries[2]).toMatchObject({ origin: 1, epoch: 1, sequence: 3, producer });
  expect(page.positions).toEqual([{ origin: 1, epoch: 1, sequence: 3 }]);
  expect(await appendTo(again, 'events', 'd')).toMatchObject({ epoch: 1, firstSequence: 4 });
  expect((await again.logs.describe('events', request())).origins).toMatchObject([{ origin: 1, lastSequence: 4 }]);
  await again.checkpoint();
  expect(texts((await read(again, { start: { from: 'sequence', sequence: 3 } })).entries)).toEqual(['c', 'd']);
});

test('a pack is appended under one stamp after the other, without what breaks a limit', async () => {
  const { disk, clock, node } = await alone();
  await node.logs.create('events', settings, request());
  const plain = (value: string, header?: string) => {
    return {
      key: bytes(''),
      value: bytes(value),
      headers: header === undefined ? [] : [{ name: header, value: bytes('') }],
    };
  };
  const records = [plain('a'), plain('b'), plain('no', ''), plain('c', 'h')];
  const pack = { log: 'events', records: encodeLogRecords(records), counts: [2, 1, 1] };
  const packs = Promise.all([node.logs.appendPack(pack, request()), node.logs.appendPack(pack, request())]);
  expect((await packs).map(({ origin, epoch, ranges }) => [origin, epoch, ...ranges])).toMatchObject([
    [1, 1, { appends: 1, firstSequence: 1 }, { appends: 1, error: { code: 'INVALID_REQUEST' } }, { firstSequence: 3 }],
    [1, 1, { appends: 1, firstSequence: 4 }, { appends: 1, error: { code: 'INVALID_REQUEST' } }, { firstSequence: 6 }],
  ]);
  await node.close(1000);
  const again = await openTestNode(disk, clock);
  closing.push(() => again.close(1000));
  const { entries } = await read(again);
  expect(texts(entries)).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
  const stamps = entries.map(({ hlc }) => (hlc?.ms ?? 0) * 0x1_0000 + (hlc?.counter ?? 0));
  expect(stamps.every((stamp, i) => i === 0 || stamp > (stamps[i - 1] as number))).toBe(true);
});

test('stamps go on from where they were, also where the clock is an hour back after a restart', async () => {
  const { disk, node } = await alone();
  await node.logs.create('events', settings, request());
  await appendTo(node, 'events', 'a');
  await node.close(1000);
  const again = await openTestNode(disk, createManualClock(1_000_000 - 3_600_000));
  closing.push(() => again.close(1000));
  await appendTo(again, 'events', 'b', 'c');
  const stamps = (await read(again)).entries.map(({ hlc }) => [hlc?.ms, hlc?.counter]);
  expect(stamps).toEqual([
    [1_000_000, 0],
    [1_000_000, 1],
    [1_000_000, 2],
  ]);
});

test('what makes no sense is refused with its reason', async () => {
  const { node } = await alone();
  await node.logs.create('events', settings, request());
  await appendTo(node, 'events', 'a');
  const code = (expected: string) => expect.objectContaining({ code: expected });
  await expect(appendTo(node, 'nothing', 'x')).rejects.toEqual(code('NOT_FOUND'));
  const late = {
    log: 'events',
    records: [{ key: bytes(''), value: bytes('x'), headers: [] }],
    expectedLastSequence: 7,
  };
  await expect(node.logs.append(late, request())).rejects.toEqual(code('CONFLICT'));
  await expect(read(node, { start: { from: 'sequence', sequence: 9 } })).rejects.toEqual(code('OUT_OF_RANGE'));
  await expect(
    read(node, { scope: { ...all(), allOrigins: false, epoch: 4 }, start: { from: 'sequence', sequence: 1 } }),
  ).rejects.toEqual(code('OUT_OF_RANGE'));
  await expect(read(node, { origin: 3, scope: all() })).rejects.toEqual(code('INVALID_REQUEST'));
  const twice = { origin: 1, epoch: 1, sequence: 0 };
  await expect(read(node, { scope: all({ positions: [twice, twice] }) })).rejects.toEqual(code('INVALID_REQUEST'));
  const reversed = all({ positions: [{ origin: 1, epoch: 1, sequence: 5 }] });
  await expect(read(node, { scope: reversed })).rejects.toEqual(code('OUT_OF_RANGE'));
  await node.logs.create('one', { ...settings, mode: 'quorum', acknowledgement: 'quorum' }, request());
  await expect(read(node, { log: 'one', scope: all() })).rejects.toEqual(code('INVALID_REQUEST'));
  expect((await node.logs.list('', request())).map(({ name }) => name)).toEqual(['events', 'one']);
});

test('a deleted log is gone with its files, and one of the same name begins anew', async () => {
  const { node, disk, clock } = await alone();
  await node.logs.create('events', settings, request());
  await appendTo(node, 'events', 'a');
  await node.logs.delete('events', request());
  await expect(appendTo(node, 'events', 'x')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await clock.advance(1000);
  await node.checkpoint();
  expect(await disk.list('data/logs')).toEqual([]);
  await node.logs.create('events', settings, request());
  expect(await appendTo(node, 'events', 'b')).toMatchObject({ firstSequence: 1 });
});

async function three(): Promise<{ cluster: TestCluster; shipping: MemoryReplicationNetwork }> {
  const cluster = new TestCluster(3);
  const shipping = new MemoryReplicationNetwork({ clock: cluster.clock });
  closing.push(() => cluster.close());
  const start = cluster.start.bind(cluster);
  cluster.start = (nodeId, more = {}) =>
    start(nodeId, { replication: { transport: shipping.transport(nodeId) }, ...more });
  await cluster.startAll();
  await cluster.during(cluster.node(1).logs.create('events', settings, request()));
  return { cluster, shipping };
}

/** Of all streams what they hold, summed up: the same on two nodes where their copies are. */
async function digest(node: ShanghaiNode): Promise<string> {
  const page = await read(node, { scope: all(), limit: 10_000 });
  const lines = page.entries.map(({ origin, epoch, sequence, hlc, key, value }) =>
    JSON.stringify([origin, epoch, sequence, hlc, text(key), text(value)]),
  );
  return `${JSON.stringify(page.positions)} ${createHash('sha256').update(lines.sort().join('\n')).digest('hex')}`;
}

async function untilSame(cluster: TestCluster, entries: number): Promise<void> {
  for (let i = 0; i < 400; i++) {
    const pages = await Promise.all(cluster.ids.map((id) => read(cluster.node(id), { scope: all(), limit: 10_000 })));
    if (pages.every((page) => page.entries.length === entries)) return;
    await cluster.clock.advance(50);
  }
  throw new Error(
    `the copies do not hold ${entries} entries: ${await Promise.all(cluster.ids.map((id) => digest(cluster.node(id))))}`,
  );
}

test('three nodes take appends at once, one of them cut off from all others; healed, all hold the same', async () => {
  const { cluster, shipping } = await three();
  for (const nodeId of cluster.ids) await cluster.during(appendTo(cluster.node(nodeId), 'events', `${nodeId}-first`));
  await untilSame(cluster, 3);
  for (const other of [1, 2]) {
    shipping.cut(3, other);
    cluster.network.cut(3, other);
  }
  for (let i = 0; i < 20; i++) {
    await cluster.during(Promise.all(cluster.ids.map((id) => appendTo(cluster.node(id), 'events', `${id}-${i}`))));
  }
  expect((await read(cluster.node(3), { scope: all() })).entries.length).toBe(23);
  for (const other of [1, 2]) {
    shipping.heal(3, other);
    cluster.network.heal();
  }
  await untilSame(cluster, 63);
  const digests = await Promise.all(cluster.ids.map((id) => digest(cluster.node(id))));
  expect(new Set(digests).size).toBe(1);
});

test('retention trims whole segments here, keeps what a member lacks, and a reader of what went is told', async () => {
  const { node, clock } = await alone();
  await node.logs.create('events', { ...settings, retentionBytes: 100_000 }, request());
  const value = 'v'.repeat(10_000);
  for (let i = 0; i < 40; i++) await appendTo(node, 'events', value);
  await clock.advance(2000);
  await node.checkpoint();
  const [origin] = (await node.logs.describe('events', request())).origins;
  expect(origin?.firstSequence).toBeGreaterThan(20);
  expect(origin?.bytes).toBeLessThan(250_000);
  await expect(read(node, { start: { from: 'sequence', sequence: 1 } })).rejects.toMatchObject({
    code: 'OUT_OF_RANGE',
    details: { origin: 1, epoch: 1, firstSequence: origin?.firstSequence, lastSequence: 40 },
  });
});

test('a quorum of copies is waited for, and what was not confirmed in time is durable here all the same', async () => {
  const { cluster, shipping } = await three();
  const append = (acknowledgement: 'quorum' | 'all', value: string) => {
    const records = [{ key: bytes(''), value: bytes(value), headers: [] }];
    return cluster.during(cluster.node(1).logs.append({ log: 'events', records, acknowledgement }, request()));
  };
  expect(await append('all', 'a')).toMatchObject({ firstSequence: 1 });
  shipping.cut(1, 3);
  shipping.cut(2, 3);
  expect(await append('quorum', 'b')).toMatchObject({ firstSequence: 2 });
  await expect(append('all', 'c')).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', details: { isDurableHere: true } });
  expect(texts((await read(cluster.node(1), { origin: 1 })).entries)).toEqual(['a', 'b', 'c']);
});

test('in the order of time all nodes give the same entries in the same order, as far as nothing earlier can come', async () => {
  const { cluster, shipping } = await three();
  for (let i = 0; i < 9; i++) {
    await cluster.during(appendTo(cluster.node(1 + (i % 3)), 'events', `${i}`));
    await cluster.clock.advance(5);
  }
  await untilSame(cluster, 9);
  await cluster.clock.advance(3000);
  const inTime = async (id: number) => texts((await read(cluster.node(id), { scope: all({ order: 'time' }) })).entries);
  const expected = Array.from({ length: 9 }, (_, i) => `${i}`);
  for (const id of cluster.ids) expect(await inTime(id)).toEqual(expected);
  shipping.cut(1, 3);
  shipping.cut(2, 3);
  await cluster.during(appendTo(cluster.node(1), 'events', 'late'));
  await cluster.clock.advance(3000);
  // Node 3 may have written something earlier: nobody passes what is not known to be complete.
  expect(await inTime(1)).toEqual(expected);
  const pages: (string | undefined)[] = [];
  const stop = new AbortController();
  const start = { from: 'sequence', sequence: 0 } as const;
  const tail = cluster
    .node(2)
    .logs.tail({ log: 'events', origin: 0, start, scope: all({ order: 'time' }) }, request(stop.signal));
  shipping.heal(1, 3);
  shipping.heal(2, 3);
  const reading = (async () => {
    for await (const page of tail) {
      pages.push(...texts(page.entries));
      if (pages.length === 10) stop.abort();
    }
  })();
  await cluster.during(reading);
  expect(pages).toEqual([...expected, 'late']);
});

test('a deleted log goes on every node, with what is still under way', async () => {
  const { cluster } = await three();
  for (const nodeId of cluster.ids) await cluster.during(appendTo(cluster.node(nodeId), 'events', 'x'));
  await cluster.during(cluster.node(2).logs.delete('events', request()));
  await cluster.clock.advance(3000);
  for (const nodeId of cluster.ids) {
    await cluster.during(cluster.node(nodeId).checkpoint());
    expect(await cluster.disks.get(nodeId)?.list('data/logs')).toEqual([]);
  }
});

test('a follower that is paused gets nothing until it is resumed, and is shown as paused', async () => {
  const { cluster } = await three();
  await cluster.during(appendTo(cluster.node(1), 'events', 'a'));
  await untilSame(cluster, 1);
  await expect(pauseReplication(cluster.node(1), 9, true)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await cluster.during(pauseReplication(cluster.node(1), 0, true));
  await cluster.during(appendTo(cluster.node(1), 'events', 'b'));
  await cluster.clock.advance(1000);
  const { followers } = replicationMessage(cluster.node(1), { log: '', origin: 0n });
  expect(followers.filter(({ state }) => state === 'paused').map(({ follower }) => Number(follower))).toContain(3);
  const ofLog = replicationMessage(cluster.node(1), { log: 'events', origin: 1n }).followers;
  expect(ofLog.map(({ follower, lagEntries }) => [follower, lagEntries])).toEqual([
    [2n, 1n],
    [3n, 1n],
  ]);
  expect(ofLog[1]?.positions).toMatchObject([{ heldSequence: 1n, sequence: 2n }]);
  expect(() => replicationMessage(cluster.node(1), { log: 'none', origin: 0n })).toThrow("no log 'none'");
  expect((await read(cluster.node(3), { origin: 1 })).entries.length).toBe(1);
  await cluster.during(pauseReplication(cluster.node(1), 0, false));
  await untilSame(cluster, 2);
});
