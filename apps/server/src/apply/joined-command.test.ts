import { createManualClock } from '@shanghai/env/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MapStore } from '../../test/core-map-store.js';
import type { WriteOperation } from '../requests/key-value-requests.js';
import type { ApplyResult } from './apply-result.js';
import { type CommandHeader, type CommandOfMany, manySlots, type WriteCommand } from './command.js';
import { decodeCommand, encodeCommand, joinCommands, mayJoin } from './command-codec.js';
import { CommandError } from './command-error.js';
import { StateMachine } from './state-machine.js';

const seed = 20_261;
const key = Buffer.from('k');
const append: WriteOperation = { type: 'append', key, value: Buffer.from('x') };

function open(store: MapStore): Promise<StateMachine> {
  return StateMachine.open({
    store: store.asStore(),
    logWriter: { write: async () => undefined, writeRuns: async () => undefined },
    ring: { maxChanges: 1000, maxBytes: 1 << 20 },
    clock: createManualClock(0),
  });
}

function command(operations: readonly WriteOperation[], more: Partial<CommandHeader> = {}): CommandOfMany {
  const header: CommandHeader = {
    ...{ logTimeMs: 1000, sessionId: 0, requestNumber: 0, retry: false, slot: manySlots, epoch: 0 },
    ...more,
  };
  return { header, body: { kind: 'independent', keyspaceId: 0, conditions: [], operations } };
}

function conditional(expected: number, operation: WriteOperation): CommandOfMany {
  const body: WriteCommand = {
    ...{ kind: 'transact', keyspaceId: 0, operations: [operation] },
    conditions: [{ type: 'revision', key, revision: expected }],
  };
  return { header: command([]).header, body };
}

function bytesOf({ header, body }: CommandOfMany): Buffer {
  return encodeCommand(header, body);
}

/** A machine over a store of its own, with one session, that can be opened anew. */
async function machineWith() {
  const store = new MapStore();
  let machine = await open(store);
  let index = 0;
  const session = { ttlMs: 1_000_000, kind: 'openSession' } as const;
  await machine.apply([{ index: ++index, term: 1, command: encodeCommand(command([]).header, session) }]);
  const joined = async (commands: readonly CommandOfMany[]): Promise<readonly ApplyResult[]> => {
    const entry = { index: ++index, term: 1, command: joinCommands(commands.map(bytesOf)) };
    const [result] = await machine.apply([entry]);
    if (result?.type !== 'joined') throw new Error(`got ${JSON.stringify(result)}`);
    return result.results;
  };
  const reopen = async () => {
    machine = await open(store);
  };
  return { store, joined, reopen };
}

const by = (requestNumber: number, retry = false) => ({ sessionId: 1, requestNumber, retry });
const bytesAfter = (valueBytes: number) =>
  expect.objectContaining({ outcomes: [expect.objectContaining({ valueBytes })] });

test('each command of an entry is judged and answered by itself, and sees those before it', async () => {
  const { joined } = await machineWith();
  const results = await joined([
    command([append]),
    conditional(7, append),
    conditional(1, append),
    command([append], { sessionId: 99, requestNumber: 1 }),
    command([append]),
  ]);
  expect(results).toEqual([
    bytesAfter(1),
    expect.objectContaining({ type: 'failed', code: 'CONFLICT' }),
    bytesAfter(2),
    expect.objectContaining({ type: 'failed', code: 'SESSION_EXPIRED' }),
    bytesAfter(3),
  ]);
});

test('a request that comes again is answered as it was: in the same entry, in a later one, and after a restart', async () => {
  for (const count of [2, 7, 8, 40, 200]) {
    const { joined, reopen } = await machineWith();
    const numbers = Array.from({ length: count }, (_, i) => i + 1);
    const first = await joined([...numbers.map((n) => command([append], by(n))), command([append], by(1, true))]);
    expect(first.slice(0, count), `${count} commands`).toEqual(numbers.map(bytesAfter));
    expect(first[count]).toEqual(first[0]);
    const again = () => joined(numbers.map((n) => command([append], by(n, true))));
    expect(await again()).toEqual(first.slice(0, count));
    await reopen();
    expect(await again()).toEqual(first.slice(0, count));
  }
});

test('all numbers of the window are remembered, however entries cut them', async () => {
  const { joined, reopen } = await machineWith();
  const length = 1_024 + 200;
  for (let first = 1; first <= length; first += 17) {
    const last = Math.min(first + 16, length);
    await joined(Array.from({ length: last - first + 1 }, (_, i) => command([append], by(first + i))));
    if (first % 3 === 0) await reopen();
  }
  const results = await joined(Array.from({ length }, (_, i) => command([append], by(i + 1, true))));
  for (const [i, result] of results.entries()) {
    const known = i + 1 > length - 1_024;
    expect(result, `request ${i + 1}`).toEqual(
      known ? bytesAfter(i + 1) : expect.objectContaining({ code: 'OUTCOME_UNKNOWN' }),
    );
  }
});

test('large results and results of few requests are remembered beside those that lie together', async () => {
  const { joined, reopen } = await machineWith();
  const large = Array.from({ length: 20 }, () => append);
  const commands = Array.from({ length: 20 }, (_, i) => command(i % 2 === 0 ? [append] : large, by(i + 1)));
  const first = await joined(commands);
  const second = await joined([command([append], by(21)), command([append], by(22))]);
  await reopen();
  expect(await joined([...commands, command([append], by(21)), command([append], by(22))])).toEqual([
    ...first,
    ...second,
  ]);
});

test('commands in one entry do what they do in entries of their own, but for the order of use of sessions', async () => {
  const operation: fc.Arbitrary<WriteOperation> = fc.oneof(
    fc.constant(append),
    fc.constant({ type: 'delete' as const, key }),
    fc.record({ type: fc.constant('put' as const), key: fc.constant(key), value: fc.constant(Buffer.from('v')) }),
  );
  const commands = fc.array(
    fc.tuple(fc.array(operation, { minLength: 1, maxLength: 3 }), fc.integer({ min: 0, max: 30 })),
    {
      minLength: 2,
      maxLength: 40,
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(commands, { minLength: 1, maxLength: 5 }), async (entries) => {
      const together = await machineWith();
      const apart = await machineWith();
      for (const entry of entries) {
        const all = entry.map(([operations, n]) => command(operations, n === 0 ? {} : by(n)));
        const results = [];
        // A lone command beside one that changes nothing.
        for (const one of all) results.push((await apart.joined([one, conditional(-1 >>> 0, append)]))[0]);
        expect(await together.joined(all)).toEqual(results);
        await together.reopen();
      }
      const dataOf = ({ store }: typeof together) => [...store.held].filter(([name]) => name.charCodeAt(0) === 0x20);
      expect(dataOf(together)).toEqual(dataOf(apart));
    }),
    { seed, numRuns: 60 },
  );
});

test('only writes share an entry, and at least two', () => {
  const write = bytesOf(command([append]));
  const time = encodeCommand(command([]).header, { kind: 'time' });
  expect([mayJoin(write), mayJoin(time), mayJoin(joinCommands([write, write]))]).toEqual([true, false, false]);
  for (const commands of [[write], [write, time], [write, joinCommands([write, write])]]) {
    expect(() => decodeCommand(joinCommands(commands))).toThrow(CommandError);
  }
});

test('log time is that of the latest command', () => {
  const entry = joinCommands([5, 9, 7].map((logTimeMs) => bytesOf(command([append], { logTimeMs }))));
  expect(decodeCommand(entry).header.logTimeMs).toBe(9);
});
