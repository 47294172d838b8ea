import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { KeyOperation, KeyspaceOperation } from '../src/core/keyspace/operation.js';
import { decodeOperation, encodeOperation } from '../src/core/keyspace/operation-codec.js';
import type { Row, Version } from '../src/core/keyspace/row.js';
import { decodeRow, decodeWinner, encodeRow } from '../src/core/keyspace/row-codec.js';
import { decodeRowPage, encodeRowPage, type GivenPage } from '../src/core/keyspace/row-page-codec.js';
import { ReplicationError } from '../src/core/replication-error.js';

// REGENERATE=1 writes the file anew: only before a version is released, or beside a new version of the format.
const path = new URL('../testdata/formats/keyspace-v1.json', import.meta.url);

const seen = [
  { origin: 1, epoch: 1, sequence: 7 },
  { origin: 1, epoch: 2, sequence: 300 },
  { origin: 9, epoch: 1, sequence: 2 ** 40 },
];
const key = Uint8Array.of(0x6b, 0x65, 0x79);
const operations: Readonly<Record<string, KeyspaceOperation>> = {
  put: { type: 'put', seen, key, value: Uint8Array.of(1, 2, 3), expiresAtMs: 1_800_000_000_000 },
  putFirst: { type: 'put', seen: [], key, value: new Uint8Array(0), expiresAtMs: 0 },
  delete: { type: 'delete', seen, key },
  accept: { type: 'verdict', seen: [], decision: 'accept', origin: 3, epoch: 1, targets: [{ sequence: 5, key }] },
  drop: {
    type: 'verdict',
    seen,
    decision: 'drop',
    origin: 300,
    epoch: 2,
    targets: [
      { sequence: 5, key },
      { sequence: 6, key: Uint8Array.of(0) },
    ],
  },
};
const first = { hlc: { ms: 1_790_000_000_000, counter: 3 }, origin: 1, epoch: 1, sequence: 9 };
const second = { ...first, hlc: { ms: 1_790_000_000_000, counter: 0xffff }, origin: 2 };
const rows: Readonly<Record<string, Row>> = {
  one: [{ stamp: first, seen, value: Uint8Array.of(4), expiresAtMs: 0 }],
  tombstone: [{ stamp: first, seen: [], expiresAtMs: 0 }],
  several: [
    { stamp: first, seen, value: Uint8Array.of(4), expiresAtMs: 5 },
    { stamp: second, seen: [], expiresAtMs: 0 },
  ],
};
const giving = { origin: 2, epoch: 300, number: 7 };
const to = Uint8Array.of(0x6c);
const lost = { loser: rows.several?.[0] as Version, winner: rows.several?.[1] as Version };
const pages: Readonly<Record<string, GivenPage>> = {
  first: { giving, floor: first.hlc, to, rows: [{ key, row: rows.several as Row }] },
  last: {
    ...{ giving, floor: { ms: 0, counter: 0 }, from: to, rows: [] },
    end: {
      positions: [first, second],
      tail: {
        acceptedMs: 1_790_000_000_001,
        removed: [{ origin: 4, epoch: 0, sequence: 0 }],
        verdicts: [
          { id: { origin: 3, epoch: 1, sequence: 5 }, key, verdict: { isAccepted: true } },
          { id: { origin: 3, epoch: 1, sequence: 6 }, key, verdict: { isAccepted: false, droppedAt: first.hlc } },
        ],
        held: [{ stamp: second, operation: operations.putFirst as KeyOperation }],
        lost: [{ key, lost }],
      },
    },
  },
};

test('entries and rows of this version are read as they were written, and written so again', () => {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  const all = {
    operations: Object.fromEntries(Object.entries(operations).map(([name, one]) => [name, hex(encodeOperation(one))])),
    rows: Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, hex(encodeRow(row))])),
    pages: Object.fromEntries(Object.entries(pages).map(([name, page]) => [name, hex(encodeRowPage(page))])),
  };
  if (process.env.REGENERATE === '1') writeFileSync(path, `${JSON.stringify(all, undefined, 2)}\n`);
  const kept: typeof all = JSON.parse(readFileSync(path, 'utf8'));
  expect(all).toEqual(kept);
  for (const [name, text] of Object.entries(kept.operations)) {
    expect(decodeOperation(Uint8Array.from(Buffer.from(text, 'hex')))).toEqual(operations[name]);
  }
  for (const [name, text] of Object.entries(kept.rows)) {
    const bytes = Uint8Array.from(Buffer.from(text, 'hex'));
    expect(decodeRow(bytes)).toEqual(rows[name]);
    expect(decodeWinner(bytes)).toEqual(rows[name]?.at(-1));
  }
});

test('pages of rows are read as they were written; such as are cut off, longer, or end twice are refused', () => {
  const kept: { pages: Record<string, string> } = JSON.parse(readFileSync(path, 'utf8'));
  for (const [name, text] of Object.entries(kept.pages)) {
    const bytes = Uint8Array.from(Buffer.from(text, 'hex'));
    expect(decodeRowPage(bytes)).toEqual(pages[name]);
    for (let length = 0; length < bytes.length; length++) refused(() => decodeRowPage(bytes.subarray(0, length)));
    refused(() => decodeRowPage(Uint8Array.of(...bytes, 0)));
    for (const flags of [0, 1, 6, 7, 8]) refused(() => decodeRowPage(Uint8Array.of(1, flags, ...bytes.subarray(2))));
  }
});

test('a verdict about nothing is refused', () => {
  refused(() => decodeOperation(Uint8Array.from(Buffer.from('01030001010700', 'hex'))));
  const nothing = { type: 'verdict', seen: [], decision: 'drop', origin: 1, epoch: 7, targets: [] } as const;
  expect(() => encodeOperation(nothing)).toThrow('a verdict names 0 entries');
});

test('bytes that are cut off, longer, of another version, or not in their shortest form are refused', () => {
  for (const operation of [operations.accept, operations.drop] as KeyspaceOperation[]) {
    const bytes = encodeOperation(operation);
    for (let length = 0; length < bytes.length; length++) refused(() => decodeOperation(bytes.subarray(0, length)));
    refused(() => decodeOperation(Uint8Array.of(...bytes, 0)));
  }
  for (const row of Object.values(rows)) {
    const bytes = encodeRow(row);
    for (let length = 0; length < bytes.length; length++) refused(() => decodeRow(bytes.subarray(0, length)));
    refused(() => decodeRow(Uint8Array.of(...bytes, 0)));
    refused(() => decodeRow(Uint8Array.of(2, ...bytes.subarray(1))));
  }
  refused(() => decodeOperation(Uint8Array.of(2, 1, 0, 0, 1, 65)));
  refused(() => decodeOperation(Uint8Array.of(1, 4, 0, 65)));
  refused(() => decodeOperation(Uint8Array.of(1, 2, 0)));
  refused(() => decodeOperation(Uint8Array.of(1, 2, 0x80, 0, 65)));
  refused(() => decodeOperation(Uint8Array.of(1, 2, 2, 2, 1, 1, 1, 1, 1, 65)));
});

function refused(decode: () => unknown): void {
  expect(decode).toThrow(ReplicationError);
}
