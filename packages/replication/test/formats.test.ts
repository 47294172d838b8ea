import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { ControlMessage, DataMessage } from '../src/core/message.js';
import { packEntries } from '../src/core/run.js';
import { decodeStoreRecord, encodeStoreRecord, type StoreRecord } from '../src/wal/store-record.js';
import { decodeControl, decodeData, encodeControl, encodeData } from '../src/wire/message-codec.js';

// REGENERATE=1 writes the file anew: only before a version is released, or beside a new version of the protocol.
const path = new URL('../testdata/formats/replication-v1.json', import.meta.url);

const stream = { logId: 7, origin: 300, epoch: 1_763_760_000 };
const hlc = { ms: 1_763_760_000_123, counter: 258 };
const entries = packEntries([new Uint8Array([1, 2, 3]), new Uint8Array(0)]);
const run = { stream, firstSequence: 2 ** 40, count: 2, lastHlc: hlc, bytes: entries };
const position = { stream, firstSequence: 5, lastSequence: 300, lastHlc: hlc };
const mark = { origin: 300, hlc, behind: [{ logId: 9, hlc: { ms: 1, counter: 65_535 } }] };

const control: Readonly<Record<string, ControlMessage>> = {
  positions: { type: 'positions', positions: [position], isComplete: false },
  'positions complete': { type: 'positions', positions: [], isComplete: true },
  marks: { type: 'marks', marks: [mark, { ...mark, behind: [] }] },
  want: { type: 'want', origins: [1, 300] },
  grant: { type: 'grant', entries: 8_192, bytes: 4_194_304 },
};
const data: Readonly<Record<string, DataMessage>> = {
  run: { type: 'run', run },
  mark: { type: 'mark', mark },
  rows: { type: 'rows', logId: 7, rows: new Uint8Array([9, 8]) },
  trimmed: { type: 'trimmed', stream, firstSequence: 300 },
};
const records: Readonly<Record<string, StoreRecord>> = {
  'stored run': { type: 'run', run },
  'stored position': { type: 'position', position },
  'stored mark': { type: 'mark', mark },
  'stored ceiling': { type: 'ceiling', hlc },
  'stored epoch': { type: 'epoch', epoch: stream.epoch },
  'stored removed': { type: 'removed', logId: 7 },
};

/** By name: the bytes, how they are read, and what they say. */
const all: Readonly<Record<string, readonly [Uint8Array, (bytes: Uint8Array) => unknown, unknown]>> =
  Object.fromEntries([
    ...Object.entries(control).map(
      ([name, message]) => [name, [encodeControl(message), decodeControl, message]] as const,
    ),
    ...Object.entries(data).map(([name, message]) => [name, [encodeData(message), decodeData, message]] as const),
    ...Object.entries(records).map(([name, record]) => {
      const { kind, payload } = encodeStoreRecord(record);
      const read = (bytes: Uint8Array) => decodeStoreRecord(bytes[0] ?? 0, bytes.subarray(1));
      return [name, [new Uint8Array([kind, ...payload]), read, record]] as const;
    }),
  ]);

if (process.env.REGENERATE === '1') {
  const hex = Object.entries(all).map(([name, [bytes]]) => [name, Buffer.from(bytes).toString('hex')]);
  writeFileSync(path, `${JSON.stringify(Object.fromEntries(hex), null, 2)}\n`);
}
const golden = JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, string>>;

test('every kind of message and record has a golden form', () => {
  expect(Object.keys(golden).sort()).toEqual(Object.keys(all).sort());
});

for (const [name, [bytes, decode, said]] of Object.entries(all)) {
  test(`the ${name} of version 1 is read, and written, as ever`, () => {
    const known = new Uint8Array(Buffer.from(golden[name] ?? '', 'hex'));
    expect(decode(known)).toEqual(said);
    expect(Buffer.from(bytes).toString('hex')).toBe(golden[name]);
  });
}
