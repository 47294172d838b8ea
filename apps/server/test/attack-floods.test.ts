/** Clients that begin much and end nothing: each is ended itself, others are served, and memory stays bounded. */
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { ListenerLimits } from '../src/api/connections/listener-guards.js';
import { openGrpcApi } from '../src/api/grpc/grpc-api.js';
import { openHttpApi } from '../src/api/http/http-api.js';
import { testServices } from './api-services.js';
import { sendHttp } from './http-fixture.js';
import { createMemoryNode } from './memory-node.js';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Both listeners over a node in memory. */
async function open(listeners: Partial<ListenerLimits>) {
  const node = createMemoryNode();
  const services = testServices(node, {}, listeners);
  const grpc = await openGrpcApi(services, '127.0.0.1', 0);
  const http = await openHttpApi(services, '127.0.0.1', 0);
  closing.push(() => Promise.all([grpc.close(0), http.close(0)]));
  const metric = async (name: string) => {
    const line = (await services.metrics.text()).split('\n').find((text) => text.startsWith(`shanghai_${name} `));
    return Number(line?.split(' ')[1]);
  };
  return { grpcPort: grpc.port, httpPort: http.port, receiving: services.guards.receiving, metric, services, node };
}

function session(port: number): ClientHttp2Session {
  const opened = connectHttp2(`http://127.0.0.1:${port}`);
  opened.on('error', () => undefined);
  closing.push(() => opened.destroy());
  return opened;
}

/** The head of a message of so many bytes. */
function head(bytes: number): Buffer {
  const buffer = Buffer.alloc(5);
  buffer.writeUInt32BE(bytes, 1);
  return buffer;
}

function call(on: ClientHttp2Session, method: string): ClientHttp2Stream {
  const path = `/shanghai.v1.KeyValue/${method}`;
  const stream = on.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
  stream.on('error', () => undefined);
  stream.resume();
  return stream;
}

/** How a call ended, as gRPC's number. */
function statusOf(stream: ClientHttp2Stream): Promise<number> {
  return new Promise((resolve) => {
    const heard = (headers: Record<string, unknown>) => {
      if (headers['grpc-status'] !== undefined) resolve(Number(headers['grpc-status']));
    };
    stream.on('response', heard);
    stream.on('trailers', heard);
    stream.on('close', () => resolve(-1));
  });
}

const mib = 1024 * 1024;
const put = { body: { value: 'v' } };

test('messages that never end make place for others, and are told', async () => {
  const { grpcPort, httpPort, receiving, metric } = await open({ maxReceivingBytes: 8 * mib });
  const statuses: Promise<number>[] = [];
  const on = session(grpcPort);
  for (let i = 0; i < 12; i++) {
    const stream = call(on, 'Put');
    statuses.push(statusOf(stream));
    stream.write(head(4 * mib));
    await new Promise((resolve) => stream.write(Buffer.alloc(mib), resolve));
  }
  expect(await statuses[0]).toBe(8);
  expect(receiving.heldBytes).toBeLessThanOrEqual(8 * mib);
  expect((await sendHttp(httpPort, 'PUT', '/kv/a', { body: { value: 'v'.repeat(900_000) } })).code).toBe(200);
  expect(await metric('requests_without_room_total')).toBeGreaterThan(0);
  on.destroy();
  while (receiving.heldBytes > 0) await new Promise((resolve) => setImmediate(resolve));
});

test('a message in a hundred thousand parts costs more than its bytes, and is ended', async () => {
  const { grpcPort, receiving } = await open({ maxReceivingBytes: 2 * mib });
  const stream = call(session(grpcPort), 'Put');
  let status: number | undefined;
  void statusOf(stream).then((known) => {
    status = known;
  });
  stream.write(head(8 * mib));
  for (let i = 0; i < 40_000 && status === undefined; i++) {
    await new Promise((resolve) => stream.write(Buffer.alloc(1), resolve));
  }
  expect(status).toBe(8);
  expect(receiving.heldBytes).toBeLessThanOrEqual(2 * mib);
});

test('bodies that never end make place for others', async () => {
  const { httpPort, receiving } = await open({ maxReceivingBytes: 8 * mib });
  const codes: Promise<number>[] = [];
  for (let i = 0; i < 12; i++) {
    const sent = httpRequest({
      host: '127.0.0.1',
      port: httpPort,
      method: 'PUT',
      path: '/kv/a',
      agent: false,
      headers: { 'content-type': 'application/json', 'content-length': 4 * mib },
    });
    closing.push(() => sent.destroy());
    codes.push(
      new Promise((resolve) => {
        sent.on('error', () => resolve(-1));
        sent.on('response', (response) => resolve(response.resume().statusCode ?? 0));
      }),
    );
    await new Promise((resolve) => sent.write(Buffer.alloc(mib), resolve));
  }
  expect(await codes[0]).toBe(429);
  expect(receiving.heldBytes).toBeLessThanOrEqual(8 * mib);
  expect((await sendHttp(httpPort, 'PUT', '/kv/a', put)).code).toBe(200);
});

test('a body is no longer counted when its request is answered, however it was', async () => {
  const { httpPort, receiving } = await open({ maxReceivingBytes: 8 * mib });
  for (const body of [put.body, '{', { value: 5 }, 'x'.repeat(2 * mib)])
    await sendHttp(httpPort, 'PUT', '/kv/a', { body });
  while (receiving.heldBytes > 0) await new Promise((resolve) => setImmediate(resolve));
});

test.each(['http', 'grpc'] as const)(
  'connections beyond the limit of %s are refused, and counted',
  async (listener) => {
    const { httpPort, grpcPort, services } = await open({ maxConnections: 50 });
    const port = listener === 'http' ? httpPort : grpcPort;
    const sockets = await Promise.all(
      Array.from({ length: 80 }, async () => {
        const socket = connect(port, '127.0.0.1');
        socket.on('error', () => undefined).resume();
        closing.push(() => socket.destroy());
        await once(socket, 'connect');
        return socket;
      }),
    );
    await Promise.all(sockets.slice(50).map((socket) => socket.destroyed || once(socket, 'close')));
    expect(services.guards[listener].size).toBe(50);
    expect(await services.metrics.text()).toContain(
      `shanghai_connections_cut_total{listener="${listener}",reason="limit"} 30`,
    );
  },
);

test('calls that are opened and send nothing make place for others', async () => {
  const { grpcPort, httpPort, receiving } = await open({ maxReceivingBytes: mib });
  const on = session(grpcPort);
  const statuses = Array.from({ length: 400 }, () => statusOf(call(on, 'Put')));
  expect(await statuses[0]).toBe(8);
  expect(receiving.heldBytes).toBeLessThanOrEqual(mib);
  expect((await sendHttp(httpPort, 'PUT', '/kv/a', put)).code).toBe(200);
});

test('many slow readers hold a bounded number of bytes together; the slowest are cut off and told', async () => {
  const { grpcPort, node, services } = await open({ maxAnsweringBytes: 4 * mib });
  node.endless = { pageBytes: 64 * 1024, pages: 0 };
  const empty = Buffer.alloc(5);
  const ends: Promise<number | undefined>[] = [];
  let highest = 0;
  for (let i = 0; i < 24; i++) {
    const stream = call(session(grpcPort), 'Range');
    stream.pause();
    ends.push(new Promise((resolve) => stream.on('close', () => resolve(stream.rstCode))));
    stream.end(empty);
    await once(stream, 'response');
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    highest = Math.max(highest, services.guards.answering.heldBytes);
  }
  expect(await ends[0]).toBe(11);
  expect(highest).toBeLessThanOrEqual(4 * mib);
});

test('large pages over HTTP that are made at one time hold a bounded number of bytes; beyond it they are refused', async () => {
  const { httpPort, node, services } = await open({ maxAnsweringBytes: 60 * mib });
  node.endless = { pageBytes: 64 * 1024, pages: 0 };
  const path = '/kv/range?prefix=&limit=10000';
  const alone = await sendHttp(httpPort, 'GET', path);
  expect(alone.code).toBe(200);
  // A byte that is no text may need six characters.
  expect(alone.text.length).toBeLessThan(28 * mib);
  const answers = await Promise.all(Array.from({ length: 8 }, () => sendHttp(httpPort, 'GET', path)));
  const codes = new Set(answers.map(({ code }) => code));
  expect([...codes].sort()).toEqual([200, 429]);
  while (services.guards.answering.heldBytes > 0) await new Promise((resolve) => setImmediate(resolve));
});
