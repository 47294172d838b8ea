/** Requests to logs and keyspaces of mode multi-master that make no sense: each is refused with its code, and nothing changes. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LogPosition } from '../src/apply/consumer-table.js';
import { encodeVectorToken } from '../src/keyspaces/vector-token.js';
import type { LogPage, LogRead, LogScope, LogSettings } from '../src/logs/log-requests.js';
import type { ShanghaiNode } from '../src/node.js';
import type { RangeRequest } from '../src/requests/key-value-requests.js';
import type { ReadContext } from '../src/requests/request-context.js';
import {
  appendTo,
  bytes,
  createManualClock,
  createMemoryDisk,
  openTestNode,
  request,
  smallOptions,
  text,
} from './core-harness.js';

const settings: LogSettings = {
  mode: 'multi-master',
  acknowledgement: 'local',
  retentionMs: 0,
  retentionBytes: 0,
  cleanupPolicy: 'delete',
};
const keyspace = 'shared';
let node: ShanghaiNode;
let clock: ReturnType<typeof createManualClock>;

beforeEach(async () => {
  clock = createManualClock(1_000_000);
  node = await openTestNode(createMemoryDisk(), clock, smallOptions);
  await node.logs.create('events', settings, request());
  await appendTo(node, 'events', 'a', 'b', 'c');
  await node.keyspaces?.create(keyspace, 'multi-master', request());
  await node.keyValue.write(
    { kind: 'independent', operations: [{ type: 'put', key: bytes('k'), value: bytes('v') }] },
    { keyspace },
    request(),
  );
});

/** Whatever was asked, what there was is there, and goes on behind it. */
afterEach(async () => {
  const names = (await node.logs.list('', request())).map(({ name }) => name);
  if (names.includes('events')) {
    expect((await read()).entries.map(({ value }) => text(value))).toEqual(['a', 'b', 'c']);
    expect(await appendTo(node, 'events', 'd')).toMatchObject({ epoch: 1, firstSequence: 4 });
  }
  const { value } = await node.keyValue.get(bytes('k'), { keyspace, level: 'stale' }, request());
  expect(text(value?.value)).toBe('v');
  await node.close(1000);
});

function read(more: Partial<LogRead> = {}): Promise<LogPage> {
  const start = { from: 'sequence', sequence: 0 } as const;
  return node.logs.read({ log: 'events', origin: 0, start, limit: 1000, maxBytes: 1 << 20, ...more }, request());
}

const from = (...positions: readonly LogPosition[]): { scope: LogScope } => {
  return { scope: { allOrigins: true, epoch: 0, order: 'arrival', positions } };
};

const coded = (code: string, message = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

test('a log that is not there', async () => {
  await expect(appendTo(node, 'nothing', 'x')).rejects.toEqual(coded('NOT_FOUND', /nothing/));
  await expect(read({ log: 'nothing' })).rejects.toEqual(coded('NOT_FOUND', /nothing/));
  await expect(node.logs.describe('nothing', request())).rejects.toEqual(coded('NOT_FOUND', /nothing/));
  await expect(node.logs.delete('nothing', request())).rejects.toEqual(coded('NOT_FOUND', /nothing/));
  await expect(commit('nothing', { origin: 1, epoch: 1, sequence: 1 })).rejects.toEqual(coded('NOT_FOUND', /nothing/));
});

function commit(log: string, ...positions: readonly LogPosition[]): Promise<unknown> {
  return node.logUpkeep?.commit({ log, consumer: 'c', generation: 0, positions }, request()) as Promise<unknown>;
}

test('an epoch that never was, and positions of another cluster', async () => {
  const elsewhere = [
    { origin: 1, epoch: 9, sequence: 1 },
    { origin: 77, epoch: 1, sequence: 5 },
  ] as const;
  for (const position of elsewhere) {
    const said = JSON.stringify(position);
    await expect(read(from(position)), said).rejects.toEqual(coded('OUT_OF_RANGE'));
  }
  const producer = { producerId: 3, epoch: 5, sequence: 1 };
  const record = { key: bytes(''), value: bytes('x'), headers: [] };
  await node.logs.create('other', settings, request());
  await node.logs.append({ log: 'other', records: [record], producer }, request());
  await expect(
    node.logs.append({ log: 'other', records: [record], producer: { ...producer, epoch: 4 } }, request()),
  ).rejects.toEqual(coded('CONFLICT'));
});

test('a token of another keyspace, of another cluster, and rubbish', async () => {
  const get = (token: Uint8Array) =>
    node.keyValue.get(bytes('k'), { keyspace, level: 'session', token } satisfies ReadContext, request());
  for (const token of [bytes('rubbish'), encodeVectorToken(99, []), new Uint8Array([3, 0, 0, 0])]) {
    await expect(get(token)).rejects.toEqual(coded('INVALID_REQUEST', /token/));
  }
  const { keyspaceId = 0 } = node.keyspaces?.list(request()).find(({ name }) => name === keyspace) ?? {};
  const waiting = get(encodeVectorToken(keyspaceId, [{ origin: 77, epoch: 1, sequence: 5 }]));
  const refused = expect(waiting).rejects.toEqual(coded('CLUSTER_ERROR'));
  for (let i = 0; i < 100; i++) await clock.advance(200);
  await refused;
});

test('an entry that is too large, none, and a value that is too large', async () => {
  const large = (length: number) => ({ key: bytes(''), value: new Uint8Array(length), headers: [] });
  await expect(node.logs.append({ log: 'events', records: [large(40 * 1024 * 1024)] }, request())).rejects.toEqual(
    coded('INVALID_REQUEST', /bytes/),
  );
  await expect(node.logs.append({ log: 'events', records: [] }, request())).rejects.toEqual(coded('INVALID_REQUEST'));
  const put = { type: 'put', key: bytes('k'), value: new Uint8Array(40 * 1024 * 1024) } as const;
  await expect(
    node.keyValue.write({ kind: 'independent', operations: [put] }, { keyspace }, request()),
  ).rejects.toEqual(coded('INVALID_REQUEST', /bytes/));
});

test('ranges whose end lies before their beginning, and positions beyond the end', async () => {
  const reversed: RangeRequest = { start: bytes('z'), end: bytes('a') };
  const pages = async () => {
    for await (const _ of node.keyValue.range(reversed, { keyspace, level: 'stale' }, request()));
  };
  await expect(pages()).rejects.toEqual(coded('INVALID_REQUEST'));
  const verdict = { keyspace, decision: 'drop', origin: 1, epoch: 1, firstSequence: 3, lastSequence: 2 } as const;
  await expect((async () => node.keyspaces?.giveVerdict(verdict, request()))()).rejects.toEqual(
    coded('INVALID_REQUEST'),
  );
  await expect(read(from({ origin: 1, epoch: 1, sequence: 4 }))).rejects.toEqual(coded('OUT_OF_RANGE'));
});

test('a log that is deleted while it is read, followed and written', async () => {
  const following = (async () => {
    const start = { from: 'sequence', sequence: 0 } as const;
    for await (const _ of node.logs.tail({ log: 'events', origin: 0, start, ...from() }, request()));
  })();
  const ended = expect(following).rejects.toEqual(coded('NOT_FOUND', /events/));
  const appends = Array.from({ length: 20 }, (_, i) => appendTo(node, 'events', `${i}`).catch((error) => error.code));
  const deleted = node.logs.delete('events', request());
  const outcomes = await Promise.all(appends);
  await deleted;
  for (const outcome of outcomes) {
    if (typeof outcome === 'string') expect(outcome).toBe('NOT_FOUND');
    else expect(outcome).toMatchObject({ origin: 1, epoch: 1 });
  }
  for (let i = 0; i < 20; i++) await clock.advance(100);
  await ended;
  await expect(appendTo(node, 'events', 'x')).rejects.toEqual(coded('NOT_FOUND'));
  await expect(read()).rejects.toEqual(coded('NOT_FOUND'));
  await expect(commit('events', { origin: 1, epoch: 1, sequence: 1 })).rejects.toEqual(coded('NOT_FOUND'));
});
