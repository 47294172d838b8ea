/** Much of what is begun and never ended: connections, calls, requests, frames of HTTP/2. */
import type { ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, atOnce, type Field, scaled, type Target } from './attack.js';
import { beginCall, endOf, openSession } from './raw-call.js';
import { answerToBytes, connectTo, http2Frame, noSettings, preface } from './raw-connection.js';

/** The ports of a node: of peers, gRPC and HTTP. */
function portsOf({ peer, grpc, http }: Target): readonly string[] {
  return peer === undefined ? [grpc, http] : [peer, grpc, http];
}

const rubbishAttack: Attack = {
  name: 'rubbish',
  what: 'random bytes, the wrong protocol, and frames of HTTP/2 that lie, on every port',
  // What may still become a frame of HTTP/2 is waited for: such a connection makes place when place is needed.
  answers: /^(hung up|left open|refused|400|404|408|431|501|505)$/,
  async run(field) {
    const { random } = field;
    const rubbish = (bytes: number) => random.bytes(bytes);
    const makers: (() => Uint8Array)[] = [
      () => rubbish(4_000),
      () => Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'),
      () => Buffer.from(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'a'.repeat(400_000)}\r\n\r\n`),
      () =>
        Buffer.from(
          'PUT /kv/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        ),
      () => Buffer.from('PUT /kv/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n'),
      () => Buffer.concat([preface, rubbish(4_000)]),
      () => Buffer.concat([preface, noSettings, rubbish(4_000)]),
      () => Buffer.concat([preface, noSettings, http2Frame(0, 0, 1, rubbish(10), 0xff_ffff)]),
      () => Buffer.concat([preface, noSettings, http2Frame(1, 4, 1, rubbish(200))]),
      () => Buffer.concat([preface, noSettings, http2Frame(1, 0, 1, rubbish(0)), ...continuations(2_000, rubbish(16))]),
      () => Buffer.concat([preface, noSettings, http2Frame(8, 0, 0, Buffer.from([0, 0, 0, 0]))]),
    ];
    const ports = field.targets.flatMap(portsOf);
    const count = scaled(field, 3) * makers.length * ports.length;
    await atOnce(count, 24, async (number) => {
      const make = makers[number % makers.length] as () => Uint8Array;
      const port = ports[Math.floor(number / makers.length) % ports.length] as string;
      field.told(await answerToBytes(port, make(), Math.max(300, 3_000 * Math.min(1, field.scale))));
    });
  },
};

/** Headers that go on and on. */
function continuations(count: number, part: Uint8Array): readonly Buffer[] {
  return Array.from({ length: count }, () => http2Frame(9, 0, 1, part));
}

const connectionsAttack: Attack = {
  name: 'connections',
  what: 'more silent connections than a listener takes, on every port',
  answers: /^(hung up|refused|held)$/,
  async run(field) {
    const sockets: Socket[] = [];
    const ports = portsOf(field.targets[0]);
    await atOnce(scaled(field, 2_600) * ports.length, 50, async (number) => {
      const socket = await connectTo(ports[number % ports.length] as string);
      if (socket === undefined) field.told('refused');
      else sockets.push(socket.resume());
    });
    await sleep(12_000 * Math.min(1, field.scale));
    for (const socket of sockets) {
      field.told(socket.closed ? 'hung up' : 'held');
      socket.destroy();
    }
  },
};

const halfOpenAttack: Attack = {
  name: 'half-open',
  what: 'calls without a message, requests without an end, streams of peers without a hello',
  answers: /^(RESOURCE_EXHAUSTED.*|FAILED_PRECONDITION hello|CANCELLED|reset|left open|held|hung up|408|429|refused)$/,
  async run(field) {
    const [target] = field.targets;
    const sessions: ClientHttp2Session[] = [];
    const ends: Promise<void>[] = [];
    const wait = 8_000 * Math.min(1, field.scale);
    const begin = (address: string, path: string, calls: number) => {
      const session = openSession(address);
      sessions.push(session);
      for (let i = 0; i < calls; i++) {
        const stream = beginCall(session, path);
        stream?.resume();
        ends.push(endOf(stream, wait).then(field.told));
      }
    };
    for (let i = 0; i < scaled(field, 12); i++) {
      begin(target.grpc, '/shanghai.v1.KeyValue/Put', 500);
      begin(target.grpc, '/shanghai.v1.KeyValue/Pipeline', 500);
      if (target.peer !== undefined) begin(target.peer, '/shanghai.v1.Peer/Log', 50);
    }
    const heads = [
      'GET /kv/a HTTP/1.1\r\nHost: localhost\r\nX-',
      'PUT /kv/a HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n{',
    ];
    await atOnce(scaled(field, 1_000), 50, async (number) => {
      const head = heads[number % heads.length] as string;
      ends.push(answerToBytes(target.http, Buffer.from(head), wait).then(field.told));
    });
    await Promise.all(ends);
    for (const session of sessions) session.destroy();
  },
};

const framesAttack: Attack = {
  name: 'frames without end',
  what: 'settings, pings, and streams that are opened and reset at once, without end',
  answers: /^(hung up|held)$/,
  async run(field) {
    const floods = [
      http2Frame(4, 0, 0, Buffer.from([0, 3, 0, 0, 0, 100])),
      http2Frame(6, 0, 0, Buffer.alloc(8)),
      http2Frame(2, 0, 1, Buffer.from([0, 0, 0, 0, 10])),
    ];
    const [{ peer, grpc }] = field.targets;
    const ports = peer === undefined ? [grpc] : [peer, grpc];
    await Promise.all(ports.flatMap((port) => floods.map((flood) => floodWith(field, port, flood))));
    await Promise.all(ports.map((port) => resetWithoutEnd(field, port)));
  },
};

async function floodWith(field: Field, port: string, frame: Buffer): Promise<void> {
  const socket = await connectTo(port);
  if (socket === undefined) return field.told('hung up');
  socket.resume();
  socket.write(Buffer.concat([preface, noSettings]));
  const many = Buffer.concat(Array.from({ length: 1_000 }, () => frame));
  for (let i = 0; i < scaled(field, 60) && !socket.destroyed; i++) {
    await Promise.race([new Promise((resolve) => socket.write(many, resolve)), sleep(500)]);
  }
  field.told(socket.destroyed ? 'hung up' : 'held');
  socket.destroy();
}

async function resetWithoutEnd(field: Field, port: string): Promise<void> {
  const session = openSession(port);
  for (let i = 0; i < scaled(field, 20_000); i++) {
    const stream = beginCall(session, '/shanghai.v1.KeyValue/Get');
    if (stream === undefined) break;
    stream.close(8);
    if (i % 200 === 0) await sleep(1);
  }
  field.told(session.closed || session.destroyed ? 'hung up' : 'held');
  session.destroy();
}

/** All of them. */
export const floodAttacks: readonly Attack[] = [rubbishAttack, connectionsAttack, halfOpenAttack, framesAttack];
