/** Packed pages hold what plain ones hold, whatever log, bounds and order. */

import { compareStamps } from '@shanghai/replication';
import { MemoryReplicationNetwork } from '@shanghai/replication/testing';
import { afterEach, expect, test } from 'vitest';
import { decodeFileRecord } from '../src/logs/log-file-record.js';
import type { LogEntry, LogPage, LogRead, LogScope, LogTail } from '../src/logs/log-requests.js';
import { type PackedEntries, packedHeadBytes } from '../src/logs/packed-entries.js';
import type { ShanghaiNode } from '../src/node.js';
import { TestCluster } from './cluster-harness.js';
import { bytes, createManualClock, createMemoryDisk, openTestNode, quorumLog, request } from './core-harness.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const start = { from: 'sequence', sequence: 0 } as const;
const all = (order: LogScope['order']): LogScope => ({ allOrigins: true, epoch: 0, order });

function unpacked({ origin, epoch, firstSequence, count, bytes: some }: PackedEntries): LogEntry[] {
  // Of a tail they are there until the next page is asked for.
  const packed = Buffer.from(some);
  const entries: LogEntry[] = [];
  const view = new DataView(packed.buffer, packed.byteOffset, packed.length);
  let at = 0;
  for (let i = 0; i < count; i++) {
    const end = at + packedHeadBytes + view.getUint32(at, true);
    entries.push(decodeFileRecord(packed.subarray(at + packedHeadBytes, end), origin, epoch, firstSequence + i));
    at = end;
  }
  expect(at).toBe(packed.length);
  return entries;
}

/** The entries of a page in the order in which a client gives them. */
function entriesOf({ entries, packed = [] }: LogPage, order: LogScope['order'] = 'arrival'): readonly LogEntry[] {
  if (packed.length === 0) return entries;
  expect(entries).toEqual([]);
  const found = packed.flatMap(unpacked);
  return order === 'arrival' ? found : found.sort((a, b) => compareStamps(a as never, b as never));
}

const shown = (entries: readonly LogEntry[]) =>
  entries.map(({ origin, epoch, sequence, timeMs, key, value, headers, producer }) => ({
    ...{ origin, epoch, sequence, timeMs, producer },
    ...{ key: Buffer.from(key).toString(), value: Buffer.from(value).toString() },
    headers: headers.map((header) => `${header.name}=${Buffer.from(header.value)}`),
  }));

async function append(node: ShanghaiNode, first: number, count: number, size: number): Promise<void> {
  const records = Array.from({ length: count }, (_, i) => ({
    key: bytes(i % 3 === 0 ? '' : `key-${i}`),
    value: bytes(`${first + i}`.padEnd(size, '.')),
    headers: i % 4 === 0 ? [{ name: 'h', value: bytes('x') }] : [],
  }));
  const producer = first % 2 === 0 ? { producerId: 7, epoch: first, sequence: 1 } : undefined;
  await node.logs.append({ log: 'events', records, ...(producer === undefined ? {} : { producer }) }, request());
}

function read(node: ShanghaiNode, more: Partial<LogRead> = {}): Promise<LogPage> {
  return node.logs.read({ log: 'events', origin: 0, start, limit: 1000, maxBytes: 1 << 20, ...more }, request());
}

/** Reads until so many entries came. */
async function tailed(node: ShanghaiNode, count: number, more: Partial<LogTail>): Promise<readonly LogEntry[]> {
  const stop = new AbortController();
  const found: LogEntry[] = [];
  const tail = node.logs.tail({ log: 'events', origin: 0, start, ...more }, request(stop.signal));
  for await (const page of tail) {
    if (more.takesPacked) expect(page.packed?.length).toBeGreaterThan(0);
    found.push(...entriesOf(page, more.scope?.order));
    if (found.length >= count) stop.abort();
  }
  return found;
}

async function alone() {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  closing.push(() => node.close(1000).catch(() => undefined));
  return { clock, node };
}

for (const mode of ['quorum', 'multi-master'] as const) {
  test(`in mode ${mode} reads and tails give the same packed as plain, from any place and with any bounds`, async () => {
    const { node } = await alone();
    await node.logs.create('events', { ...quorumLog, mode }, request());
    let count = 0;
    for (let i = 1; i <= 40; i++) {
      const some = 1 + ((i * 7) % 13);
      await append(node, i, some, (i * 97) % 900);
      count += some;
    }
    const whole = shown((await read(node)).entries);
    expect(whole.length).toBe(count);
    expect(shown(await tailed(node, count, { takesPacked: true }))).toEqual(whole);
    for (const [sequence, limit, maxBytes] of [
      [1, 1000, 1 << 20],
      [5, 3, 1 << 20],
      [17, 1000, 1],
      [17, 1000, 5000],
      [count, 10, 10_000],
    ] as const) {
      const page = await read(node, { start: { from: 'sequence', sequence }, limit, maxBytes, takesPacked: true });
      const entries = shown(entriesOf(page));
      expect(entries).toEqual(whole.slice(sequence - 1, sequence - 1 + entries.length));
      expect(entries.length).toBeGreaterThan(0);
      expect(entries.length).toBeLessThanOrEqual(limit);
      expect(page.nextSequence).toBe(sequence + entries.length);
    }
    const end = await read(node, { start: { from: 'end' }, takesPacked: true });
    expect([entriesOf(end), end.nextSequence]).toEqual([[], count + 1]);
    const beyond = read(node, { start: { from: 'sequence', sequence: count + 2 }, takesPacked: true });
    await expect(beyond).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
  });
}

test('of what compaction took away a page tells gaps, and is plain then', async () => {
  const { node, clock } = await alone();
  await node.logs.create('events', { ...quorumLog, cleanupPolicy: 'compact' }, request());
  const value = bytes('.'.repeat(2000));
  for (let i = 0; i < 300; i++) {
    await node.logs.append({ log: 'events', records: [{ key: bytes(`key-${i % 5}`), value, headers: [] }] }, request());
  }
  expect((await read(node, { takesPacked: true })).packed?.length).toBe(1);
  // What is taken away first, and then also out of the files.
  for (let i = 0; i < 4; i++) {
    await clock.advance(5000);
    for (const sequence of [1, 100, 200, 290]) {
      const from = { from: 'sequence', sequence } as const;
      const plain = await read(node, { start: from });
      const packed = await read(node, { start: from, takesPacked: true });
      expect(shown(entriesOf(packed)), `round ${i}, from ${sequence}`).toEqual(shown(plain.entries));
      expect(packed.gaps).toEqual(plain.gaps);
      if (i === 3 && sequence === 1) expect(plain.gaps.length).toBeGreaterThan(0);
    }
  }
});

test('in the order of time three origins give the same packed as plain, over pages that cut them', async () => {
  const cluster = new TestCluster(3);
  const shipping = new MemoryReplicationNetwork({ clock: cluster.clock });
  closing.push(() => cluster.close());
  const startNode = cluster.start.bind(cluster);
  cluster.start = (nodeId, more = {}) =>
    startNode(nodeId, { replication: { transport: shipping.transport(nodeId) }, ...more });
  await cluster.startAll();
  await cluster.during(cluster.node(1).logs.create('events', { ...quorumLog, mode: 'multi-master' }, request()));
  await cluster.clock.advance(1000);
  for (let i = 0; i < 60; i++) {
    await cluster.during(append(cluster.node(1 + ((i * i) % 3)), 2 * i + 1, 1 + (i % 5), 3000));
    if (i % 4 === 0) await cluster.clock.advance(3);
  }
  await cluster.clock.advance(5000);
  const count = 60 + 60 * 2;
  const order = 'time' as const;
  const node = cluster.node(2);
  const plain = shown((await read(node, { scope: all(order), limit: 10_000, maxBytes: 1 << 24 })).entries);
  expect(plain.length).toBe(count);
  for (const id of cluster.ids) {
    const packed = await cluster.during(tailed(cluster.node(id), count, { scope: all(order), takesPacked: true }));
    expect(shown(packed)).toEqual(plain);
    const arrived = await cluster.during(tailed(cluster.node(id), count, { scope: all('arrival'), takesPacked: true }));
    const name = ({ origin, sequence }: { origin: number; sequence: number }) => origin * 1e6 + sequence;
    expect(shown(arrived).sort((a, b) => name(a) - name(b))).toEqual([...plain].sort((a, b) => name(a) - name(b)));
  }
});
