import { Client, credentials, Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { nodeClock, nodeRandom } from '@shanghai/env';
import { afterEach, expect, test } from 'vitest';
import type { ControlMessage } from '../src/core/message.js';
import { packEntries } from '../src/core/run.js';
import { createGrpcReplication, type GrpcReplication } from '../src/grpc/grpc-replication.js';
import type { GrpcReplicationOptions } from '../src/grpc/grpc-replication-options.js';
import { asBuffer, asBytes, lanePaths } from '../src/grpc/replication-service.js';
import type { SessionHandlers, TransportSession } from '../src/ports/replication-transport.js';
import { encodeControl, encodeData } from '../src/wire/message-codec.js';

class Noted {
  readonly sessions: TransportSession[] = [];
  readonly control: ControlMessage[] = [];
  readonly ends: string[] = [];
  readonly refused: string[] = [];
  #watchers: (() => void)[] = [];

  readonly onSession = (session: TransportSession): SessionHandlers => {
    this.sessions.push(session);
    this.changed();
    return {
      onControl: (message) => {
        this.control.push(message);
        this.changed();
      },
      onData: () => this.changed(),
      onDrain: () => undefined,
      onEnd: (reason) => {
        this.ends.push(reason);
        this.changed();
      },
    };
  };

  changed(): void {
    for (const wake of this.#watchers.splice(0)) wake();
  }

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }
}

const opened: GrpcReplication[] = [];
const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(opened.splice(0).map((transport) => transport.close()));
});

async function open(nodeId: number, options: Partial<GrpcReplicationOptions> = {}) {
  const noted = new Noted();
  const transport = createGrpcReplication({
    self: { clusterId: 'test', nodeId, instanceId: `instance-${nodeId}` },
    book: { check: (id, instanceId) => (instanceId === `instance-${id}` ? 'known' : 'otherInstance') },
    clock: nodeClock(),
    random: nodeRandom(),
    listener: {
      refused: ({ nodeId: other, reason, isByPeer }) => {
        noted.refused.push(`${other} ${isByPeer ? 'says' : 'is refused'}: ${reason}`);
        noted.changed();
      },
    },
    ...options,
    limits: { retryMinMs: 5, retryMaxMs: 20, refusedRetryMs: 40, ...options.limits },
  });
  opened.push(transport);
  const address = await transport.listen('127.0.0.1', 0);
  transport.open(noted);
  return { transport, noted, address };
}

const hello = {
  'shanghai-protocol': '1-1',
  'shanghai-cluster': 'test',
  'shanghai-from': '1',
  'shanghai-to': '2',
  'shanghai-instance': 'instance-1',
  'shanghai-session': 'one',
};

/** Streams of a stranger, and how they end. */
function dialRaw(address: string, said: Readonly<Record<string, string>>) {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 });
  clients.push(client);
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(said)) metadata.set(key, value);
  const dial = (path: string) => {
    const call = client.makeBidiStreamRequest(path, asBuffer, asBytes, metadata);
    call.on('data', () => undefined);
    call.on('error', () => undefined);
    return { call, ended: new Promise<StatusObject>((resolve) => call.on('status', resolve)) };
  };
  return { control: dial(lanePaths.control), data: () => dial(lanePaths.data) };
}

test('who is of another cluster, not in the table, a copy, or somebody else is refused, and both say why', async () => {
  const source = await open(2);
  const cases: readonly [number, Partial<GrpcReplicationOptions>, string][] = [
    [1, { self: { clusterId: 'other', nodeId: 1, instanceId: 'instance-1' } }, "it is of cluster 'other'"],
    [3, { self: { clusterId: 'test', nodeId: 3, instanceId: 'copy' } }, "node 3 is another instance than 'copy'"],
    [2, {}, "node 2 is another instance than 'instance-2'"],
  ];
  for (const [nodeId, options, reason] of cases) {
    const follower = await open(nodeId, options);
    follower.transport.setPeers([{ nodeId: 2, address: source.address }]);
    await follower.noted.until(() => follower.noted.refused.length > 0);
    expect(follower.noted.refused[0]).toContain(reason);
    expect(source.noted.refused.some((refused) => refused.includes(reason))).toBe(true);
    expect(follower.noted.sessions).toEqual([]);
  }
  const lost = await open(4);
  lost.transport.setPeers([{ nodeId: 9, address: source.address }]);
  await lost.noted.until(() => lost.noted.refused.length > 0);
  expect(lost.noted.refused[0]).toContain('node 2 listens where node 9 was expected');
});

test('calls without a hello, or with one of another version, are refused with a word for it', async () => {
  const { address } = await open(2);
  for (const [said, refusal] of [
    [{}, 'hello'],
    [{ ...hello, 'shanghai-protocol': '2-3' }, 'protocol'],
    [{ ...hello, 'shanghai-session': '' }, 'hello'],
    [{ ...hello, 'shanghai-from': '0' }, 'hello'],
  ] as const) {
    const { code, metadata } = await dialRaw(address, said).control.ended;
    expect([code, metadata.get('shanghai-refusal')]).toEqual([status.FAILED_PRECONDITION, [refusal]]);
  }
});

test('one stream of a session alone is ended after a while, and nothing is handed out for it', async () => {
  const { address, noted } = await open(2, { limits: { connectTimeoutMs: 50 } });
  const { code, details } = await dialRaw(address, hello).control.ended;
  expect([code, details]).toEqual([status.CANCELLED, 'the other stream of the session did not come']);
  expect(noted.sessions).toEqual([]);
});

test.each([
  ['bytes that are no message', new Uint8Array([0, 1, 2, 3]), 'message'],
  [
    'a message of the other lane',
    encodeData({ type: 'trimmed', stream: { logId: 1, origin: 1, epoch: 1 }, firstSequence: 1 }),
    'of type 19',
  ],
  ['a piece of a message that never ends', new Uint8Array([7, 7]), 'begins with 7'],
])('a follower that sends %s loses its session', async (_what, bytes, reason) => {
  const { address, noted } = await open(2);
  const { control, data } = dialRaw(address, hello);
  const { ended } = data();
  await noted.until(() => noted.sessions.length === 1);
  control.call.write(encodeControl({ type: 'want', origins: [1] }));
  control.call.write(bytes);
  const { code, details } = await ended;
  expect(code).toBe(status.ABORTED);
  expect(details).toContain(reason);
  expect(noted.control).toEqual([{ type: 'want', origins: [1] }]);
  expect(noted.ends).toHaveLength(1);
});

test('a newer session of a follower takes the place of the older one', async () => {
  const { address, noted } = await open(2);
  const first = dialRaw(address, hello);
  first.data();
  await noted.until(() => noted.sessions.length === 1);
  dialRaw(address, { ...hello, 'shanghai-session': 'two' }).data();
  const { details } = await first.control.ended;
  expect(details).toBe('a newer session has taken the place of this one');
  await noted.until(() => noted.sessions.length === 2);
  expect(noted.ends).toEqual(['a newer session has taken the place of this one']);
});

test('an entry larger than a frame arrives whole, and one larger than a message may be ends the session', async () => {
  const source = await open(2);
  const follower = await open(1, { limits: { maxMessageBytes: 3_000_000 } });
  follower.transport.setPeers([{ nodeId: 2, address: source.address }]);
  await follower.noted.until(() => follower.noted.sessions.length === 1);
  const run = (bytes: number) => ({
    type: 'run' as const,
    run: {
      stream: { logId: 1, origin: 2, epoch: 1 },
      firstSequence: 1,
      count: 1,
      lastHlc: { ms: 1, counter: 0 },
      bytes: packEntries([new Uint8Array(bytes)]),
    },
  });
  const shipping = source.noted.sessions.at(-1);
  shipping?.sendData(run(2_900_000));
  shipping?.sendData(run(3_100_000));
  await follower.noted.until(() => follower.noted.ends.length === 1);
  expect(follower.noted.ends[0]).toContain('a message has 3000000 at most');
});
