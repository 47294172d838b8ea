import { expect, test } from 'vitest';
import { manySlots } from '../apply/command.js';
import { encodeCommand } from '../apply/command-codec.js';
import { commandJoiner } from './command-joiner.js';

const header = { logTimeMs: 1, sessionId: 0, requestNumber: 0, retry: false, slot: manySlots, epoch: 0 };

function put(bytes: number): Buffer {
  const operation = { type: 'put', key: Buffer.from('k'), value: Buffer.alloc(bytes) } as const;
  return encodeCommand(header, { kind: 'independent', keyspaceId: 0, conditions: [], operations: [operation] });
}

test('small writes share an entry; large ones and other commands have their own', () => {
  const joiner = commandJoiner(() => true);
  expect([put(100), put(3_000), encodeCommand(header, { kind: 'time' })].map((one) => joiner.mayJoin(one))).toEqual([
    true,
    false,
    false,
  ]);
});

test('each command gets its own result', () => {
  const joiner = commandJoiner(() => true);
  const results = [{ type: 'done' }, { type: 'session', sessionId: 1, ttlMs: 2 }] as const;
  expect(joiner.split({ type: 'joined', results })).toBe(results);
  expect(() => joiner.split({ type: 'done' })).toThrow(/gave 'done'/);
});
