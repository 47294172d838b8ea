/** What clients get from nodes of a cluster that do not lead: writes passed on, reads of each level, watches, tails. */
import type { PeerFrame } from '@shanghai/raft';
import { afterEach, expect, test } from 'vitest';
import type { ShanghaiNode } from '../src/node.js';
import type { WatchPage } from '../src/requests/key-value-requests.js';
import type { ReadContext, RequestContext } from '../src/requests/request-context.js';
import { group, isReady, TestCluster } from './cluster-harness.js';
import { appendTo, by, bytes, get, put, quorumLog, readLog, request, text } from './core-harness.js';

let cluster: TestCluster;

afterEach(async () => {
  await cluster.close();
});

/** Three nodes: the leader of the data group, one that leads nothing, and the one left. */
async function three() {
  cluster = new TestCluster(3);
  await cluster.startAll();
  const leaderId = cluster.leader(1) as number;
  const others = cluster.ids.filter((nodeId) => nodeId !== leaderId);
  const firstId = others.find((nodeId) => nodeId !== cluster.leader(0)) as number;
  const secondId = others.find((nodeId) => nodeId !== firstId) as number;
  return { leader: cluster.node(leaderId), firstId, secondId };
}

/** A request as it comes from a client: a node that does not lead passes it on. */
function fromClient(): RequestContext {
  return { ...request(), mayForward: true };
}

async function write(node: ShanghaiNode, key: string, value: string, keyspace = '', ttlMs?: number) {
  const operation = { type: 'put', key: bytes(key), value: bytes(value), ...(ttlMs === undefined ? {} : { ttlMs }) };
  const operations = [operation] as const;
  return node.keyValue.write({ kind: 'independent', operations } as never, { ...by(), keyspace }, fromClient());
}

async function read(node: ShanghaiNode, key: string, how: Partial<ReadContext> = {}) {
  const context = { keyspace: '', level: 'linearizable', ...how } as const;
  const { value, staleMs, token } = await node.keyValue.get(bytes(key), context, fromClient());
  return { value: text(value?.value), staleMs, token };
}

/** Keeps a node's copy of one group from getting anything. */
function starve(nodeId: number, groupId: number): () => void {
  cluster.network.filter = (_from, to, frame): PeerFrame | boolean =>
    to !== nodeId || {
      messages: frame.messages.filter((one) => one.groupId !== groupId),
      signals: frame.signals.filter((one) => one.groupId !== groupId),
    };
  return () => {
    cluster.network.filter = undefined;
  };
}

function keysOf({ value }: IteratorResult<WatchPage>) {
  return (value as WatchPage).events.map(({ key }) => text(key));
}

async function eventsOf(page: Promise<IteratorResult<WatchPage>>) {
  const result = await cluster.during(page);
  return { keys: keysOf(result), position: (result.value as WatchPage).position };
}

test('any node takes writes, sessions and logs for the leader, and every node reads what was written', async () => {
  const { firstId } = await three();
  const node = cluster.node(firstId);
  await cluster.during(write(node, 'a', '1'));
  await cluster.during(write(node, 'a', '2', 'another'));
  const session = await cluster.during(node.keyValue.openSession(0, fromClient()));
  expect(session.value.sessionId).toBeGreaterThan(0);
  await cluster.during(node.logs.create('events', quorumLog, fromClient()));
  const records = [{ key: bytes(''), value: bytes('x'), headers: [] }];
  expect(await cluster.during(node.logs.append({ log: 'events', records }, fromClient()))).toMatchObject({
    lastSequence: 1,
  });
  for (const each of cluster.nodes.values()) {
    expect(await cluster.during(read(each, 'a'))).toMatchObject({ value: '1', staleMs: 0 });
    expect(await cluster.during(read(each, 'a', { keyspace: 'another' }))).toMatchObject({ value: '2' });
    expect(await cluster.during(readLog(each, 'events'))).toEqual(['x']);
  }
  await cluster.during(node.logs.delete('events', fromClient()));
  for (const each of cluster.nodes.values()) {
    await expect(cluster.during(readLog(each, 'events'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  }
});

test('a node whose catalogue is behind its data does not take a new keyspace for an empty one, nor a log for missing', async () => {
  const { leader, firstId } = await three();
  const node = cluster.node(firstId);
  const watch = node.keyValue.watch({ keyspace: 'new' }, request())[Symbol.asyncIterator]();
  await cluster.during(watch.next());
  const feed = starve(firstId, 0);
  await cluster.during(write(leader, 'a', '1', 'new'));
  await cluster.during(leader.logs.create('events', quorumLog, fromClient()));
  await cluster.during(appendTo(leader, 'events', 'x'));
  const revision = group(leader, 1).revision;
  await cluster.until('the data is there', () => group(node, 1).revision === revision);
  const stale = await read(node, 'a', { keyspace: 'new', level: 'stale' });
  expect(stale.value).toBeUndefined();
  const reading = read(node, 'a', { keyspace: 'new' });
  const tailing = node.logs.tail({ log: 'events', origin: 0, start: { from: 'sequence', sequence: 0 } }, request());
  const tailed = tailing[Symbol.asyncIterator]().next();
  const watched = watch.next() as Promise<IteratorResult<WatchPage>>;
  feed();
  const [found, events, page] = await cluster.during(Promise.all([reading, watched, tailed]));
  expect(found.value).toBe('1');
  expect(keysOf(events)).toEqual(['a']);
  expect(page.value.entries.map(({ value }: { value: Uint8Array }) => text(value))).toEqual(['x']);
});

test('a token is good at every node: one that is behind waits, and says so where it waits in vain', async () => {
  const { leader, firstId } = await three();
  const node = cluster.node(firstId);
  await put(leader, 'a', '1');
  const { token: old } = await read(leader, 'a');
  expect(await cluster.during(read(node, 'a', { level: 'session', token: old }))).toMatchObject({ value: '1' });
  const feed = starve(firstId, 1);
  await put(leader, 'a', '2');
  const { token } = await read(leader, 'a', { level: 'session', token: old });
  // What the old token has seen it can answer meanwhile.
  expect(await read(node, 'a', { level: 'session', token: old })).toMatchObject({ value: '1' });
  await expect(cluster.during(read(node, 'a', { level: 'session', token }))).rejects.toMatchObject({
    code: 'CLUSTER_ERROR',
    details: { waitedIn: 'applied' },
  });
  const waiting = read(node, 'a', { level: 'session', token });
  feed();
  expect(await cluster.during(waiting)).toMatchObject({ value: '2' });
});

test('a node that is cut off says how old its answers are, and answers nothing that must be fresh', async () => {
  const { leader, firstId } = await three();
  const node = cluster.node(firstId);
  await put(leader, 'a', '1');
  await cluster.during(read(node, 'a'));
  cluster.network.cut(firstId);
  await cluster.clock.advance(500);
  const stale = await read(node, 'a', { level: 'stale' });
  expect(stale.value).toBe('1');
  expect(stale.staleMs).toBeGreaterThanOrEqual(400);
  await expect(cluster.during(read(node, 'a'))).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
  await expect(cluster.during(write(node, 'a', '2'))).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
  await cluster.stop(firstId);
  await cluster.start(firstId);
  const again = cluster.node(firstId);
  await expect(cluster.during(read(again, 'a', { level: 'stale' }))).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
  cluster.network.heal();
  await cluster.until('it is ready', () => isReady(again));
  expect(await cluster.during(read(again, 'a', { level: 'stale' }))).toMatchObject({ value: '1' });
});

test('a watch that ends at one node goes on at another, each change once', async () => {
  const { leader, firstId, secondId } = await three();
  const first = cluster.node(firstId).keyValue.watch({ keyspace: '' }, request())[Symbol.asyncIterator]();
  await eventsOf(first.next() as Promise<IteratorResult<WatchPage>>);
  await put(leader, 'a', '1');
  const one = await eventsOf(first.next() as Promise<IteratorResult<WatchPage>>);
  expect(one.keys).toEqual(['a']);
  const feed = starve(secondId, 1);
  await put(leader, 'b', '1');
  const two = await eventsOf(first.next() as Promise<IteratorResult<WatchPage>>);
  expect(two.keys).toEqual(['b']);
  // The next node has not got so far yet.
  const { position } = two;
  const second = cluster.node(secondId).keyValue.watch({ keyspace: '', position }, request())[Symbol.asyncIterator]();
  const begun = second.next();
  feed();
  expect(await eventsOf(begun as Promise<IteratorResult<WatchPage>>)).toMatchObject({ keys: [] });
  await put(leader, 'c', '1');
  expect((await eventsOf(second.next() as Promise<IteratorResult<WatchPage>>)).keys).toEqual(['c']);
});

test('a key whose time has come is gone at every node, although nobody writes', async () => {
  const { leader, firstId } = await three();
  const node = cluster.node(firstId);
  await cluster.during(write(leader, 'a', '1', '', 2_000));
  expect(await cluster.during(get(node, 'a'))).toBe('1');
  await cluster.clock.advance(2_500);
  expect(await cluster.during(get(node, 'a'))).toBeUndefined();
});
