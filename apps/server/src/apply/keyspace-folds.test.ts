import { createManualClock } from '@shanghai/env/testing';
import { decodeWinner, encodeOperation, type Hlc, type KeyspaceOperation } from '@shanghai/replication';
import { expect, test } from 'vitest';
import { MapStore } from '../../test/core-map-store.js';
import { encodeStreamEntries } from '../logs/log-file-record.js';
import { type CommandBody, manySlots } from './command.js';
import { encodeCommand } from './command-codec.js';
import { rowKey } from './keyspace-keys.js';
import { keyspaceLogId } from './keyspace-log.js';
import { StateMachine } from './state-machine.js';

const keyspaceId = 3;
const logId = keyspaceLogId(keyspaceId);
const key = Uint8Array.of(107);
const nowMs = 1_000_000;

async function open(store: MapStore) {
  const machine = await StateMachine.open({
    store: store.asStore(),
    logWriter: { write: async () => undefined, writeRuns: async () => undefined },
    ring: { maxChanges: 1000, maxBytes: 1 << 20 },
    clock: createManualClock(0),
  });
  let index = machine.visible.appliedIndex;
  const send = async (body: CommandBody, logTimeMs = nowMs) => {
    const header = { logTimeMs, sessionId: 0, requestNumber: 0, retry: false, slot: manySlots, epoch: 0 };
    await machine.apply([{ index: ++index, term: 1, command: encodeCommand(header, body) }]);
  };
  const shown = () => {
    const entry = store.asStore().getEntrySync(rowKey(keyspaceId, key), { horizonMs: 0 });
    return entry === undefined ? undefined : decodeWinner(entry.value).value?.[0];
  };
  const fold = () => machine.keyspaces.get(keyspaceId);
  return { machine, send, shown, fold };
}

function put(value: number): KeyspaceOperation {
  return { type: 'put', seen: [], key, value: Uint8Array.of(value), expiresAtMs: 0 };
}

function received(origin: number, firstSequence: number, ms: number, ...operations: KeyspaceOperation[]): CommandBody {
  const hlc: Hlc = { ms, counter: 0 };
  const records = operations.map((operation) => {
    return { key: new Uint8Array(0), value: encodeOperation(operation), headers: [] };
  });
  const bytes = encodeStreamEntries(records, hlc);
  const stream = { logId, origin, epoch: 1 };
  const lastHlc = { ms, counter: records.length - 1 };
  return { kind: 'originReceive', runs: [{ stream, firstSequence, count: records.length, lastHlc, bytes }] };
}

test('entries of a keyspace are folded into rows with the command that brings them, once', async () => {
  const store = new MapStore();
  const { send, shown, fold } = await open(store);
  await send(received(2, 1, 500, put(1), put(2)));
  expect(shown()).toBe(2);
  await send(received(1, 1, 400, put(9)));
  expect(shown()).toBe(2);
  expect(
    fold()
      ?.losses()
      .map(({ lost }) => lost.loser.value?.[0]),
  ).toEqual([9]);
  // A run that overlaps what is there is folded from where it is new.
  await send(received(2, 2, 500, put(2), put(3)));
  expect(shown()).toBe(3);
});

test('what is held, what was said and what lost survives a restart, and time goes on with any command', async () => {
  const store = new MapStore();
  const before = await open(store);
  await before.send(received(1, 1, 400, put(1)));
  await before.send(received(2, 1, 300, put(2)));
  await before.send(received(2, 2, nowMs + 60_000, put(3)));
  const drop: KeyspaceOperation = {
    ...{ type: 'verdict', seen: [], decision: 'drop', origin: 4, epoch: 1 },
    targets: [{ sequence: 1, key }],
  };
  await before.send(received(3, 1, 300, drop));
  const { send, shown, fold } = await open(store);
  expect(
    fold()
      ?.allHeld()
      .map(({ stamp }) => stamp.sequence),
  ).toEqual([2]);
  expect(fold()?.losses()).toHaveLength(1);
  await send(received(4, 1, nowMs + 5, put(4)));
  expect(shown()).toBe(1);
  await send({ kind: 'time' }, nowMs + 50_001);
  expect(shown()).toBe(3);
  expect(fold()?.allHeld()).toEqual([]);
});

test('a delete is forgotten when the node is told that all have it', async () => {
  const store = new MapStore();
  const { send } = await open(store);
  await send(received(1, 1, 400, put(1)));
  await send(received(2, 1, 500, { type: 'delete', seen: [{ origin: 1, epoch: 1, sequence: 1 }], key }));
  const size = () => store.asStore().getEntrySync(rowKey(keyspaceId, key), { horizonMs: 0 });
  await send({ kind: 'keyspaceSettle', keyspaceId, stable: { ms: 499, counter: 0 }, keys: [key] });
  expect(size()).toBeDefined();
  await send({ kind: 'keyspaceSettle', keyspaceId, stable: { ms: 500, counter: 0 }, keys: [key] });
  expect(size()).toBeUndefined();
});

test('entries that are no operations change nothing, and are counted', async () => {
  const store = new MapStore();
  const { send, machine, shown } = await open(store);
  const bytes = encodeStreamEntries([{ key: new Uint8Array(0), value: Uint8Array.of(9, 9), headers: [] }], {
    ms: 5,
    counter: 0,
  });
  const run = {
    stream: { logId, origin: 2, epoch: 1 },
    firstSequence: 1,
    count: 1,
    lastHlc: { ms: 5, counter: 0 },
    bytes,
  };
  await send({ kind: 'originReceive', runs: [run] });
  expect(shown()).toBeUndefined();
  expect(machine.keyspaces.unreadable).toBe(1);
});
