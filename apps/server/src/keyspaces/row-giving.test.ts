import { createManualClock } from '@shanghai/env/testing';
import { decodeRowPage, encodeOperation, type GivenPage, type KeyspaceOperation } from '@shanghai/replication';
import { expect, test } from 'vitest';
import { MapStore } from '../../test/core-map-store.js';
import { type CommandBody, manySlots } from '../apply/command.js';
import { encodeCommand } from '../apply/command-codec.js';
import type { FoldStore } from '../apply/fold-store.js';
import { keyspaceLogId } from '../apply/keyspace-log.js';
import { StateMachine } from '../apply/state-machine.js';
import { encodeStreamEntries } from '../logs/log-file-record.js';
import { RowGiving } from './row-giving.js';
import { splitPage } from './row-merger.js';

const keyspaceId = 3;
const logId = keyspaceLogId(keyspaceId);
const nowMs = 1_000_000;
const keyOf = (n: number) => Uint8Array.of(n);

async function open() {
  const store = new MapStore();
  const machine = await StateMachine.open({
    store: store.asStore(),
    logWriter: { write: async () => undefined, writeRuns: async () => undefined },
    ring: { maxChanges: 1000, maxBytes: 1 << 20 },
    clock: createManualClock(0),
  });
  let index = 0;
  const send = async (body: CommandBody) => {
    const header = { logTimeMs: nowMs, sessionId: 0, requestNumber: 0, retry: false, slot: manySlots, epoch: 0 };
    const [result] = await machine.apply([{ index: ++index, term: 1, command: encodeCommand(header, body) }]);
    return result;
  };
  const sequences = new Map<number, number>();
  /** An entry of an origin at a time. */
  const write = (origin: number, ms: number, operation: KeyspaceOperation) => {
    const sequence = (sequences.get(origin) ?? 0) + 1;
    sequences.set(origin, sequence);
    const record = { key: new Uint8Array(0), value: encodeOperation(operation), headers: [] };
    const lastHlc = { ms, counter: 0 };
    const run = { stream: { logId, origin, epoch: 1 }, firstSequence: sequence, count: 1, lastHlc };
    return send({ kind: 'originReceive', runs: [{ ...run, bytes: encodeStreamEntries([record], lastHlc) }] });
  };
  const give = () => new RowGiving(keyspaceId, machine.keyspaces.get(keyspaceId) as FoldStore, machine);
  const rest = async (giving: RowGiving, from?: Uint8Array) => {
    const pages: GivenPage[] = [];
    for (let next = from, isLast = false; !isLast; ) {
      const page = await giving.page(store.asStore() as never, next, 1);
      pages.push(decodeRowPage(page.bytes));
      next = page.next;
      isLast = next === undefined;
    }
    return pages;
  };
  return { machine, send, write, give, rest, store };
}

const put = (key: number, value: number): KeyspaceOperation => {
  return { type: 'put', seen: [], key: keyOf(key), value: Uint8Array.of(value), expiresAtMs: 0 };
};

/** Of each key the values of its versions, the winner last; `-` deletes. */
function shown(pages: readonly GivenPage[]): string[] {
  return pages.flatMap(({ rows }) =>
    rows.map(({ key, row }) => `${key[0]}:${row.map(({ value }) => value?.[0] ?? '-').join(',')}`),
  );
}

test('pages are of one moment, whatever is written, forgotten or dropped while they go out', async () => {
  const { write, send, give, rest, machine, store } = await open();
  for (let key = 1; key <= 5; key++) await write(1, 100 + key, put(key, key));
  await write(2, 150, put(3, 33));
  await write(2, 160, { type: 'delete', seen: [], key: keyOf(4) });
  const expected = ['1:1', '2:2', '3:3,33', '4:4,-', '5:5'];
  expect(shown(await rest(give()))).toEqual(expected);
  const giving = give();
  const first = await giving.page(store.asStore() as never, undefined, 1);
  expect(shown([decodeRowPage(first.bytes)])).toEqual(['1:1']);
  await write(1, 200, put(2, 22));
  await write(1, 201, put(9, 9));
  await send({ kind: 'keyspaceSettle', keyspaceId, stable: { ms: 170, counter: 0 }, keys: [keyOf(3), keyOf(4)] });
  for (let i = 0; i < 40; i++) await write(2, 300 + i, put(5, 50 + i));
  const drop = { type: 'verdict', seen: [], decision: 'drop', origin: 1, epoch: 1 } as const;
  await write(2, 102, { ...drop, targets: [{ sequence: 3, key: keyOf(3) }] });
  expect(shown([decodeRowPage(first.bytes), ...(await rest(giving, first.next))])).toEqual(expected);
  expect(machine.keyspaces.get(keyspaceId)?.row).toBeDefined();
  expect(giving.end.positions.map(({ origin, sequence }) => [origin, sequence])).toEqual([
    [1, 5],
    [2, 2],
  ]);
});

test('what takes over a set holds what the giver held, goes on behind it, and gives nothing before it has all', async () => {
  const giver = await open();
  for (let key = 1; key <= 5; key++) await giver.write(1, 100 + key, put(key, key));
  await giver.write(2, nowMs + 60_000, put(1, 11));
  await giver.write(2, nowMs + 60_001, { type: 'delete', seen: [], key: keyOf(2) });
  const giving = giver.give();
  const pages: Uint8Array[] = [];
  for (let next: Uint8Array | undefined, isLast = false; !isLast; ) {
    const page = await giving.page(giver.store.asStore() as never, next, 1);
    pages.push(page.bytes);
    next = page.next;
    isLast = next === undefined;
  }
  const taker = await open();
  await taker.write(3, 90, put(1, 3));
  const take = (page: Uint8Array) => taker.send({ kind: 'keyspaceRows', keyspaceId, page });
  const [firstPage, secondPage, ...others] = pages as [Uint8Array, Uint8Array, ...Uint8Array[]];
  expect(await take(secondPage)).toMatchObject({ type: 'failed', code: 'CONFLICT' });
  await take(firstPage);
  expect(() => taker.give()).toThrow(/takes over rows itself/);
  expect(await take(others[0] as Uint8Array)).toMatchObject({ type: 'failed', code: 'CONFLICT' });
  // Half a set that came from nobody else is taken back when it is given up.
  await taker.send({ kind: 'keyspaceClean', keyspaceId, giving: giving.id, isLast: true, keys: [keyOf(1)] });
  expect(shown(await taker.rest(taker.give()))).toEqual(['1:3']);
  for (const page of pages) expect(await take(page)).toMatchObject({ type: 'done' });
  expect(shown(await taker.rest(taker.give()))).toEqual(['1:3,1', '2:2', '3:3', '4:4', '5:5']);
  expect(taker.machine.keyspaces.get(keyspaceId)?.allHeld().length).toBe(2);
  expect(taker.machine.streams.get({ logId, origin: 1, epoch: 1 })).toMatchObject({
    firstSequence: 6,
    lastSequence: 5,
  });
  expect(taker.machine.streams.get({ logId, origin: 3, epoch: 1 })).toMatchObject({
    firstSequence: 1,
    lastSequence: 1,
  });
});

test('a page is cut into several that follow each other and say the same', () => {
  const rows = [1, 4, 7].map((n) => ({ key: keyOf(n), row: [] }));
  const giving = { origin: 1, epoch: 1, number: 1 };
  const parts = splitPage({ giving, floor: { ms: 1, counter: 0 }, from: keyOf(1), to: keyOf(9), rows }, [
    keyOf(4),
    keyOf(6),
  ]);
  expect(parts.map(({ from, to, rows: some }) => [from?.[0], to?.[0], some.map(({ key }) => key[0])])).toEqual([
    [1, 4, [1]],
    [4, 6, [4]],
    [6, 9, [7]],
  ]);
});
