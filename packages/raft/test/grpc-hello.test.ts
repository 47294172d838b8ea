import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { Client, credentials, Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { emptyConfState } from '../src/core/configuration/configuration.js';
import { noData } from '../src/core/entry.js';
import { asBuffer, asBytes, lanePaths } from '../src/grpc/peer-service.js';
import { encodeOffer, endFrame } from '../src/wire/snapshot-codec.js';
import { inGroup, introduce, type NodeOptions, NotedNode } from './grpc-subject.js';

const open: NotedNode[] = [];
const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(open.splice(0).map(({ peers }) => peers.close()));
});

async function node(nodeId: number, options?: NodeOptions): Promise<NotedNode> {
  const opened = await NotedNode.open(nodeId, options);
  open.push(opened);
  return opened;
}

const rightHello = {
  'shanghai-protocol': '1-1',
  'shanghai-cluster': 'test',
  'shanghai-from': '1',
  'shanghai-to': '2',
  'shanghai-instance': 'instance-1',
  'shanghai-start': 'start-1',
};

/** A stranger's stream, and how it ends. */
function dialRaw(
  address: string,
  hello: Readonly<Record<string, string>>,
  lane: 'control' | 'log' | 'snapshot' = 'control',
) {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  clients.push(client);
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(hello)) metadata.set(key, value);
  const call = client.makeBidiStreamRequest(lanePaths[lane], asBuffer, asBytes, metadata);
  call.on('data', () => undefined);
  call.on('error', () => undefined);
  const answered = new Promise<Metadata>((resolve) => call.on('metadata', resolve));
  const ended = new Promise<StatusObject>((resolve) => call.on('status', resolve));
  return { call, answered, ended };
}

test('nodes of different clusters do not talk, and both say why', async () => {
  const first = await node(1);
  const second = await node(2, { self: { clusterId: 'other' } });
  first.peers.setPeers([{ nodeId: 2, address: second.peers.address }]);
  await first.untilEvent("refused 2 control out: node 2 refuses: it is of cluster 'test', node 2 of 'other'");
  await second.untilEvent("refused 1 control in: it is of cluster 'test'");
  await first.until(({ unreachable }) => unreachable.includes(2));
  expect(first.events.filter((event) => event.includes('control out'))).toHaveLength(1);
});

test('a node that listens in another one’s place is not taken for it', async () => {
  const first = await node(1);
  const third = await node(3);
  first.peers.setPeers([{ nodeId: 2, address: third.peers.address }]);
  await first.untilEvent('refused 2 control out: node 3 refuses: node 3 listens where node 2 was expected');
  first.peers.send(2, { messages: [], signals: [] });
  await first.until(({ unreachable }) => unreachable.length > 0);
  expect(third.frames).toEqual([]);
});

test('nodes that are not in the table, and copies of those that are, are refused', async () => {
  const book = { check: (nodeId: number) => (nodeId === 1 ? ('otherInstance' as const) : ('unknown' as const)) };
  const second = await node(2, { book });
  const first = await node(1);
  const third = await node(3);
  for (const dialling of [first, third]) dialling.peers.setPeers([{ nodeId: 2, address: second.peers.address }]);
  await first.untilEvent('refused 2 log out: node 2 refuses: node 1 is another instance');
  await third.untilEvent('refused 2 log out: node 2 refuses: node 3 is not in the node table');
});

test('a peer whose instance is another one is refused by who dialled it, and gets nothing', async () => {
  const first = await node(1, { book: { check: () => 'otherInstance' } });
  const second = await node(2, { book: { check: () => 'known' } });
  first.peers.setPeers([{ nodeId: 2, address: second.peers.address }]);
  first.peers.send(2, { messages: [], signals: [] });
  await first.untilEvent('refused 2 control out: node 2 is another instance');
  expect(second.frames).toEqual([]);
});

test.each([
  ['without a hello', {}, 'hello', 'which versions'],
  ['of versions to come', { ...rightHello, 'shanghai-protocol': '3-9' }, 'protocol', 'upgrade the older'],
  ['without a start id', { ...rightHello, 'shanghai-start': '' }, 'hello', 'did not say who'],
  ['with a node id that is none', { ...rightHello, 'shanghai-from': '1e3' }, 'hello', 'did not say who'],
  ['with this node’s own id', { ...rightHello, 'shanghai-from': '2' }, 'instance', 'copied or replaced'],
  ['of another cluster', { ...rightHello, 'shanghai-cluster': 'other' }, 'cluster', 'correct the address'],
  ['for another node', { ...rightHello, 'shanghai-to': '3' }, 'node', 'node 3 was expected'],
  ['of a copy', { ...rightHello, 'shanghai-instance': 'instance-9' }, 'instance', 'copied or replaced'],
  ['with too long an id', { ...rightHello, 'shanghai-instance': 'x'.repeat(129) }, 'hello', 'did not say who'],
])('a stream %s is refused with a reason that a program can tell', async (_, hello, refusal, text) => {
  const second = await node(2);
  const { answered, ended } = dialRaw(second.peers.address, hello);
  const letIn = new Promise<never>((_, reject) => {
    void answered.then((answer) => answer.get('shanghai-protocol').length > 0 && reject(new Error('it was let in')));
  });
  const { code, details, metadata } = await Promise.race([ended, letIn]);
  expect([code, metadata.get('shanghai-refusal')]).toEqual([status.FAILED_PRECONDITION, [refusal]]);
  expect(details).toContain(text);
});

test('versions are agreed on where both know one', async () => {
  const second = await node(2);
  const { answered } = dialRaw(second.peers.address, { ...rightHello, 'shanghai-protocol': '1-7' });
  expect((await answered).get('shanghai-protocol')).toEqual(['2']);
  const older = dialRaw(second.peers.address, { ...rightHello, 'shanghai-protocol': '1-1' });
  expect((await older.answered).get('shanghai-protocol')).toEqual(['1']);
});

test.each(['control', 'log', 'snapshot'] as const)(
  'a frame that does not fit ends its stream on %s, and no other',
  async (lane) => {
    const second = await node(2);
    const good = dialRaw(second.peers.address, rightHello, lane === 'log' ? 'control' : 'log');
    await good.answered;
    const bad = dialRaw(second.peers.address, rightHello, lane);
    await bad.answered;
    bad.call.write(Uint8Array.of(1, 99, 0));
    const { code, details } = await bad.ended;
    expect([code, details]).toEqual([status.INVALID_ARGUMENT, expect.stringContaining('unknown kind')]);
    good.call.write(Uint8Array.of(1));
    await second.until(({ frames }) => frames.length === 1);
  },
);

test('a message larger than a frame may be ends its stream', async () => {
  const second = await node(2);
  const { call, answered, ended } = dialRaw(second.peers.address, rightHello);
  await answered;
  call.write(new Uint8Array(2_000_000));
  expect((await ended).code).toBe(status.RESOURCE_EXHAUSTED);
});

test('a newer stream takes the place of an older one of the same peer and lane', async () => {
  const second = await node(2);
  const older = dialRaw(second.peers.address, rightHello);
  await older.answered;
  const newer = dialRaw(second.peers.address, { ...rightHello, 'shanghai-start': 'start-again' });
  expect((await older.ended).details).toContain('a newer stream');
  newer.call.write(Uint8Array.of(1));
  await second.until(({ frames }) => frames.length === 1);
  expect(second.frames[0]?.startId).toBe('start-again');
});

test('a node that leaves the table is hung up on, in both directions', async () => {
  const known = new Set([1, 2]);
  const book = { check: (nodeId: number) => (known.has(nodeId) ? ('known' as const) : ('unknown' as const)) };
  const first = await node(1, { book });
  const second = await node(2, { book });
  await introduce(first, 1, second, 2);
  known.delete(2);
  first.peers.setPeers([]);
  await first.untilEvent('disconnected 2 control in: node 2 is not in the node table any more');
  await first.untilEvent('disconnected 2 log out');
  await second.untilEvent('refused 1 log out');
});

test.each(['bare', 'http2'])('a connection (%s) on which nobody introduces himself is hung up on', async (kind) => {
  const second = await node(2, { limits: { idleConnectionMs: 100 } });
  const { address } = second.peers;
  const connection =
    kind === 'bare' ? connect(Number(address.split(':')[1]), '127.0.0.1') : connectHttp2(`http://${address}`);
  connection.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    connection.on('close', resolve);
    if ('resume' in connection) connection.resume();
  });
});

test('a snapshot that ends before its files is not complete', async () => {
  const ends: string[] = [];
  const sink = {
    begin: async () => [0],
    write: async () => {},
    complete: async () => void ends.push('completed'),
    abandon: async () => void ends.push('abandoned'),
  };
  const second = await node(2, { onSnapshot: async () => sink });
  const { call, answered, ended } = dialRaw(second.peers.address, rightHello, 'snapshot');
  await answered;
  const metadata = { index: 9, term: 2, confState: { ...emptyConfState, voters: [1, 2] } };
  const offer = inGroup(1, { type: 'MsgSnap', from: 1, to: 2, term: 4, snapshot: { metadata, data: noData } });
  call.write(encodeOffer(offer, [{ name: 'a', bytes: 100, crc: 1 }], 1));
  call.write(endFrame);
  expect(await ended).toMatchObject({ code: status.INVALID_ARGUMENT });
  while (ends.length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(ends).toEqual(['abandoned']);
});
