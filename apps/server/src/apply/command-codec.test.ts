import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Command, CommandBody, CommandHeader } from './command.js';
import { manySlots } from './command.js';
import { decodeCommand, encodeCommand } from './command-codec.js';
import { CommandError } from './command-error.js';
import { encodeLogRecords, readLogRecord, splitLogRecords } from './log-record-codec.js';

const seed = 1_009;
const golden = new URL('../../testdata/formats/v1/commands.json', import.meta.url);

const header: CommandHeader = {
  logTimeMs: 1_700_000_000_123,
  sessionId: 7,
  requestNumber: 42,
  retry: true,
  slot: 1023,
  epoch: 3,
};
const key = Buffer.from('key');
const value = Buffer.from('value');

/** One command of every kind. */
const examples: Readonly<Record<string, CommandBody>> = {
  put: { kind: 'independent', keyspaceId: 0, conditions: [], operations: [{ type: 'put', key, value }] },
  ttl: { kind: 'independent', keyspaceId: 0, conditions: [], operations: [{ type: 'put', key, value, ttlMs: 5000 }] },
  atomic: {
    kind: 'atomic',
    keyspaceId: 9,
    conditions: [],
    operations: [
      { type: 'append', key, value },
      { type: 'delete', key },
    ],
  },
  transact: {
    kind: 'transact',
    keyspaceId: 1,
    conditions: [
      { type: 'exists', key, exists: true },
      { type: 'exists', key, exists: false },
      { type: 'revision', key, revision: 2 ** 40 },
      { type: 'value', key, value },
    ],
    operations: [{ type: 'put', key, value }],
  },
  openSession: { kind: 'openSession', ttlMs: 3_600_000 },
  time: { kind: 'time' },
  settings: { kind: 'settings', version: 2, maxValueBytes: 1 << 20, slots: 1024 },
  logStart: { kind: 'logStart', logId: 3, origin: 1 },
  logAppend: {
    kind: 'logAppend',
    logId: 3,
    recordCount: 1,
    recordBytes: encodeLogRecords([{ key, value, headers: [{ name: 'n', value }] }]),
    producer: { producerId: 5, epoch: 1, sequence: 1 },
    expectedLastSequence: 0,
  },
  logTrim: { kind: 'logTrim', logId: 3, firstSequence: 100 },
  logDrop: { kind: 'logDrop', logId: 3 },
  catalogue: { kind: 'catalogue', change: { type: 'createKeyspace', name: 'users' } },
  joined: {
    kind: 'joined',
    commands: [
      {
        header,
        body: { kind: 'independent', keyspaceId: 0, conditions: [], operations: [{ type: 'put', key, value }] },
      },
      {
        header: { ...header, requestNumber: 43 },
        body: { kind: 'atomic', keyspaceId: 9, conditions: [], operations: [] },
      },
    ],
  },
};

test('every kind of command reads back as it was written', () => {
  for (const [name, body] of Object.entries(examples)) {
    const command = decodeCommand(encodeCommand(header, body));
    expect(comparable(command), name).toEqual(comparable({ header, body }));
  }
});

test('the bytes of every kind are those of version 1', () => {
  if (process.env['SHANGHAI_WRITE_GOLDEN'] === '1') {
    const written = Object.entries(examples).map(([name, body]) => [name, encodeCommand(header, body).toString('hex')]);
    writeFileSync(golden, `${JSON.stringify(Object.fromEntries(written), undefined, 2)}\n`);
  }
  const kept = JSON.parse(readFileSync(golden, 'utf8')) as Record<string, string>;
  expect(Object.keys(kept).sort()).toEqual(Object.keys(examples).sort());
  for (const [name, body] of Object.entries(examples)) {
    expect(encodeCommand(header, body).toString('hex'), name).toBe(kept[name]);
  }
});

test('a command of an unknown version or kind is told apart from a malformed one', () => {
  const bytes = encodeCommand(header, examples['put'] as CommandBody);
  const newer = Buffer.from(bytes);
  newer[0] = 2;
  expect(() => decodeCommand(newer)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_COMMAND' }));
  const unknown = Buffer.from(bytes);
  unknown[1] = 200;
  expect(() => decodeCommand(unknown)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_COMMAND' }));
  expect(() => decodeCommand(bytes.subarray(0, 39))).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
});

test('a truncated command of any kind is refused at every length', () => {
  for (const [name, body] of Object.entries(examples)) {
    const bytes = encodeCommand(header, body);
    for (let length = 0; length < bytes.length; length++) {
      // Records are only counted by the command: their bytes are checked where they are split.
      const decode = () => {
        const { body: read } = decodeCommand(bytes.subarray(0, length));
        if (read.kind === 'logAppend') splitLogRecords(read.recordBytes, read.recordCount);
      };
      expect(decode, `${name} cut to ${length}`).toThrow();
    }
  }
});

test('hostile bytes are refused with a typed error and never cost more than they hold', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.values(examples)),
      fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 6 }),
      (body, changes) => {
        const bytes = encodeCommand(header, body);
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        try {
          const { body: read } = decodeCommand(bytes);
          if (read.kind === 'independent') expect(read.operations.length).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(CommandError);
        }
      },
    ),
    { seed, numRuns: 2000 },
  );
});

test('log records read back as they were written, header names beyond ASCII too', () => {
  const records = [
    { key, value, headers: [{ name: 'größe', value }] },
    { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: [] },
  ];
  const split = splitLogRecords(encodeLogRecords(records), 2).map(readLogRecord);
  expect(split).toEqual(records);
});

test('a command for several slots names none', () => {
  const { header: read } = decodeCommand(encodeCommand({ ...header, slot: manySlots }, { kind: 'time' }));
  expect(read.slot).toBe(manySlots);
});

/** Views of one buffer and buffers of their own compare equal. */
function comparable(command: Command): unknown {
  return JSON.parse(
    JSON.stringify(command, (_, held) => (held?.type === 'Buffer' ? Buffer.from(held.data).toString('hex') : held)),
  );
}
