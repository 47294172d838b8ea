import { createManualClock } from '@shanghai/env/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MapStore } from '../../test/core-map-store.js';
import type { CommittedEntry } from '../raft/command-log.js';
import type { Condition, WriteOperation } from '../requests/key-value-requests.js';
import type { ApplyResult } from './apply-result.js';
import { type CommandBody, type CommandHeader, manySlots } from './command.js';
import { encodeCommand } from './command-codec.js';
import { encodeLogRecords } from './log-record-codec.js';
import { dataKey, metaKey, sessionHeaderKey, sessionResultKey } from './state-keys.js';
import { StateMachine } from './state-machine.js';

const seed = 4_711;

async function open(store: MapStore): Promise<StateMachine> {
  return StateMachine.open({
    store: store.asStore(),
    logWriter: { write: async () => undefined, writeRuns: async () => undefined },
    ring: { maxChanges: 1000, maxBytes: 1 << 20 },
    clock: createManualClock(0),
  });
}

function entryOf(index: number, body: CommandBody, header: Partial<CommandHeader> = {}): CommittedEntry {
  const full: CommandHeader = {
    logTimeMs: 1000,
    sessionId: 0,
    requestNumber: 0,
    retry: false,
    slot: manySlots,
    epoch: 0,
    ...header,
  };
  return { index, term: 1, command: encodeCommand(full, body) };
}

/** One machine with entries numbered as they come. */
async function machineWith() {
  const store = new MapStore();
  const machine = await open(store);
  let index = 0;
  const send = async (body: CommandBody, header?: Partial<CommandHeader>): Promise<ApplyResult> => {
    const [result] = await machine.apply([entryOf(++index, body, header)]);
    return result as ApplyResult;
  };
  return { store, machine, send, nextIndex: () => ++index };
}

const key = Buffer.from('k');

function writes(...operations: WriteOperation[]): CommandBody {
  return { kind: 'independent', keyspaceId: 0, conditions: [], operations };
}

function transact(conditions: Condition[], ...operations: WriteOperation[]): CommandBody {
  return { kind: 'transact', keyspaceId: 0, conditions, operations };
}

function put(value: string, ttlMs?: number): WriteOperation {
  const operation = { type: 'put', key, value: Buffer.from(value) } as const;
  return ttlMs === undefined ? operation : { ...operation, ttlMs };
}

const append: WriteOperation = { type: 'append', key, value: Buffer.from('x') };
const remove: WriteOperation = { type: 'delete', key };

function revisionsOf(result: ApplyResult): number[] {
  if (result.type !== 'outcomes') throw new Error(`got ${JSON.stringify(result)}`);
  return result.outcomes.map((outcome) => (outcome.ok ? outcome.revision : -1));
}

test('every write operation gets its own revision, a refused one gets none', async () => {
  const { send } = await machineWith();
  await send({ kind: 'settings', version: 1, maxValueBytes: 3, slots: 16 });
  expect(revisionsOf(await send(writes(put('1'), put('22'), append, remove)))).toEqual([1, 2, 3, 4]);
  expect(revisionsOf(await send(writes(put('4444'), put('1'))))).toEqual([-1, 5]);
  const refused = await send({ ...writes(put('2'), put('4444')), kind: 'atomic' } as CommandBody);
  expect(refused).toMatchObject({ type: 'failed', code: 'INVALID_REQUEST', details: { operation: 1 } });
  expect(revisionsOf(await send(writes(put('3'))))).toEqual([6]);
});

test('an atomic batch that fails leaves nothing, not even for later operations of the same run', async () => {
  const store = new MapStore();
  const machine = await open(store);
  const results = await machine.apply([
    entryOf(1, { kind: 'settings', version: 1, maxValueBytes: 3, slots: 16 }),
    entryOf(2, writes(put('1'))),
    entryOf(3, { ...writes(put('2'), remove, put('4444')), kind: 'atomic' } as CommandBody),
    entryOf(4, transact([{ type: 'value', key, value: Buffer.from('1') }], append)),
  ]);
  expect(results[2]).toMatchObject({ type: 'failed' });
  expect(results[3]).toEqual({ type: 'outcomes', outcomes: [{ ok: true, revision: 2, valueBytes: 2 }] });
});

test('conditions judge existence, revision and value, and name the first that fails', async () => {
  const { send } = await machineWith();
  const missing = { type: 'exists', key, exists: false } as const;
  expect(revisionsOf(await send(transact([missing], put('1'))))).toEqual([1]);
  expect(await send(transact([{ type: 'exists', key, exists: true }, missing], put('2')))).toEqual({
    type: 'failed',
    code: 'CONFLICT',
    message: "condition 1 ('exists') does not hold: the key is at revision 1",
    details: { condition: 1, key: 'k', revision: 1 },
  });
  expect(await send(transact([{ type: 'revision', key, revision: 2 }], put('2')))).toMatchObject({ code: 'CONFLICT' });
  expect(revisionsOf(await send(transact([{ type: 'revision', key, revision: 1 }], remove)))).toEqual([2]);
  // A key that is gone has revision 0.
  expect(await send(transact([{ type: 'exists', key, exists: true }], put('3')))).toMatchObject({
    message: "condition 0 ('exists') does not hold: there is no such key",
    details: { condition: 0, key: 'k', revision: 0 },
  });
  expect(revisionsOf(await send(transact([{ type: 'revision', key, revision: 0 }], put('3'))))).toEqual([3]);
  const value = Buffer.from('3');
  expect(revisionsOf(await send(transact([{ type: 'value', key, value }], put('4'))))).toEqual([4]);
  expect(await send(transact([{ type: 'value', key, value }], put('5')))).toMatchObject({ code: 'CONFLICT' });
});

test('expiry follows log time alone: append keeps it, put clears it, log time never falls', async () => {
  const { send, machine } = await machineWith();
  await send(writes(put('1', 500)), { logTimeMs: 1000 });
  expect(await send(writes(append), { logTimeMs: 1499 })).toMatchObject({ outcomes: [{ valueBytes: 2 }] });
  expect(await send(writes(append), { logTimeMs: 1500 })).toMatchObject({ outcomes: [{ valueBytes: 1 }] });
  // The new value was written without a time to live.
  await send({ kind: 'time' }, { logTimeMs: 9_000 });
  await send({ kind: 'time' }, { logTimeMs: 2_000 });
  expect(machine.visible.logTimeMs).toBe(9_000);
  expect(await send(writes(remove))).toMatchObject({ outcomes: [{ deleted: true }] });
  expect(await send(writes(remove))).toMatchObject({ outcomes: [{ deleted: false }] });
});

test('settings of an older version change nothing', async () => {
  const { send, machine } = await machineWith();
  await send({ kind: 'settings', version: 2, maxValueBytes: 20, slots: 16 });
  await send({ kind: 'settings', version: 1, maxValueBytes: 10, slots: 16 });
  expect(machine.visible.maxValueBytes).toBe(20);
});

test('a repeated request is answered as it was, whatever happened in between', async () => {
  const { send } = await machineWith();
  await send({ kind: 'openSession', ttlMs: 10_000 });
  const by = (requestNumber: number, retry = false) => ({ sessionId: 1, requestNumber, retry });
  const first = await send(writes(append, append), by(1));
  const conflict = await send(transact([{ type: 'exists', key, exists: false }], put('z')), by(2));
  expect(conflict).toMatchObject({ code: 'CONFLICT' });
  await send(writes(remove));
  expect(await send(writes(append, append), by(1, true))).toEqual(first);
  expect(await send(transact([{ type: 'exists', key, exists: false }], put('z')), by(2, true))).toEqual(conflict);
  expect(await send(transact([{ type: 'exists', key, exists: true }], put('z')))).toMatchObject({ code: 'CONFLICT' });
});

test('requests of a session may come in any order within the window, and below it their fate is unknown', async () => {
  const { send } = await machineWith();
  await send({ kind: 'openSession', ttlMs: 10_000 });
  const by = (requestNumber: number) => ({ sessionId: 1, requestNumber, retry: true });
  expect(await send(writes(append), by(1024))).toMatchObject({ outcomes: [{ valueBytes: 1 }] });
  expect(await send(writes(append), by(1))).toMatchObject({ outcomes: [{ valueBytes: 2 }] });
  // 1025 takes the place of 1.
  expect(await send(writes(append), by(1025))).toMatchObject({ outcomes: [{ valueBytes: 3 }] });
  expect(await send(writes(append), by(1))).toMatchObject({ type: 'failed', code: 'OUTCOME_UNKNOWN' });
  expect(await send(writes(append), by(2))).toMatchObject({ outcomes: [{ valueBytes: 4 }] });
  expect(await send(writes(append), by(2))).toMatchObject({ outcomes: [{ valueBytes: 4 }] });
  // 1026 comes behind 1027, where the result of 2 still lies.
  expect(await send(writes(append), by(1027))).toMatchObject({ outcomes: [{ valueBytes: 5 }] });
  expect(await send(writes(append), by(1026))).toMatchObject({ outcomes: [{ valueBytes: 6 }] });
});

test('a session ends by log time after its last use, and is never made implicitly', async () => {
  const { send, machine, store } = await machineWith();
  expect(await send(writes(append), { sessionId: 1, requestNumber: 1 })).toMatchObject({ code: 'SESSION_EXPIRED' });
  await send({ kind: 'openSession', ttlMs: 100 }, { logTimeMs: 1000 });
  await send(writes(append), { sessionId: 1, requestNumber: 1, logTimeMs: 1099 });
  await send(writes(append), { sessionId: 1, requestNumber: 2, logTimeMs: 1198 });
  const late = await send(writes(append), { sessionId: 1, requestNumber: 3, logTimeMs: 1298 });
  expect(late).toMatchObject({ code: 'SESSION_EXPIRED' });
  expect(machine.sessions.size).toBe(0);
  expect([...store.held.keys()].filter((name) => name.charCodeAt(0) === 2 || name.charCodeAt(0) === 3)).toEqual([]);
});

test('one session beyond the bound removes the one used least recently', async () => {
  const store = new MapStore();
  const machine = await open(store);
  const entries = Array.from({ length: 10_000 }, (_, i) => entryOf(i + 1, { kind: 'openSession', ttlMs: 10_000 }));
  await machine.apply(entries);
  const use = (index: number, sessionId: number) =>
    machine.apply([entryOf(index, writes(append), { sessionId, requestNumber: 1 })]);
  await use(10_001, 1);
  await machine.apply([entryOf(10_002, { kind: 'openSession', ttlMs: 10_000 })]);
  expect(machine.sessions.size).toBe(10_000);
  expect((await use(10_003, 2))[0]).toMatchObject({ code: 'SESSION_EXPIRED' });
  expect((await use(10_004, 10_001))[0]).toMatchObject({ type: 'outcomes' });
  // The order of use survives a restart.
  const again = await open(store);
  await again.apply([entryOf(10_005, { kind: 'openSession', ttlMs: 10_000 })]);
  expect((await again.apply([entryOf(10_006, writes(append), { sessionId: 3, requestNumber: 1 })]))[0]).toMatchObject({
    code: 'SESSION_EXPIRED',
  });
});

test('producers: repetitions are answered with their place, gaps and old epochs are conflicts', async () => {
  const { send } = await machineWith();
  await send({ kind: 'logStart', logId: 1, origin: 0 });
  const record = { key: Buffer.alloc(0), value: Buffer.from('v'), headers: [] };
  const appendLog = (sequence: number, count: number, epoch = 1): CommandBody => ({
    kind: 'logAppend',
    logId: 1,
    recordCount: count,
    recordBytes: encodeLogRecords(Array.from({ length: count }, () => record)),
    producer: { producerId: 5, epoch, sequence },
  });
  expect(await send(appendLog(2, 1))).toMatchObject({ code: 'CONFLICT', details: { expectedSequence: 1 } });
  expect(await send(appendLog(1, 2))).toMatchObject({ firstSequence: 1, lastSequence: 2, duplicate: false });
  expect(await send(appendLog(3, 1))).toMatchObject({ firstSequence: 3, duplicate: false });
  expect(await send(appendLog(1, 2))).toMatchObject({ firstSequence: 1, lastSequence: 2, duplicate: true });
  // Parts of what was sent together are answered with their own places; what reaches beyond it is no repetition.
  expect(await send(appendLog(2, 1))).toMatchObject({ firstSequence: 2, lastSequence: 2, duplicate: true });
  expect(await send(appendLog(2, 2))).toMatchObject({ code: 'CONFLICT', details: { expectedSequence: 4 } });
  expect(await send(appendLog(5, 1))).toMatchObject({ code: 'CONFLICT', details: { expectedSequence: 4 } });
  expect(await send(appendLog(1, 1, 2))).toMatchObject({ firstSequence: 4, duplicate: false });
  expect(await send(appendLog(4, 1))).toMatchObject({ code: 'CONFLICT', details: { producerEpoch: 2 } });
  const expecting = { ...appendLog(2, 1, 2), expectedLastSequence: 9 } as CommandBody;
  expect(await send(expecting)).toMatchObject({ code: 'CONFLICT', details: { lastSequence: 4 } });
});

test('results and state depend on entries alone, not on how they fall into runs or on restarts between them', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyCommand, { minLength: 1, maxLength: 60 }),
      fc.array(fc.integer({ min: 1, max: 9 })),
      async (commands, cuts) => {
        const entries = commands.map(({ body, header }, i) => entryOf(i + 1, body, header));
        const whole = new MapStore();
        const expected = await (await open(whole)).apply(entries);
        const cut = new MapStore();
        const results: ApplyResult[] = [];
        for (let from = 0, i = 0; from < entries.length; i++) {
          const count = cuts[i % Math.max(1, cuts.length)] ?? 1;
          // A new machine for every run: everything it knows comes from the store.
          results.push(...(await (await open(cut)).apply(entries.slice(from, from + count))));
          from += count;
        }
        expect(results).toEqual(expected);
        expect(cut.dump()).toBe(whole.dump());
      },
    ),
    { seed, numRuns: 150 },
  );
});

const anyKey = fc.constantFrom('a', 'b', 'c').map((name) => Buffer.from(name));
const anyValue = fc.constantFrom('', '1', '22', '55555').map((name) => Buffer.from(name));
const anyOperation: fc.Arbitrary<WriteOperation> = fc.oneof(
  fc.record({ type: fc.constant('put' as const), key: anyKey, value: anyValue, ttlMs: fc.constantFrom(0, 5, 50) }),
  fc.record({ type: fc.constant('append' as const), key: anyKey, value: anyValue }),
  fc.record({ type: fc.constant('delete' as const), key: anyKey }),
);
const anyCondition: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({ type: fc.constant('exists' as const), key: anyKey, exists: fc.boolean() }),
  fc.record({ type: fc.constant('revision' as const), key: anyKey, revision: fc.nat(20) }),
  fc.record({ type: fc.constant('value' as const), key: anyKey, value: anyValue }),
);
const anyBody: fc.Arbitrary<CommandBody> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom('independent' as const, 'atomic' as const),
      keyspaceId: fc.nat(1),
      conditions: fc.constant([]),
      operations: fc.array(anyOperation, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('transact' as const),
      keyspaceId: fc.nat(1),
      conditions: fc.array(anyCondition, { minLength: 1, maxLength: 2 }),
      operations: fc.array(anyOperation, { minLength: 1, maxLength: 2 }),
    }),
  },
  fc.record({ kind: fc.constant('openSession' as const), ttlMs: fc.constantFrom(10, 100) }),
  fc.record({ kind: fc.constant('time' as const) }),
  fc.record({
    kind: fc.constant('settings' as const),
    version: fc.nat(3),
    maxValueBytes: fc.constantFrom(4, 6),
    slots: fc.constant(16),
  }),
  fc.record({ kind: fc.constant('logStart' as const), logId: fc.nat(2), origin: fc.constant(0) }),
  fc.record({ kind: fc.constant('logDrop' as const), logId: fc.nat(2) }),
  fc.record({ kind: fc.constant('logTrim' as const), logId: fc.nat(2), firstSequence: fc.nat(5) }),
  fc.record({
    kind: fc.constant('logAppend' as const),
    logId: fc.nat(2),
    recordCount: fc.constant(1),
    recordBytes: fc.constant(encodeLogRecords([{ key, value: key, headers: [] }])),
    producer: fc.record({
      producerId: fc.integer({ min: 1, max: 2 }),
      epoch: fc.nat(1),
      sequence: fc.integer({ min: 1, max: 3 }),
    }),
  }),
);
const anyJoined: fc.Arbitrary<CommandBody> = fc
  .array(
    fc.record({
      header: fc.record({
        sessionId: fc.constantFrom(0, 1, 1, 2),
        requestNumber: fc.integer({ min: 1, max: 90 }),
        retry: fc.boolean(),
      }),
      operations: fc.array(anyOperation, { minLength: 1, maxLength: 2 }),
    }),
    { minLength: 2, maxLength: 30 },
  )
  .map((commands) => ({
    kind: 'joined',
    commands: commands.map(({ header, operations }) => ({
      header: { logTimeMs: 1000, slot: manySlots, epoch: 0, ...header },
      body: { kind: 'independent', keyspaceId: 0, conditions: [], operations },
    })),
  }));
const anyCommand = fc.record({
  body: fc.oneof({ weight: 4, arbitrary: anyBody }, { weight: 1, arbitrary: anyJoined }),
  header: fc.record({
    logTimeMs: fc.integer({ min: 1000, max: 1200 }),
    sessionId: fc.nat(3),
    requestNumber: fc.integer({ min: 1, max: 6 }),
    retry: fc.boolean(),
  }),
});

test('what a run did is one batch, with the index up to which it is applied', async () => {
  const { store, machine, nextIndex } = await machineWith();
  await machine.apply([entryOf(nextIndex(), { kind: 'openSession', ttlMs: 1000 })]);
  const batch = store.batch.bind(store);
  const keys: string[][] = [];
  store.batch = (operations) => {
    keys.push(operations.map((operation) => Buffer.from(operation.key).toString('hex')));
    return batch(operations);
  };
  const session = { sessionId: 1, requestNumber: 1 };
  await machine.apply([
    entryOf(nextIndex(), writes(put('a')), session),
    entryOf(nextIndex(), writes(append)),
    entryOf(nextIndex(), writes({ ...put('b'), key: Buffer.from('other') })),
  ]);
  expect(keys).toHaveLength(1);
  const expected = [
    metaKey,
    sessionHeaderKey(1),
    sessionResultKey(1, 1),
    dataKey(0, key),
    dataKey(0, Buffer.from('other')),
  ];
  expect(keys[0]).toEqual(expect.arrayContaining(expected.map((one) => Buffer.from(one).toString('hex'))));
  expect((await open(store)).visible).toMatchObject({ appliedIndex: 4, revision: 3 });
});
