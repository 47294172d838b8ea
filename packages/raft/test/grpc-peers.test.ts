import { afterEach, expect, test } from 'vitest';
import { inGroup, introduce, type NodeOptions, NotedNode } from './grpc-subject.js';

const open: NotedNode[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ peers }) => peers.close()));
});

async function node(nodeId: number, options?: NodeOptions): Promise<NotedNode> {
  const opened = await NotedNode.open(nodeId, options);
  open.push(opened);
  return opened;
}

async function pair(options?: NodeOptions): Promise<[NotedNode, NotedNode]> {
  const nodes: [NotedNode, NotedNode] = [await node(1, options), await node(2, options)];
  await introduce(nodes[0], 1, nodes[1], 2);
  return nodes;
}

const append = (index: number, ...sizes: number[]) =>
  inGroup(7, {
    type: 'MsgApp',
    from: 1,
    to: 2,
    term: 3,
    logTerm: 2,
    index,
    commit: index,
    entries: sizes.map((bytes, at) => ({
      term: 3,
      index: index + 1 + at,
      type: 'EntryNormal',
      data: new Uint8Array(bytes).fill(at + 1),
    })),
  });

test('messages of every kind, signals and beats arrive as they were sent, both ways', async () => {
  const [first, second] = await pair();
  const heartbeat = inGroup(4, { type: 'MsgHeartbeat', from: 1, to: 2, term: 5, commit: 6, context: 7 });
  const signal = { groupId: 9, type: 'asleep', term: 2, index: 30 } as const;
  first.peers.send(2, { messages: [append(10, 5, 0, 300), heartbeat], signals: [signal] });
  await second.until(({ messages }) => messages.length === 2);
  expect(second.messages).toContainEqual(append(10, 5, 0, 300));
  expect(second.messages).toContainEqual(heartbeat);
  expect(second.frames.flatMap(({ frame }) => frame.signals)).toEqual([signal]);
  expect(second.frames.every(({ from, startId }) => from === 1 && startId === 'start-1')).toBe(true);
  second.peers.send(1, { messages: [], signals: [] });
  await first.until(({ frames }) => frames.length === 1);
  expect(first.frames).toEqual([{ from: 2, startId: 'start-2', frame: { messages: [], signals: [] } }]);
});

test('an entry larger than a frame arrives whole, and what was sent behind it arrives behind it', async () => {
  const [first, second] = await pair();
  first.peers.send(2, { messages: [append(1, 5_000_000)], signals: [] });
  first.peers.send(2, { messages: [append(2, 10)], signals: [] });
  await second.until(({ messages }) => messages.length === 2);
  const [large, small] = second.messages;
  expect(small).toEqual(append(2, 10));
  const sent = append(1, 5_000_000).message.entries[0]?.data as Uint8Array;
  // Element by element, as the assertions compare, would take half a minute.
  expect(Buffer.compare(large?.message.entries[0]?.data as Uint8Array, sent)).toBe(0);
});

test('a node that nobody listens for is told to be unreachable, and reached as soon as it listens', async () => {
  const first = await node(1);
  const second = await node(2);
  const { address } = second.peers;
  await second.peers.close();
  first.peers.setPeers([{ nodeId: 2, address }]);
  first.peers.send(2, { messages: [], signals: [] });
  await first.until(({ unreachable }) => unreachable.includes(2));
  const again = await node(2, { port: Number(address.split(':')[1]) });
  await first.untilEvent('connected 2 control out');
  first.peers.send(2, { messages: [], signals: [] });
  await again.until(({ frames }) => frames.length === 1);
});

test('what is sent to somebody who is no peer is told to be unreachable', async () => {
  const first = await node(1);
  first.peers.send(3, { messages: [append(1, 1)], signals: [] });
  await first.until(({ unreachable }) => unreachable.includes(3));
});
