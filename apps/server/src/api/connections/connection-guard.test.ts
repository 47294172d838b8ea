import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConnectionGuard } from './connection-guard.js';

let nowMs = 0;
let cuts: string[] = [];
let server: Server;
let guard: ConnectionGuard;
const clients: Socket[] = [];

beforeEach(async () => {
  nowMs = 0;
  cuts = [];
  guard = new ConnectionGuard({
    maxConnections: 4,
    handshakeMs: 60_000,
    handshakeBytes: 1,
    quietMs: 5_000,
    monotonicMs: () => nowMs,
    listener: { changed: () => undefined, cut: (reason) => void cuts.push(reason) },
  });
  server = createServer((socket) => {
    if (guard.admit(socket)) socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  guard.close();
  server.close();
});

/** Connects; resolves when the server has seen it. */
async function join(): Promise<Socket> {
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined);
  clients.push(client);
  await Promise.all([once(client, 'connect'), once(server, 'connection')]);
  return client;
}

const addressOf = (client: Socket) => `${client.localAddress}:${client.localPort}`;

describe('at the limit of connections', () => {
  it('one that was quiet the longest makes place for a new one', async () => {
    const first = await join();
    nowMs = 1_000;
    for (let i = 0; i < 3; i++) await join();
    nowMs = 6_500;
    const gone = once(first, 'close');
    const fifth = await join();
    await gone;
    expect(fifth.destroyed).toBe(false);
    expect(cuts).toEqual(['quiet']);
    expect(guard.size).toBe(4);
  });

  it('a new one is refused where the others have just come', async () => {
    for (let i = 0; i < 4; i++) await join();
    nowMs = 4_000;
    const fifth = await join();
    await once(fifth, 'close');
    expect(cuts).toEqual(['limit']);
    expect(guard.size).toBe(4);
  });

  it('one with something open is never cut, and may be when that has ended', async () => {
    const held = [];
    for (let i = 0; i < 4; i++) held.push(guard.hold(addressOf(await join())));
    nowMs = 3_600_000;
    const fifth = await join();
    await once(fifth, 'close');
    expect(cuts).toEqual(['limit']);
    held[2]?.();
    held[2]?.();
    nowMs += 6_000;
    const gone = once(clients[2] as Socket, 'close');
    await join();
    await gone;
    expect(cuts).toEqual(['limit', 'quiet']);
  });
});

it('who says nothing is cut after the handshake time', async () => {
  const short = new ConnectionGuard({
    maxConnections: 4,
    handshakeMs: 1,
    handshakeBytes: 1,
    quietMs: 5_000,
    monotonicMs: () => nowMs,
    listener: { changed: () => undefined, cut: (reason) => void cuts.push(reason) },
  });
  const other = createServer((socket) => void short.admit(socket));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const client = connect((other.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => undefined).resume();
  await once(client, 'close');
  other.close();
  expect(cuts).toEqual(['handshake']);
});

it('hangs up where nothing is open and nothing was for a while', async () => {
  const [quiet, busy] = [await join(), await join()];
  const release = guard.hold(addressOf(busy));
  nowMs = 400;
  const late = await join();
  nowMs = 500;
  const gone = once(quiet, 'close');
  expect(guard.hangUpQuiet(500)).toBe(3);
  await gone;
  release();
  while (guard.size > 2) await new Promise((resolve) => setImmediate(resolve));
  nowMs = 900;
  const lateGone = once(late, 'close');
  expect(guard.hangUpQuiet(500)).toBe(2);
  await lateGone;
  expect([busy.destroyed, late.destroyed]).toEqual([false, true]);
  nowMs = 1_000;
  const busyGone = once(busy, 'close');
  guard.hangUpQuiet(500);
  await busyGone;
});
