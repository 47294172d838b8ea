import { crc32 } from '@shanghai/env';
import type { KeyOperation, KeyspaceOperation } from '../../../packages/replication/src/core/keyspace/operation.js';
import { decodeOperation, encodeOperation } from '../../../packages/replication/src/core/keyspace/operation-codec.js';
import type { Row, Version } from '../../../packages/replication/src/core/keyspace/row.js';
import { decodeRow, decodeWinner, encodeRow } from '../../../packages/replication/src/core/keyspace/row-codec.js';
import {
  decodeRowPage,
  encodeRowPage,
  type GivenPage,
} from '../../../packages/replication/src/core/keyspace/row-page-codec.js';
import type { ControlMessage, DataMessage } from '../../../packages/replication/src/core/message.js';
import { ReplicationError } from '../../../packages/replication/src/core/replication-error.js';
import { checkRun, packEntries, unpackEntries } from '../../../packages/replication/src/core/run.js';
import { decodeStoreRecord, encodeStoreRecord } from '../../../packages/replication/src/wal/store-record.js';
import { Fragments, framesOf } from '../../../packages/replication/src/wire/fragments.js';
import {
  decodeControl,
  decodeData,
  encodeControl,
  encodeData,
} from '../../../packages/replication/src/wire/message-codec.js';
import type { FuzzTarget } from '../fuzz-target.js';

const entries = ['one', '', 'a longer one'].map((text) => new Uint8Array(Buffer.from(text)));

const stream = { logId: 7, origin: 2, epoch: 3 };
const hlc = { ms: 1_700_000_000_000, counter: 4 };
const mark = { origin: 2, hlc, behind: [{ logId: 9, hlc: { ms: 4, counter: 1 } }] };
const position = { stream, firstSequence: 3, lastSequence: 2 ** 40, lastHlc: hlc };
const control: readonly ControlMessage[] = [
  { type: 'positions', positions: [position, { ...position, lastSequence: 2 }], isComplete: true },
  { type: 'marks', marks: [mark] },
  { type: 'grant', entries: 1_024, bytes: 2 ** 22 },
  { type: 'want', origins: [1, 300, 70_000] },
];
const data: readonly DataMessage[] = [
  { type: 'run', run: { stream, firstSequence: 300, count: 3, lastHlc: hlc, bytes: packEntries(entries) } },
  { type: 'mark', mark },
  { type: 'rows', logId: 8, rows: new Uint8Array([1, 2, 3]) },
  { type: 'trimmed', stream, firstSequence: 2 ** 45 },
];

const records = [
  encodeStoreRecord({
    type: 'run',
    run: { stream, firstSequence: 9, count: 3, lastHlc: hlc, bytes: packEntries(entries) },
  }),
  encodeStoreRecord({ type: 'position', position }),
  encodeStoreRecord({ type: 'mark', mark }),
  encodeStoreRecord({ type: 'ceiling', hlc }),
  encodeStoreRecord({ type: 'epoch', epoch: 70_000 }),
  encodeStoreRecord({ type: 'removed', logId: 7 }),
];

function sealMessage(bytes: Uint8Array): void {
  const at = bytes.length - 4;
  if (at < 1) return;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, crc32(bytes, 0, 1, at), true);
}

function runOf(bytes: Uint8Array) {
  const stream = { logId: 1, origin: 2, epoch: 3 };
  return { stream, firstSequence: 1, count: entries.length, lastHlc: { ms: 1, counter: 0 }, bytes };
}

const seen = [
  { origin: 1, epoch: 1, sequence: 7 },
  { origin: 4, epoch: 2, sequence: 300 },
];
const key = Uint8Array.of(65, 66);
const operations: readonly KeyspaceOperation[] = [
  { type: 'put', seen, key, value: Uint8Array.of(1, 2, 3), expiresAtMs: 1_790_000_000_000 },
  { type: 'delete', seen: [], key },
  { type: 'verdict', seen, decision: 'drop', origin: 3, epoch: 1, targets: [{ sequence: 5, key }] },
];
const stamp = { hlc: { ms: 1_790_000_000_000, counter: 3 }, origin: 1, epoch: 1, sequence: 9 };
const rows: readonly Row[] = [
  [{ stamp, seen, value: Uint8Array.of(4), expiresAtMs: 0 }],
  [
    { stamp, seen, value: Uint8Array.of(4), expiresAtMs: 5 },
    { stamp: { ...stamp, origin: 2 }, seen: [], expiresAtMs: 0 },
  ],
];

const giving = { origin: 2, epoch: 1, number: 300 };
const put: KeyOperation = { type: 'put', seen, key, value: Uint8Array.of(9), expiresAtMs: 0 };
const [single, [loser, winner]] = rows as [Row, [Version, Version]];
const pages: readonly GivenPage[] = [
  { giving, floor: stamp.hlc, to: key, rows: [{ key: Uint8Array.of(64), row: single }] },
  {
    ...{ giving, floor: stamp.hlc, from: key, rows: [{ key, row: single }] },
    end: {
      positions: [stamp],
      tail: {
        acceptedMs: 5,
        removed: [{ origin: 3, epoch: 1, sequence: 7 }],
        verdicts: [{ id: stamp, key, verdict: { isAccepted: true, droppedAt: stamp.hlc } }],
        held: [{ stamp, operation: put }],
        lost: [{ key, lost: { loser, winner } }],
      },
    },
  },
];

/** What one node ships to another. */
export const replicationTargets: readonly FuzzTarget[] = [
  {
    name: 'replication: message of control',
    examples: () => control.map(encodeControl),
    decode: decodeControl,
    refusals: [ReplicationError],
    seal: sealMessage,
    encode: (message: ControlMessage) => encodeControl(message),
  },
  {
    name: 'replication: message of data',
    examples: () => data.map((message) => new Uint8Array(encodeData(message))),
    decode: decodeData,
    refusals: [ReplicationError],
    seal: sealMessage,
    encode: (message: DataMessage) => new Uint8Array(encodeData(message)),
  },
  {
    name: 'replication: pieces of a message',
    examples: () => framesOf(new Uint8Array(1_100_000)).map((frame) => new Uint8Array(frame)),
    decode: (bytes) => new Fragments(2_097_152).take(bytes),
    refusals: [ReplicationError],
    cost: 8,
  },
  {
    name: 'replication: record of a store',
    examples: () => records.map(({ kind, payload }) => new Uint8Array([kind, ...payload])),
    decode: (bytes) => decodeStoreRecord(bytes[0] ?? 0, bytes.subarray(1)),
    refusals: [ReplicationError],
  },
  {
    name: 'replication: entries of a run',
    examples: () => [packEntries(entries)],
    decode: (bytes) => {
      checkRun(runOf(bytes));
      return unpackEntries(runOf(bytes));
    },
    refusals: [ReplicationError],
    encode: (payloads: readonly Uint8Array[]) => packEntries(payloads),
  },
  {
    name: "replication: entry of a keyspace's log",
    examples: () => operations.map(encodeOperation),
    decode: decodeOperation,
    refusals: [ReplicationError],
    encode: (operation: KeyspaceOperation) => encodeOperation(operation),
  },
  {
    name: 'replication: row of a keyspace',
    examples: () => rows.map(encodeRow),
    decode: (bytes) => {
      decodeWinner(bytes);
      return decodeRow(bytes);
    },
    refusals: [ReplicationError],
    encode: (row: Row) => encodeRow(row),
  },
  {
    name: 'replication: page of rows',
    examples: () => pages.map(encodeRowPage),
    decode: decodeRowPage,
    refusals: [ReplicationError],
    encode: (page: GivenPage) => encodeRowPage(page),
  },
];
