import { Server, ServerCredentials } from '@grpc/grpc-js';
import { type Clock, nodeClock, nodeRandom } from '@shanghai/env';
import { afterEach, expect, test } from 'vitest';
import { helloAnswer } from '../src/grpc/hello.js';
import type { PeerCall } from '../src/grpc/incoming-streams.js';
import { peerService } from '../src/grpc/peer-service.js';
import { widenWindow } from '../src/grpc/widen-window.js';
import { inGroup, introduce, type NodeOptions, NotedNode } from './grpc-subject.js';
import { TcpProxy } from './tcp-proxy.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

async function node(nodeId: number, options?: NodeOptions): Promise<NotedNode> {
  const opened = await NotedNode.open(nodeId, options);
  closing.push(() => opened.peers.close());
  return opened;
}

async function proxy(target: string): Promise<TcpProxy> {
  const opened = await TcpProxy.open(target);
  closing.push(() => opened.close());
  return opened;
}

/** A peer that lets everybody in, and reads nothing of its log lane until it is told to. */
async function deafPeer(nodeId: number) {
  const server = new Server();
  const calls: PeerCall[] = [];
  const windows: boolean[] = [];
  let hear: () => void = () => undefined;
  /** Resolves when something came on the control lane. */
  const heard = new Promise<void>((resolve) => {
    hear = resolve;
  });
  const serve = (mayRead: boolean) => (call: PeerCall) => {
    call.sendMetadata(
      helloAnswer({ clusterId: 'test', nodeId, instanceId: `instance-${nodeId}`, startId: `start-${nodeId}` }, 2),
    );
    call.on('error', () => undefined);
    windows.push(widenWindow(call));
    if (mayRead) call.on('data', hear);
    else calls.push(call);
  };
  server.addService(peerService, { control: serve(true), log: serve(false), snapshot: serve(true) });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  closing.push(async () => server.forceShutdown());
  return { address: `127.0.0.1:${port}`, calls, windows, heard };
}

const append = (size: number) =>
  inGroup(1, {
    type: 'MsgApp',
    from: 1,
    to: 2,
    entries: [{ term: 1, index: 1, type: 'EntryNormal', data: new Uint8Array(size) }],
  });
const beat = { messages: [], signals: [] };

test('a peer that does not read is told to be unreachable once, then what it reads makes room again', async () => {
  const deaf = await deafPeer(2);
  const first = await node(1, { limits: { logBufferBytes: 1_000_000, keepaliveMs: 60_000 } });
  first.peers.setPeers([{ nodeId: 2, address: deaf.address }]);
  await first.untilEvent('connected 2 log out');
  // Windows and sockets take some megabytes before anything waits here.
  let sent = 0;
  while (first.unreachable.length === 0) {
    first.peers.send(2, { messages: [append(500_000)], signals: [] });
    sent++;
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (let again = 0; again < 10; again++) first.peers.send(2, { messages: [append(1)], signals: [] });
  first.peers.send(2, beat);
  await new Promise((resolve) => setImmediate(resolve));
  expect(first.unreachable).toEqual([2]);
  expect(first.events.filter((event) => event.startsWith('blocked 2 log'))).toHaveLength(1);
  expect(sent).toBeLessThan(100);
  const readAll = new Promise<void>((resolve) => {
    deaf.calls[0]?.on('data', (frame: Uint8Array) => {
      if (frame.length < 200) resolve();
    });
  });
  const read = { all: false };
  void readAll.then(() => {
    read.all = true;
  });
  while (!read.all) {
    first.peers.send(2, { messages: [append(1)], signals: [] });
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test('what waits on one lane does not delay another', async () => {
  const deaf = await deafPeer(2);
  const first = await node(1, { limits: { keepaliveMs: 60_000 } });
  first.peers.setPeers([{ nodeId: 2, address: deaf.address }]);
  await first.untilEvent('connected 2 log out');
  await first.untilEvent('connected 2 control out');
  for (let at = 0; at < 40; at++) first.peers.send(2, { messages: [append(1_000_000)], signals: [] });
  first.peers.send(2, beat);
  await deaf.heard;
  expect(first.events).toContain('blocked 2 log out');
});

test('the window of a stream that was let in can be widened with the library that is used', async () => {
  const deaf = await deafPeer(2);
  const first = await node(1);
  first.peers.setPeers([{ nodeId: 2, address: deaf.address }]);
  await first.untilEvent('connected 2 log out');
  expect(new Set(deaf.windows)).toEqual(new Set([true]));
});

test('a broken connection is told, and made again; what is sent then arrives', async () => {
  const first = await node(1);
  const second = await node(2);
  const between = await proxy(second.peers.address);
  first.peers.setPeers([{ nodeId: 2, address: between.address }]);
  await first.untilEvent('connected 2 log out');
  await first.untilEvent('connected 2 control out');
  between.cut();
  await first.until(({ unreachable }) => unreachable.includes(2));
  await first.until(({ events }) => events.filter((event) => event === 'connected 2 control out').length === 2);
  first.peers.send(2, beat);
  await second.until(({ frames }) => frames.length === 1);
});

test('a process that has ended is told, a connection that broke is not', async () => {
  const first = await node(1);
  const second = await node(2);
  const third = await node(3);
  const between = await proxy(third.peers.address);
  first.peers.setPeers([
    { nodeId: 2, address: second.peers.address },
    { nodeId: 3, address: between.address },
  ]);
  await first.untilEvent('connected 2 control out');
  await first.untilEvent('connected 3 control out');
  between.cut();
  await first.until(({ events }) => events.filter((event) => event === 'connected 3 control out').length === 2);
  await second.peers.close();
  await first.until(({ gone }) => gone.length > 0);
  expect(first.gone).toEqual([2]);
});

test('a peer that falls silent is hung up on, and dialled until it answers again', async () => {
  const limits = { keepaliveMs: 50, keepaliveTimeoutMs: 50, connectTimeoutMs: 100 };
  const first = await node(1, { limits });
  const second = await node(2, { limits: { ...limits, keepaliveMs: 60_000 } });
  const between = await proxy(second.peers.address);
  first.peers.setPeers([{ nodeId: 2, address: between.address }]);
  await first.untilEvent('connected 2 control out');
  between.silence();
  await first.untilEvent('disconnected 2 control out');
  await first.untilEvent('unreachable 2 control out: node 2 at');
  between.speak();
  await first.until(({ events }) => events.filter((event) => event === 'connected 2 control out').length === 2);
  first.peers.send(2, beat);
  await second.until(({ frames }) => frames.length === 1);
});

test('a node that is dialled notices too when who dialled it falls silent', async () => {
  const first = await node(1, { limits: { keepaliveMs: 60_000 } });
  const second = await node(2, { limits: { keepaliveMs: 50, keepaliveTimeoutMs: 50 } });
  const between = await proxy(second.peers.address);
  first.peers.setPeers([{ nodeId: 2, address: between.address }]);
  await second.untilEvent('connected 1 log in');
  between.silence();
  await second.untilEvent('disconnected 1 log in');
});

test('a peer that comes back is dialled at once, however long the wait had become', async () => {
  const limits = { retryMinMs: 3_600_000, retryMaxMs: 3_600_000 };
  const first = await node(1, { limits });
  const gone = await node(2);
  const { address } = gone.peers;
  await gone.peers.close();
  first.peers.setPeers([{ nodeId: 2, address }]);
  await first.untilEvent('unreachable 2 control out');
  await first.untilEvent('unreachable 2 log out');
  const back = await node(2, { port: Number(address.split(':')[1]) });
  back.peers.setPeers([{ nodeId: 1, address: first.peers.address }]);
  await first.untilEvent('connected 2 control out');
  await first.untilEvent('connected 2 log out');
});

test('an address that is none is a peer that cannot be reached', async () => {
  const first = await node(1);
  first.peers.setPeers([
    { nodeId: 2, address: '' },
    { nodeId: 3, address: 'no.such.host.invalid:1' },
    { nodeId: 4, address: '::1::nonsense' },
  ]);
  for (const nodeId of [2, 3, 4]) await first.untilEvent(`unreachable ${nodeId} log out`);
  await first.until(({ unreachable }) => [2, 3, 4].every((nodeId) => unreachable.includes(nodeId)));
});

test('a peer that ends its streams as soon as they are open is dialled less and less often', async () => {
  const server = new Server();
  const serve = (call: PeerCall) => {
    call.sendMetadata(helloAnswer({ clusterId: 'test', nodeId: 2, instanceId: 'instance-2', startId: 'start-2' }, 2));
    call.end();
  };
  server.addService(peerService, { control: serve, log: (call: PeerCall) => call.resume(), snapshot: serve });
  const port = await new Promise<number>((resolve) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound));
  });
  closing.push(async () => server.forceShutdown());
  const waits: number[] = [];
  const real = nodeClock();
  const clock: Clock = {
    nowMs: () => real.nowMs(),
    monotonicMs: () => real.monotonicMs(),
    soon: (callback) => real.soon(callback),
    setTimer: (delayMs, callback, options) => {
      if (delayMs <= 1_000) waits.push(Math.round(delayMs));
      return real.setTimer(delayMs <= 1_000 ? 0 : delayMs, callback, options);
    },
  };
  const random = { ...nodeRandom(), float: () => 0.9999 };
  const first = await node(1, {
    clock,
    random,
    limits: { retryMinMs: 50, retryMaxMs: 1_000, connectTimeoutMs: 60_000 },
  });
  first.peers.setPeers([{ nodeId: 2, address: `127.0.0.1:${port}` }]);
  await first.until(({ events }) => events.filter((event) => event.startsWith('disconnected')).length === 7);
  expect(waits.slice(0, 7)).toEqual([50, 100, 200, 400, 800, 1_000, 1_000]);
});

test('what is sent while a peer is dialled waits for its answer', async () => {
  const first = await node(1);
  const second = await node(2);
  first.peers.setPeers([{ nodeId: 2, address: second.peers.address }]);
  first.peers.send(2, { messages: [append(10)], signals: [{ groupId: 1, type: 'wake', term: 1, index: 1 }] });
  await second.until(({ frames }) => frames.length === 2);
});

test('a peer that is let go hears nothing more, and its successor at another address does', async () => {
  const first = await node(1);
  const second = await node(2);
  await introduce(first, 1, second, 2);
  const moved = await node(2);
  first.peers.setPeers([{ nodeId: 2, address: moved.peers.address }]);
  first.peers.send(2, beat);
  await moved.until(({ frames }) => frames.length === 1);
  expect(second.frames).toEqual([]);
});
