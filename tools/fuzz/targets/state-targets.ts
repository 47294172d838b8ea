/** What a group's state, its commands and its answers are read with. */
import { InvariantError } from '@shanghai/env';
import { decodeAppendNotes, encodeAppendNotes } from '../../../apps/server/src/apply/accepted-appends.js';
import { Catalogue } from '../../../apps/server/src/apply/catalogue.js';
import { parseCatalogueCommand } from '../../../apps/server/src/apply/catalogue-command.js';
import type { CommandBody, CommandHeader } from '../../../apps/server/src/apply/command.js';
import { decodeCommand, encodeCommand } from '../../../apps/server/src/apply/command-codec.js';
import { CommandError } from '../../../apps/server/src/apply/command-error.js';
import {
  decodeCounters,
  emptyCounters,
  encodeCounters,
  type GroupCounters,
} from '../../../apps/server/src/apply/group-counters.js';
import { encodeLogRecords, readLogRecord, splitLogRecords } from '../../../apps/server/src/apply/log-record-codec.js';
import { decodeLog } from '../../../apps/server/src/apply/log-table.js';
import { decodeLoss, encodeLoss, type ListedLoss, listedLoss } from '../../../apps/server/src/apply/lost-record.js';
import { decodeOriginNotes, encodeOriginNotes } from '../../../apps/server/src/apply/origin-notes.js';
import { ProducerTable } from '../../../apps/server/src/apply/producer-table.js';
import { decodeResult, encodeFailure, encodeOutcomes } from '../../../apps/server/src/apply/result-codec.js';
import { SessionTable } from '../../../apps/server/src/apply/session-table.js';
import { decodeStoredValue, encodeStoredValue } from '../../../apps/server/src/apply/stored-value.js';
import { splitRun } from '../../../apps/server/src/apply/stream-run.js';
import { decodeStream, encodeStream, type StreamCounters } from '../../../apps/server/src/apply/stream-table.js';
import { decodeUpkeepEntry, encodeUpkeepEntry, type UpkeepEntry } from '../../../apps/server/src/apply/upkeep-entry.js';
import { decodeVectorToken, encodeVectorToken } from '../../../apps/server/src/keyspaces/vector-token.js';
import { defaultLimits } from '../../../apps/server/src/limits.js';
import {
  decodeFileRecord,
  encodeFileRecords,
  encodeStreamEntries,
} from '../../../apps/server/src/logs/log-file-record.js';
import { checkPack } from '../../../apps/server/src/logs/log-pack.js';
import { GroupSnapshotError } from '../../../apps/server/src/raft/group-snapshot-error.js';
import { checkOffer, encodeOffer } from '../../../apps/server/src/raft/snapshot-offer.js';
import { decodeContinuation, encodeContinuation } from '../../../apps/server/src/requests/range-continuation.js';
import { decodeReadToken, encodeReadToken, type ReadToken } from '../../../apps/server/src/requests/read-token.js';
import { ServerError } from '../../../apps/server/src/requests/server-error.js';
import {
  decodeWatchPosition,
  encodeWatchPosition,
  type GroupPosition,
} from '../../../apps/server/src/requests/watch-position.js';
import { readPackedRecords } from '../../../packages/client/src/wire/pack-wire.js';
import type { EntryId } from '../../../packages/replication/src/core/entry-id.js';
import { ReplicationError } from '../../../packages/replication/src/core/replication-error.js';
import type { FuzzTarget } from '../fuzz-target.js';

const text = (value: string) => new Uint8Array(Buffer.from(value));
const [key, value] = [text('key'), text('value')];
const header: CommandHeader = {
  logTimeMs: 1_700_000_000_123,
  sessionId: 7,
  requestNumber: 42,
  retry: true,
  slot: 1023,
  epoch: 3,
};
const records = [{ key, value, headers: [{ name: 'n', value }] }];
const settings = {
  mode: 'quorum',
  acknowledgement: 'quorum',
  retentionMs: 0,
  retentionBytes: 0,
  cleanupPolicy: 'delete',
} as const;

const hlc = { ms: 1_700_000_000_123, counter: 5 };
const stream = { logId: 3, origin: 2, epoch: 1 };
const loser = {
  ...{ stamp: { origin: 1, epoch: 1, sequence: 4, hlc: { ms: 5, counter: 0 } }, seen: [] },
  ...{ value: Uint8Array.of(1, 2), expiresAtMs: 0 },
};
const lost = { loser, winner: { ...loser, stamp: { ...loser.stamp, origin: 2 } } };
const entryBytes = encodeStreamEntries([...records, ...records], hlc, { producerId: 4, epoch: 1, sequence: 1 });
const run = { stream, firstSequence: 7, count: 2, lastHlc: hlc, bytes: entryBytes };
const counters: StreamCounters = { ...stream, firstSequence: 2, lastSequence: 9, lastHlc: hlc };

const bodies: readonly CommandBody[] = [
  { kind: 'independent', keyspaceId: 0, conditions: [], operations: [{ type: 'put', key, value, ttlMs: 5000 }] },
  {
    kind: 'transact',
    keyspaceId: 1,
    conditions: [
      { type: 'exists', key, exists: true },
      { type: 'revision', key, revision: 2 ** 40 },
      { type: 'value', key, value },
    ],
    operations: [
      { type: 'append', key, value },
      { type: 'delete', key },
    ],
  },
  { kind: 'openSession', ttlMs: 3_600_000 },
  { kind: 'time' },
  { kind: 'settings', version: 2, maxValueBytes: 1 << 20, slots: 1024 },
  { kind: 'logStart', logId: 3, origin: 1 },
  {
    kind: 'logAppend',
    logId: 3,
    recordCount: 1,
    recordBytes: encodeLogRecords(records),
    producer: { producerId: 5, epoch: 1, sequence: 1 },
    expectedLastSequence: 0,
  },
  { kind: 'logTrim', logId: 3, firstSequence: 100 },
  { kind: 'logDrop', logId: 3 },
  {
    kind: 'consumerCommit',
    logId: 3,
    consumer: 'reader',
    generation: 2,
    positions: [{ origin: 0, epoch: 1, sequence: 2 ** 40 }],
  },
  { kind: 'consumerSeek', logId: 3, consumer: 'reader', positions: [] },
  { kind: 'consumerDelete', logId: 3, consumer: 'reader' },
  { kind: 'logHide', logId: 3, compactedTo: 5000, chunks: [{ index: 1, bits: new Uint8Array(512).fill(0x55) }] },
  { kind: 'catalogue', change: { type: 'createLog', name: 'events', settings, origin: 1 } },
  {
    kind: 'originAppend',
    appends: [{ logId: 3, firstHlc: hlc, lastHlc: hlc, count: 2, bytes: entryBytes, expectedLastSequence: 6 }],
  },
  { kind: 'originReceive', runs: [run, run] },
  { kind: 'originSkip', stream, firstSequence: 9 },
  { kind: 'originEpoch', origin: 2, epoch: 3 },
  { kind: 'originForget', stream },
  { kind: 'hlcCeiling', hlc },
  { kind: 'originRun', run: 7, isClosed: true },
  { kind: 'originMarks', marks: [{ origin: 2, hlc, behind: [{ logId: 3, hlc }] }] },
  { kind: 'keyspaceSettle', keyspaceId: 3, stable: hlc, keys: [Uint8Array.of(65), Uint8Array.of(66, 0)] },
  {
    kind: 'joined',
    commands: [1, 2, 3].map((requestNumber) => ({
      header: { ...header, requestNumber },
      body: { kind: 'independent', keyspaceId: 0, conditions: [], operations: [{ type: 'put', key, value }] },
    })),
  },
  { kind: 'keyspacePurge', keyspaceId: 3, keys: [Uint8Array.of(0x21, 0, 0, 0, 3, 65)] },
  { kind: 'keyspaceRows', keyspaceId: 3, page: Uint8Array.of(1, 2, 3) },
  {
    ...{ kind: 'keyspaceClean', keyspaceId: 3, isLast: true, keys: [Uint8Array.of(65)] },
    giving: { origin: 1, epoch: 2, number: 3 },
  },
];

const plain = (bytes: Uint8Array) => new Uint8Array(bytes);
const json = (item: unknown) => text(JSON.stringify(item));

const range = { start: text('a'), end: text('z') };
const owner = { clusterId: 'c', groupId: 1, engine: 'bitcask' };

const appended = encodeFileRecords(
  {
    entryIndex: 9,
    logId: 3,
    origin: 1,
    firstSequence: 1,
    timeMs: 5,
    command: bodies[6] as Extract<CommandBody, { kind: 'logAppend' }>,
  },
  0,
);

/** A record of 48 bytes: version, then counters. */
function session(): Uint8Array {
  const bytes = new Uint8Array(48);
  bytes[0] = 1;
  for (let at = 8; at < 48; at += 8) bytes[at] = at;
  return bytes;
}

function producer(): Uint8Array {
  const bytes = new Uint8Array(44 + 28);
  bytes[0] = 1;
  bytes[40] = 1;
  return bytes;
}

function logCounters(): Uint8Array {
  const bytes = new Uint8Array(40);
  bytes[0] = 1;
  bytes[8] = 3;
  return bytes;
}

/** Decoders of commands and of what lies in a group's store. */
export const stateTargets: readonly FuzzTarget[] = [
  {
    name: 'server: command',
    examples: () => bodies.map((body) => plain(encodeCommand(header, body))),
    decode: (bytes) => decodeCommand(bytes),
    refusals: [CommandError],
  },
  {
    name: 'server: change of the catalogue',
    examples: () => [
      json({ type: 'createLog', name: 'events', settings, origin: 1 }),
      json({ type: 'createKeyspace', name: 'k' }),
      json({ type: 'deleteLog', name: 'events' }),
      json({ type: 'bootstrap', clusterId: 'c', clusterVersion: 1, slots: 16, maxValueBytes: 5 }),
    ],
    decode: (bytes) => parseCatalogueCommand(bytes),
    refusals: [RangeError],
  },
  {
    name: 'server: record of a log',
    examples: () => [plain(splitLogRecords(encodeLogRecords(records), 1)[0] as Uint8Array)],
    decode: (bytes) => readLogRecord(bytes),
    refusals: [RangeError],
  },
  {
    name: 'server: records of a log',
    examples: () => [plain(encodeLogRecords([...records, ...records, ...records]))],
    decode: (bytes) => splitLogRecords(bytes, 3),
    refusals: [RangeError],
  },
  {
    name: 'server: pack of appends',
    examples: () => [plain(encodeLogRecords(records)), plain(encodeLogRecords([...records, ...records, ...records]))],
    decode: (bytes, example) => {
      const pack = { log: 'l', records: bytes, counts: example === 0 ? [] : [1, 2] };
      return [checkPack(pack, defaultLimits, false), example === 0 ? readPackedRecords(Buffer.from(bytes)) : undefined];
    },
    refusals: [ServerError, RangeError],
  },
  {
    name: "server: record of a log's file",
    examples: () => [...appended, ...splitRun(run)].map(plain),
    decode: (bytes) => decodeFileRecord(bytes, 1, 1, 1),
    refusals: [RangeError],
  },
  {
    name: 'server: remembered result',
    examples: () => [
      plain(
        encodeOutcomes(
          [
            { ok: true, revision: 7 },
            { ok: true, revision: 8, valueBytes: 3 },
          ],
          [1, 2],
        ),
      ),
      plain(encodeOutcomes([{ ok: false, code: 'CONFLICT', message: 'no' }], [1])),
      plain(encodeFailure({ type: 'failed', code: 'CONFLICT', message: 'no', details: { revision: 3 } })),
    ],
    decode: (bytes) => decodeResult(bytes),
    refusals: [RangeError],
  },
  {
    name: 'server: stored value',
    examples: () => [plain(encodeStoredValue(2 ** 40, value))],
    decode: (bytes) => decodeStoredValue(bytes),
    encode: (stored: ReturnType<typeof decodeStoredValue>) => plain(encodeStoredValue(stored.revision, stored.value)),
    refusals: [RangeError],
  },
  {
    name: 'server: counters of a group',
    examples: () => [plain(encodeCounters({ ...emptyCounters(), appliedIndex: 2 ** 40, revision: 5 }))],
    decode: (bytes) => decodeCounters(bytes),
    encode: (counters: GroupCounters) => encodeCounters(counters),
    refusals: [InvariantError, RangeError],
  },
  {
    name: 'server: counters of a stream',
    examples: () => [plain(encodeStream(counters))],
    decode: (bytes) => decodeStream(bytes),
    encode: (known: StreamCounters) => encodeStream(known),
    refusals: [InvariantError, RangeError],
  },
  {
    name: 'server: version that lost',
    examples: () => [plain(encodeLoss(listedLoss(Uint8Array.of(65), lost)))],
    decode: decodeLoss,
    refusals: [RangeError, ReplicationError],
    encode: (loss: ListedLoss) => plain(encodeLoss(loss)),
  },
  {
    name: 'server: entry of the upkeep log',
    examples: () => upkeepEntries().map((entry) => plain(encodeUpkeepEntry(entry))),
    decode: (bytes) => decodeUpkeepEntry(bytes),
    refusals: [RangeError],
    encode: (entry: UpkeepEntry) => plain(encodeUpkeepEntry(entry)),
  },
  {
    name: 'server: accepted appends of an origin',
    examples: () => [plain(encodeOriginNotes([{ entryIndex: 9, place: 1, logId: 3, epoch: 1, firstSequence: 1 }]))],
    decode: (bytes) => decodeOriginNotes(bytes),
    encode: (notes: ReturnType<typeof decodeOriginNotes>) => encodeOriginNotes(notes),
    refusals: [InvariantError, RangeError],
  },
  {
    name: 'server: accepted appends',
    examples: () => [plain(encodeAppendNotes([{ entryIndex: 9, logId: 3, origin: 1, firstSequence: 1, timeMs: 5 }]))],
    decode: (bytes) => decodeAppendNotes(bytes),
    encode: (notes: ReturnType<typeof decodeAppendNotes>) => encodeAppendNotes(notes),
    refusals: [InvariantError, RangeError],
  },
  {
    name: 'server: counters of a log',
    examples: () => [logCounters()],
    decode: (bytes) => decodeLog(bytes),
    refusals: [InvariantError, RangeError],
  },
  {
    name: 'server: sessions',
    examples: () => [session()],
    decode(bytes) {
      const table = new SessionTable();
      table.load([{ key: text('s'), value: bytes }]);
      return table.size;
    },
    refusals: [InvariantError, RangeError],
  },
  {
    name: 'server: producers',
    examples: () => [producer()],
    decode: (bytes) => new ProducerTable().load([{ value: bytes }]),
    refusals: [InvariantError, RangeError],
  },
  {
    name: 'server: record of the catalogue',
    examples: () => [json({ name: 'k', id: 1 }), json({ nodeId: 1, name: 'n' })],
    decode: (bytes) => new Catalogue().load([{ key: text('Kk'), value: bytes }]),
    refusals: [InvariantError, RangeError],
  },
  {
    name: 'server: offer of a snapshot',
    examples: () => [plain(encodeOffer(owner, emptyCounters()))],
    decode: (bytes) =>
      checkOffer(
        {
          data: bytes,
          metadata: {
            index: 0,
            term: 0,
            confState: { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false },
          },
        },
        owner,
      ),
    refusals: [GroupSnapshotError],
  },
  {
    name: 'server: read token',
    examples: () => [encodeReadToken({ groupId: 1, index: 2 ** 40 })],
    decode: (bytes) => decodeReadToken(bytes),
    encode: (token: ReadToken) => encodeReadToken(token),
    refusals: [ServerError],
  },
  {
    name: 'server: vector token',
    examples: () => [
      encodeVectorToken(3, [
        { origin: 1, epoch: 1, sequence: 2 ** 40 },
        { origin: 2, epoch: 3, sequence: 4 },
      ]),
    ],
    decode: (bytes) => decodeVectorToken(bytes, 3),
    encode: (positions: readonly EntryId[]) => encodeVectorToken(3, positions),
    refusals: [ServerError],
  },
  {
    name: 'server: watch position',
    examples: () => [
      encodeWatchPosition([
        { groupId: 1, revision: 2 ** 40 },
        { groupId: 2, revision: 3 },
      ]),
    ],
    decode: (bytes) => decodeWatchPosition(bytes),
    encode: (positions: readonly GroupPosition[]) => encodeWatchPosition(positions),
    refusals: [ServerError],
  },
  {
    name: 'server: continuation of a range',
    examples: () => [encodeContinuation(range, '', key)],
    decode: (bytes) => decodeContinuation(bytes, range, ''),
    encode: (last: Uint8Array) => encodeContinuation(range, '', last),
    refusals: [ServerError],
  },
];

function upkeepEntries(): UpkeepEntry[] {
  const positions = [{ origin: 1, epoch: 2, sequence: 3 }];
  const begin = { hlc: { ms: 5, counter: 1 }, origin: 2 };
  const consumer = { logId: 1, name: 'mailer', generation: 2, committedAtMs: 9, begin, isDeleted: false, positions };
  return [
    { type: 'consumer', consumer, beginsHere: true },
    { type: 'trim', logId: 1, positions },
  ];
}
