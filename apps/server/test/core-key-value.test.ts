import type { ManualClock } from '@shanghai/env/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ShanghaiNode } from '../src/node.js';
import type { RangePage, RangeRequest, WatchPage, WriteOperation } from '../src/requests/key-value-requests.js';
import {
  by,
  bytes,
  createManualClock,
  createMemoryDisk,
  fresh,
  get,
  openTestNode,
  put,
  request,
  text,
} from './core-harness.js';

let node: ShanghaiNode;
let clock: ManualClock;
let disk: ReturnType<typeof createMemoryDisk>;

beforeEach(async () => {
  disk = createMemoryDisk();
  clock = createManualClock(1_000_000);
  node = await openTestNode(disk, clock, { limits: { pagePairs: 10, watchChanges: 20, maxValueBytes: 1000 } });
});

afterEach(() => node.close(1000));

function write(kind: 'independent' | 'atomic', ...operations: WriteOperation[]) {
  return node.keyValue.write({ kind, operations }, by(), request());
}

async function pages(range: RangeRequest): Promise<RangePage[]> {
  const all: RangePage[] = [];
  for await (const page of node.keyValue.range(range, fresh, request())) all.push(page.value);
  return all;
}

async function keys(range: RangeRequest): Promise<(string | undefined)[]> {
  return (await pages(range)).flatMap((page) => page.pairs.map((pair) => text(pair.key)));
}

const name = (i: number) => `k${String(i).padStart(3, '0')}`;

async function fill(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await put(node, name(i), String(i));
}

test('a key that was written is read with its revision, one that was not is absent', async () => {
  const revision = await put(node, 'a', '1');
  const { value } = await node.keyValue.get(bytes('a'), fresh, request());
  expect(value).toMatchObject({ revision, expiresAtMs: 0 });
  expect(text(value?.value)).toBe('1');
  expect((await node.keyValue.get(bytes('b'), fresh, request())).value).toBeUndefined();
});

test('status counts the keys of callers, not the records the node keeps for itself', async () => {
  const session = {
    sessionId: (await node.keyValue.openSession(0, request())).value.sessionId,
    requestNumber: 1,
    retry: false,
  };
  await node.keyValue.write(
    { kind: 'atomic', operations: [{ type: 'put', key: bytes('a'), value: bytes('1') }] },
    by(session),
    request(),
  );
  await put(node, 'b', '2');
  expect(node.status().storage.keys).toBe(2);
  await write('independent', { type: 'delete', key: bytes('a') });
  expect(node.status().storage.keys).toBe(1);
});

test('keyspaces hold the same key apart; reading one nobody wrote to finds nothing and makes nothing', async () => {
  const users = { keyspace: 'users', level: 'linearizable' } as const;
  expect((await node.keyValue.get(bytes('a'), users, request())).value).toBeUndefined();
  const before = node.status().groups[0]?.lastIndex;
  const operations = [{ type: 'put', key: bytes('a'), value: bytes('user') }] as const;
  await Promise.all(
    [1, 2, 3].map(() => node.keyValue.write({ kind: 'independent', operations }, { keyspace: 'users' }, request())),
  );
  // Three first writes at once make the keyspace with one entry.
  expect(node.status().groups[0]?.lastIndex).toBe((before ?? 0) + 1);
  expect(text((await node.keyValue.get(bytes('a'), users, request())).value?.value)).toBe('user');
  expect(await get(node, 'a')).toBeUndefined();
  expect(await keys({})).toEqual([]);
});

test('a key with a time to live is gone when the clock says so, although nobody writes', async () => {
  await write('independent', { type: 'put', key: bytes('brief'), value: bytes('x'), ttlMs: 5000 });
  await put(node, 'long', 'y');
  await clock.advance(4999);
  expect(await get(node, 'brief')).toBe('x');
  await clock.advance(1001);
  expect(await get(node, 'brief')).toBeUndefined();
  expect(await keys({})).toEqual(['long']);
});

test('a clock that jumps back does not bring an expired key back', async () => {
  await write('independent', { type: 'put', key: bytes('brief'), value: bytes('x'), ttlMs: 5000 });
  await clock.advance(6000);
  expect(await get(node, 'brief')).toBeUndefined();
  clock.setWall(1_000_000);
  expect(await get(node, 'brief')).toBeUndefined();
  await put(node, 'other', '1');
  expect(await get(node, 'brief')).toBeUndefined();
});

test('a range comes in pages that join without gap or repetition, forwards and backwards', async () => {
  await fill(25);
  const all = Array.from({ length: 25 }, (_, i) => name(i));
  expect((await pages({})).map((page) => page.pairs.length)).toEqual([10, 10, 5]);
  expect(await keys({})).toEqual(all);
  expect(await keys({ reverse: true })).toEqual([...all].reverse());
  expect(await keys({ start: bytes('k005'), end: bytes('k008') })).toEqual(['k005', 'k006', 'k007']);
  expect(await keys({ prefix: bytes('k01') })).toEqual(all.slice(10, 20));
  expect(await keys({ limit: 12, reverse: true })).toEqual([...all].reverse().slice(0, 12));
  const [keysOnly] = await pages({ keysOnly: true, limit: 1 });
  expect(keysOnly?.pairs[0]?.value.length).toBe(0);
  expect(keysOnly?.pairs[0]?.revision).toBeGreaterThan(0);
});

test('a limited range can be continued with the same bounds and with no others', async () => {
  await fill(12);
  const [page] = await pages({ limit: 5 });
  const continuation = page?.continuation as Uint8Array;
  expect(await keys({ continuation })).toEqual(Array.from({ length: 7 }, (_, i) => name(i + 5)));
  await expect(pages({ continuation, reverse: true })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await expect(pages({ continuation: bytes('nonsense') })).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  const [whole] = await pages({ limit: 12, start: bytes('k002') });
  // A page that is full at the very end of the range says that nothing follows.
  expect(whole?.pairs.length).toBe(10);
  expect(whole?.continuation).toBeUndefined();
  expect((await pages({ start: bytes('k002') })).at(-1)?.continuation).toBeUndefined();
});

test('a key that does not change during a scan is returned exactly once while others come and go', async () => {
  await fill(40);
  const seen: (string | undefined)[] = [];
  let step = 0;
  for await (const { value } of node.keyValue.range({}, fresh, request())) {
    seen.push(...value.pairs.map((pair) => text(pair.key)));
    for (let i = 1; i < 40; i += 2) {
      if (step % 2 === 0) await write('independent', { type: 'delete', key: bytes(name(i)) });
      else await put(node, name(i), 'again');
    }
    step++;
  }
  const stable = Array.from({ length: 20 }, (_, i) => name(2 * i));
  expect(seen.filter((key) => stable.includes(key ?? ''))).toEqual(stable);
  expect(new Set(seen).size).toBe(seen.length);
});

test('a page of large values ends at its bytes', async () => {
  await node.close(1000);
  node = await openTestNode(disk, clock, { limits: { pageBytes: 1000 } });
  for (const key of ['a', 'b', 'c']) await put(node, key, 'v'.repeat(700));
  expect((await pages({})).map((page) => page.pairs.length)).toEqual([1, 1, 1]);
});

test('bad input is refused before anything is written', async () => {
  const before = node.status().groups[1]?.lastIndex;
  const empty = bytes('');
  const refused = { code: 'INVALID_REQUEST' };
  await expect(write('independent')).rejects.toMatchObject(refused);
  await expect(put(node, '', 'x')).rejects.toMatchObject(refused);
  await expect(put(node, 'k'.repeat(65_537), 'x')).rejects.toMatchObject(refused);
  await expect(put(node, 'k', 'v'.repeat(1001))).rejects.toMatchObject(refused);
  const operation = { type: 'put', key: bytes('k'), value: empty } as const;
  await expect(write('independent', ...Array.from({ length: 10_001 }, () => operation))).rejects.toMatchObject(refused);
  await expect(write('independent', { ...operation, ttlMs: -1 })).rejects.toMatchObject(refused);
  await expect(write('independent', { ...operation, ttlMs: 1.5 })).rejects.toMatchObject(refused);
  await expect(node.keyValue.get(empty, fresh, request())).rejects.toMatchObject(refused);
  await expect(pages({ start: bytes('b'), end: bytes('a') })).rejects.toMatchObject(refused);
  await expect(pages({ limit: -1 })).rejects.toMatchObject(refused);
  await expect(put(node, 'k', 'x', { sessionId: 1, requestNumber: 0, retry: false })).rejects.toMatchObject(refused);
  const long = { keyspace: 'x'.repeat(256) };
  await expect(
    node.keyValue.write({ kind: 'independent', operations: [operation] }, long, request()),
  ).rejects.toMatchObject(refused);
  const routed = { keyspace: '', routed: { slot: 1025, epoch: 1 } };
  await expect(
    node.keyValue.write({ kind: 'independent', operations: [operation] }, routed, request()),
  ).rejects.toMatchObject(refused);
  const gone = AbortSignal.abort();
  await expect(
    node.keyValue.write({ kind: 'independent', operations: [operation] }, by(), request(gone)),
  ).rejects.toMatchObject({ code: 'CANCELLED' });
  expect(node.status().groups[1]?.lastIndex).toBe(before);
});

test('a longest key and a largest value are stored and read back', async () => {
  const key = 'k'.repeat(65_536);
  await put(node, key, 'v'.repeat(1000));
  expect(await get(node, key)).toBe('v'.repeat(1000));
  const appended = await write('independent', { type: 'append', key: bytes(key), value: bytes('!') });
  expect(appended.value[0]).toMatchObject({ ok: false, code: 'INVALID_REQUEST' });
});

test('a read of level session waits for nothing it has seen and refuses what this node has not', async () => {
  const { token } = await write('independent', { type: 'put', key: bytes('a'), value: bytes('1') });
  const read = { keyspace: '', level: 'session', token } as const;
  expect(text((await node.keyValue.get(bytes('a'), read, request())).value?.value)).toBe('1');
  const ahead = Uint8Array.from(token);
  ahead[8] = 1;
  await expect(node.keyValue.get(bytes('a'), { ...read, token: ahead }, request())).rejects.toMatchObject({
    code: 'CLUSTER_ERROR',
  });
  for (const groupId of [0, 9]) {
    const foreign = Uint8Array.from(token);
    foreign[1] = groupId;
    const unknown = { ...read, token: foreign };
    const refused = { code: 'INVALID_REQUEST' };
    await expect(node.keyValue.get(bytes('a'), unknown, request())).rejects.toMatchObject(refused);
    await expect(firstOf(node.keyValue.range({}, unknown, request()))).rejects.toMatchObject(refused);
  }
  const session = { keyspace: '', level: 'session' } as const;
  await expect(node.keyValue.get(bytes('a'), session, request())).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});

function firstOf<T>(pages: AsyncIterable<T>): Promise<IteratorResult<T>> {
  return pages[Symbol.asyncIterator]().next();
}

async function collect(
  watch: AsyncIterable<WatchPage>,
  count: number,
): Promise<{ events: string[]; position: Uint8Array }> {
  const events: string[] = [];
  for await (const page of watch) {
    for (const event of page.events) events.push(`${event.type} ${text(event.key)}=${text(event.value)}`);
    if (events.length >= count) return { events, position: page.position };
  }
  throw new Error(`the watch ended after ${events.join(', ')}`);
}

test('a watch sees every change behind its position in order, and goes on where another left off', async () => {
  const stop = new AbortController();
  const first = node.keyValue.watch({ keyspace: '' }, request(stop.signal))[Symbol.asyncIterator]();
  const mark = await first.next();
  const start = (mark.value as WatchPage).position;
  await put(node, 'a', '1');
  await write('atomic', { type: 'put', key: bytes('b'), value: bytes('2') }, { type: 'delete', key: bytes('a') });
  const seen = await collect(node.keyValue.watch({ keyspace: '', position: start }, request(stop.signal)), 3);
  expect(seen.events).toEqual(['put a=1', 'put b=2', 'delete a=']);
  await put(node, 'c', '3');
  const rest = await collect(node.keyValue.watch({ keyspace: '', position: seen.position }, request(stop.signal)), 1);
  expect(rest.events).toEqual(['put c=3']);
  stop.abort();
});

test("a keyspace whose name holds the character that stands for bytes that are not text is nobody's", async () => {
  const keyspace = 'users-\ufffd';
  const refused = { code: 'INVALID_REQUEST' };
  const operations = [{ type: 'put', key: bytes('k'), value: bytes('v') }] as const;
  await expect(node.keyValue.write({ kind: 'independent', operations }, { keyspace }, request())).rejects.toMatchObject(
    refused,
  );
  await expect(node.keyValue.get(bytes('k'), { ...fresh, keyspace }, request())).rejects.toMatchObject(refused);
  await expect(firstOf(node.keyValue.range({}, { ...fresh, keyspace }, request()))).rejects.toMatchObject(refused);
  await expect(firstOf(node.keyValue.watch({ keyspace }, request()))).rejects.toMatchObject(refused);
});

test('reversed bounds are refused, of a range in either direction and of a watch', async () => {
  const bounds = { start: bytes('d'), end: bytes('b') };
  const refused = { code: 'INVALID_REQUEST', message: expect.stringContaining('reversed') };
  for (const reverse of [false, true]) {
    await expect(firstOf(node.keyValue.range({ ...bounds, reverse }, fresh, request()))).rejects.toMatchObject(refused);
  }
  await expect(firstOf(node.keyValue.watch({ keyspace: '', ...bounds }, request()))).rejects.toMatchObject(refused);
});

test('a watch of a range sees its keys alone, and one that waits ends when its signal aborts', async () => {
  const stop = new AbortController();
  const watch = node.keyValue.watch({ keyspace: '', start: bytes('b'), end: bytes('c') }, request(stop.signal));
  const reading = collect(watch, 1);
  await put(node, 'a', '1');
  await put(node, 'b1', '2');
  expect((await reading).events).toEqual(['put b1=2']);
  const waiting = collect(node.keyValue.watch({ keyspace: '' }, request(stop.signal)), 1);
  stop.abort();
  await expect(waiting).rejects.toThrow('the watch ended');
});

test('a watcher that falls behind what is kept is told the first position kept', async () => {
  const watch = node.keyValue.watch({ keyspace: '' }, request())[Symbol.asyncIterator]();
  await watch.next();
  await fill(30);
  const error = await watch.next().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: 'OUT_OF_RANGE' });
  const { firstPosition } = (error as { details: { firstPosition: string } }).details;
  const position = Buffer.from(firstPosition, 'base64');
  const { events } = await collect(node.keyValue.watch({ keyspace: '', position }, request()), 20);
  expect(events[0]).toBe('put k010=10');
  expect(events.length).toBe(20);
});

test('a position survives a restart: at the end it goes on, before it the changes are not kept', async () => {
  const start = (await node.keyValue.watch({ keyspace: '' }, request())[Symbol.asyncIterator]().next())
    .value as WatchPage;
  await put(node, 'a', '1');
  const end = await collect(node.keyValue.watch({ keyspace: '', position: start.position }, request()), 1);
  await node.close(1000);
  node = await openTestNode(disk, clock);
  await put(node, 'b', '2');
  const on = await collect(node.keyValue.watch({ keyspace: '', position: end.position }, request()), 1);
  expect(on.events).toEqual(['put b=2']);
  const old = node.keyValue.watch({ keyspace: '', position: start.position }, request())[Symbol.asyncIterator]();
  await expect(old.next()).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
});

test('closing ends watches and refuses new requests as not done', async () => {
  const waiting = collect(node.keyValue.watch({ keyspace: '' }, request()), 1);
  waiting.catch(() => undefined);
  await put(node, 'z', '1');
  await waiting;
  const next = collect(node.keyValue.watch({ keyspace: '' }, request()), 1);
  const failing = expect(next).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  await node.close(1000);
  await failing;
  await expect(put(node, 'a', '1')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  expect(node.readiness().find(({ name: check }) => check === 'accepting')).toMatchObject({ ok: false });
});
