/** Strangers at the port for peers: floods, rubbish, frames that lie. Those who belong there go on, and memory stays. */
import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { createSeededRandom } from '@shanghai/env';
import { afterEach, expect, test } from 'vitest';
import { lanePaths } from '../src/grpc/peer-service.js';
import { inGroup, introduce, NotedNode } from './grpc-subject.js';

const open: NotedNode[] = [];
const sockets: { destroy(): void }[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(open.splice(0).map(({ peers }) => peers.close()));
});

/** Two nodes that talk. */
async function twoNodes(): Promise<[NotedNode, NotedNode]> {
  const limits = { idleConnectionMs: 300 };
  const nodes: [NotedNode, NotedNode] = [await NotedNode.open(1, { limits }), await NotedNode.open(2, { limits })];
  open.push(...nodes);
  await introduce(nodes[0], 1, nodes[1], 2);
  return nodes;
}

const portOf = ({ peers }: NotedNode) => Number(peers.address.split(':')[1]);

/** A connection of a stranger, once it stands. */
async function stranger(node: NotedNode): Promise<Socket> {
  const socket = connect(portOf(node), '127.0.0.1');
  socket.on('error', () => undefined).resume();
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

/** One message in each direction. */
async function expectTalk([first, second]: readonly [NotedNode, NotedNode]): Promise<void> {
  const seen = [first.messages.length, second.messages.length];
  first.peers.send(2, { messages: [inGroup(1, { type: 'MsgHeartbeat', from: 1, to: 2, term: 1 })], signals: [] });
  second.peers.send(1, { messages: [inGroup(1, { type: 'MsgApp', from: 2, to: 1, term: 1 })], signals: [] });
  await first.until(({ messages }) => messages.length > (seen[0] as number));
  await second.until(({ messages }) => messages.length > (seen[1] as number));
}

/** What the process holds, garbage left out where it can be. */
function heldBytes(): number {
  const { rss } = process.memoryUsage();
  return rss;
}

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** An HTTP/2 frame. */
function frame(type: number, flags: number, stream: number, payload: Uint8Array, length = payload.length): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const settings = frame(4, 0, 0, new Uint8Array(0));

test('more silent connections than there may be: a peer that comes behind them is let in', async () => {
  const second = await NotedNode.open(2);
  open.push(second);
  const before = heldBytes();
  const flood = await Promise.all(Array.from({ length: 1_400 }, () => stranger(second)));
  await Promise.all(flood.slice(0, 300).map((socket) => socket.destroyed || once(socket, 'close')));
  const first = await NotedNode.open(1);
  open.push(first);
  await introduce(first, 1, second, 2);
  await expectTalk([first, second]);
  // Both ends of every connection are in this process.
  expect(heldBytes() - before).toBeLessThan(400 * 1024 * 1024);
});

test('rubbish, also behind the beginning of HTTP/2, ends its own connection and nothing else', async () => {
  const nodes = await twoNodes();
  const random = createSeededRandom(7);
  const rubbish = (bytes: number) => random.bytes(bytes);
  const inputs = [
    Buffer.from(rubbish(4_000)),
    Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    Buffer.concat([preface, rubbish(4_000)]),
    Buffer.concat([preface, settings, rubbish(4_000)]),
    Buffer.concat([preface, settings, frame(0, 0, 1, rubbish(10), 0xff_ffff)]),
    Buffer.concat([preface, settings, frame(1, 4, 1, rubbish(200))]),
    Buffer.concat([preface, settings, ...Array.from({ length: 2_000 }, () => frame(9, 0, 1, rubbish(16)))]),
    Buffer.concat([preface, settings, frame(1, 0, 1, rubbish(0)), frame(4, 0, 0, rubbish(6))]),
    Buffer.concat([preface, settings, frame(8, 0, 0, Buffer.from([0, 0, 0, 0]))]),
  ];
  for (const input of inputs) {
    const socket = await stranger(nodes[0]);
    const isOver = once(socket, 'close');
    socket.end(input);
    await isOver;
  }
  await expectTalk(nodes);
});

test('streams that are opened and reset at once, settings and pings without end: those who belong go on', async () => {
  const nodes = await twoNodes();
  const before = heldBytes();
  const floods = [
    Array.from({ length: 20_000 }, () => frame(4, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100]))),
    Array.from({ length: 20_000 }, () => frame(6, 0, 0, Buffer.alloc(8))),
  ];
  for (const frames of floods) {
    const socket = await stranger(nodes[0]);
    socket.write(Buffer.concat([preface, settings, ...frames]));
  }
  const session = connectHttp2(`http://${nodes[0].peers.address}`);
  session.on('error', () => undefined);
  sockets.push(session);
  await once(session, 'connect');
  const headers = { ':method': 'POST', ':path': lanePaths.control, 'content-type': 'application/grpc', te: 'trailers' };
  for (let i = 0; i < 5_000 && !session.closed && !session.destroyed; i++) {
    const stream = session.request(headers);
    stream.on('error', () => undefined);
    stream.close(constants.NGHTTP2_CANCEL);
    if (i % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await expectTalk(nodes);
  expect(heldBytes() - before).toBeLessThan(300 * 1024 * 1024);
});
