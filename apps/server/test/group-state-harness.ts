/** A group's state with its log files, apart from any node, and snapshots carried from one to another. */
import { type Clock, createSeededRandom, type Disk } from '@shanghai/env';
import type { Entry, Snapshot, SnapshotSink, SnapshotSource } from '@shanghai/raft';
import type { ApplyResult } from '../src/apply/apply-result.js';
import { type CommandBody, type CommandHeader, manySlots } from '../src/apply/command.js';
import { encodeCommand } from '../src/apply/command-codec.js';
import { encodeLogRecords } from '../src/apply/log-record-codec.js';
import type { EngineName } from '../src/engine/storage-engine.js';
import { resolveLimits } from '../src/limits.js';
import { LogFiles } from '../src/logs/log-files.js';
import { GroupState } from '../src/raft/group-state.js';
import { createManualClock } from './core-harness.js';

/** What one is opened with; `path` is a data directory. */
export interface HeldStateOptions {
  readonly disk: Disk;
  readonly path?: string;
  readonly engine?: EngineName;
  readonly clusterId?: string;
  readonly groupId?: number;
  readonly clock?: Clock;
  readonly watchChanges?: number;
}

/** A state and the files of its logs. */
export interface HeldState {
  readonly state: GroupState;
  readonly files: LogFiles;
  close(): Promise<void>;
}

export async function openState(options: HeldStateOptions): Promise<HeldState> {
  const { disk, path = 'data', engine = 'bitcask', clusterId = 'c1', groupId = 1 } = options;
  const clock = options.clock ?? createManualClock(0);
  const files = new LogFiles({
    directory: `${path}/logs`,
    clusterId,
    disk,
    clock,
    random: createSeededRandom(3),
    maxOpen: 4,
    maxRecordBytes: 1 << 20,
    maxQueuedBytes: 1 << 22,
    segmentBytes: 65_536,
    firstSegmentBytes: 65_536,
  });
  const limits = resolveLimits(options.watchChanges === undefined ? {} : { watchChanges: options.watchChanges });
  const store = { segmentBytes: 4096, merge: { enabled: false } };
  const state = await GroupState.open({
    groupId,
    clusterId,
    directory: `${path}/groups`,
    logFiles: files,
    limits,
    engine,
    store,
    disk,
    clock,
    listener: {},
  });
  const close = async () => {
    await state.close();
    await files.close();
  };
  return { state, files, close };
}

/** An entry of term 1. */
export function entryOf(index: number, body: CommandBody, header: Partial<CommandHeader> = {}): Entry {
  const whole = {
    logTimeMs: index,
    sessionId: 0,
    requestNumber: 0,
    retry: false,
    slot: manySlots,
    epoch: 0,
    ...header,
  };
  return { index, term: 1, type: 'EntryNormal', data: encodeCommand(whole, body) };
}

export function putOf(key: string, value: string, ttlMs?: number): CommandBody {
  const put = { type: 'put' as const, key: Buffer.from(key), value: Buffer.from(value) };
  const operations = [ttlMs === undefined ? put : { ...put, ttlMs }];
  return { kind: 'independent', keyspaceId: 0, conditions: [], operations };
}

export function appendOf(logId: number, values: readonly string[], producerSequence?: number): CommandBody {
  const records = values.map((value) => ({ key: new Uint8Array(0), value: Buffer.from(value), headers: [] }));
  const append = {
    kind: 'logAppend' as const,
    logId,
    recordCount: values.length,
    recordBytes: encodeLogRecords(records),
  };
  return producerSequence === undefined
    ? append
    : { ...append, producer: { producerId: 9, epoch: 1, sequence: producerSequence } };
}

/** Every part of a state: settings, data with and without expiry, a session with a result, two logs, a producer, a trim. Of logs, every other record is of `recordBytes`. */
export function everyPart(recordBytes = 6000): Entry[] {
  const long = 'x'.repeat(600);
  const longest = 'x'.repeat(recordBytes);
  const bodies: readonly [CommandBody, Partial<CommandHeader>?][] = [
    [{ kind: 'settings', version: 1, maxValueBytes: 100_000, slots: 16 }],
    [{ kind: 'openSession', ttlMs: 1_000_000 }],
    [putOf('once', 'done'), { sessionId: 1, requestNumber: 1 }],
    [{ kind: 'logStart', logId: 7, origin: 1 }],
    [{ kind: 'logStart', logId: 8, origin: 1 }],
    ...Array.from({ length: 12 }, (_, i): [CommandBody] => [putOf(`k${i % 5}`, `${i}${long}`)]),
    [putOf('soon', 'gone', 5)],
    [putOf('late', 'kept', 1_000_000)],
    ...Array.from({ length: 30 }, (_, i): [CommandBody] => [appendOf(7, [`a${i}${longest}`, `b${i}`], 1 + 2 * i)]),
    [{ kind: 'logTrim', logId: 7, firstSequence: 20 }],
    [
      {
        kind: 'catalogue',
        change: { type: 'bootstrap', clusterId: 'c1', clusterVersion: 1, slots: 16, maxValueBytes: 9 },
      },
    ],
    [{ kind: 'catalogue', change: { type: 'createKeyspace', name: 'blue' } }],
  ];
  return bodies.map(([body, header], i) => entryOf(i + 1, body, header));
}

/** A snapshot of a state as it is now, as a leader offers it. */
export async function snapshotOf(state: GroupState): Promise<{ snapshot: Snapshot; source: SnapshotSource }> {
  const confState = { voters: [1, 2], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const { appliedIndex, appliedTerm } = state.machine.visible;
  const metadata = { term: appliedTerm, index: appliedIndex, confState };
  const { data, source } = await state.snapshot(metadata);
  if (source === undefined) throw new Error('a snapshot has files');
  return { snapshot: { metadata, data }, source };
}

/** Carries the files, as a transport does, in chunks; resolves to the bytes that were sent. Stops after `maxBytes`. */
export async function carry(
  source: SnapshotSource,
  sink: SnapshotSink,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<number> {
  const files = await source.files();
  const kept = await sink.begin(files);
  let sent = 0;
  for (const [i, { name, bytes }] of files.entries()) {
    for (let at = kept[i] as number; at < bytes; ) {
      const length = Math.min(10_000, bytes - at);
      await sink.write(name, at, await source.read(name, at, length));
      at += length;
      sent += length;
      if (sent >= maxBytes) return sent;
    }
  }
  await sink.complete();
  return sent;
}

/** The same snapshot from memory: what it was made of may go. */
export async function inMemory(source: SnapshotSource): Promise<SnapshotSource> {
  const files = await source.files();
  const contents = new Map<string, Uint8Array>();
  for (const { name, bytes } of files) contents.set(name, await source.read(name, 0, bytes));
  await source.release();
  return {
    files: async () => files,
    read: async (name, offset, length) => (contents.get(name) as Uint8Array).subarray(offset, offset + length),
    release: async () => undefined,
  };
}

/** Takes a snapshot of one and puts it into another. */
export async function transfer(from: GroupState, to: GroupState): Promise<Snapshot> {
  const { snapshot, source } = await snapshotOf(from);
  await carry(source, await to.receive(snapshot));
  await source.release();
  await to.restore(snapshot);
  return snapshot;
}

export type { ApplyResult };
