import type { KeyspaceOperation } from '../../../packages/replication/src/core/keyspace/operation.js';
import { decodeOperation, encodeOperation } from '../../../packages/replication/src/core/keyspace/operation-codec.js';
import type { Row } from '../../../packages/replication/src/core/keyspace/row.js';
import { decodeRow, decodeWinner, encodeRow } from '../../../packages/replication/src/core/keyspace/row-codec.js';
import { ReplicationError } from '../../../packages/replication/src/core/replication-error.js';
import { checkRun, packEntries, unpackEntries } from '../../../packages/replication/src/core/run.js';
import type { FuzzTarget } from '../fuzz-target.js';

const entries = ['one', '', 'a longer one'].map((text) => new Uint8Array(Buffer.from(text)));

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

/** What one node ships to another. */
export const replicationTargets: readonly FuzzTarget[] = [
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
];
