/**
 * The streams of multi-master logs as a node's own group knows them: how far each of them is here, and what this node
 * has given out as an origin. The entries lie in files (`logs/log-files.ts`). docs/formats/state-machine.md, "Own group".
 *
 * Entries of a stream are the same wherever they are met, so what a node holds of one is two numbers; and what came twice,
 * or in another order than it was sent, is told by them alone.
 */
import { invariant } from '@shanghai/env';
import { compareHlc, type Hlc, laterHlc, type StreamId, streamKey, zeroHlc } from '@shanghai/replication';
import { type ApplyResult, done, failed } from './apply-result.js';
import { readU32, readU64, writeU32, writeU64 } from './byte-fields.js';
import { readHlc, writeHlc } from './hlc-field.js';
import { MarkTable } from './mark-table.js';
import type { OriginAppend } from './origin-command.js';
import type { ProducerTable } from './producer-table.js';
import { originKey, streamRecordKey } from './state-keys.js';
import type { StreamRun } from './stream-run.js';
import { TrimFloors } from './trim-floors.js';
import type { WriteSet } from './write-set.js';

/** A stream as far as it is here. */
export interface StreamCounters extends StreamId {
  /** First sequence that may be read. */
  readonly firstSequence: number;
  /** Below `firstSequence`: none may. */
  readonly lastSequence: number;
  /** Of the last entry that came. */
  readonly lastHlc: Hlc;
}

/** This node as an origin. */
export interface OriginCounters {
  /** 0 before it has an epoch. */
  readonly origin: number;
  /** 0 = it has none yet. */
  readonly epoch: number;
  /** The highest stamp that it may have given out. */
  readonly highestHlc: Hlc;
  /** Which run of the program this is, as the system group counts them. Absent: not known. */
  readonly run?: number;
  /** The program ended in order, and nothing was written since. */
  readonly isClosed?: boolean;
}

/** What a run changed. */
export interface StreamChanges {
  readonly streams: readonly StreamCounters[];
  /** Logs that are gone. */
  readonly dropped: readonly number[];
}

const recordVersion = 1;
const streamRecordBytes = 48;
const originRecordBytes = 32;

const noOrigin: OriginCounters = { origin: 0, epoch: 0, highestHlc: zeroHlc };

/** All streams of a node. */
export class StreamTable {
  /** What was trimmed by hand. */
  readonly floors = new TrimFloors();
  readonly #producers: ProducerTable;
  /** What is known of other origins. */
  readonly marks = new MarkTable();
  /** By log, then by origin and epoch. */
  readonly #logs = new Map<number, Map<string, StreamCounters>>();
  /** What readers see: as of the last run that was written. */
  readonly #visible = new Map<string, StreamCounters>();
  #visibleOwn = noOrigin;
  /** What has changed since. */
  #changed = new Map<string, StreamCounters>();
  #droppedSince: number[] = [];
  #forgottenSince: string[] = [];
  /** Logs that are gone, with the entry that did it; 0 = before the start. */
  readonly #dropped = new Map<number, number>();
  #own = noOrigin;

  constructor(producers: ProducerTable) {
    this.#producers = producers;
  }

  load(records: readonly { readonly value: Uint8Array }[]): void {
    for (const { value } of records) {
      const stream = decodeStream(value);
      if (stream.origin === 0) this.#dropped.set(stream.logId, 0);
      else this.#put(stream);
    }
    this.publish();
  }

  loadOwn(record: Uint8Array): void {
    this.#own = decodeOrigin(record);
    this.publish();
  }

  /** As of the last run that was written; `own` and `get` may be ahead of it. */
  get visibleOwn(): OriginCounters {
    return this.#visibleOwn;
  }

  /** Likewise. */
  visible(stream: StreamId): StreamCounters | undefined {
    return this.#visible.get(streamKey(stream));
  }

  /** Likewise, of a log, by origin and epoch. */
  visibleOf(logId: number): StreamCounters[] {
    return this.ofLog(logId).flatMap((stream) => this.visible(stream) ?? []);
  }

  /** Likewise, all of them. */
  allVisible(): IterableIterator<StreamCounters> {
    return this.#visible.values();
  }

  /** Writes what has changed since the last run, once however often it has. */
  store(writes: WriteSet): void {
    for (const stream of this.#changed.values()) writes.put(streamRecordKey(stream), encodeStream(stream));
    if (this.#own !== this.#visibleOwn) writes.put(originKey, encodeOrigin(this.#own));
  }

  /** A run was written: readers see it from now on. What that changed. */
  publish(): StreamChanges {
    const changes = { streams: [...this.#changed.values()], dropped: this.#droppedSince };
    for (const key of this.#forgottenSince.splice(0)) this.#visible.delete(key);
    for (const [key, stream] of this.#changed) this.#visible.set(key, stream);
    for (const logId of this.#droppedSince) {
      for (const [key, stream] of this.#visible) if (stream.logId === logId) this.#visible.delete(key);
    }
    this.#visibleOwn = this.#own;
    if (this.#changed.size > 0) this.#changed = new Map();
    if (this.#droppedSince.length > 0) this.#droppedSince = [];
    return changes;
  }

  get own(): OriginCounters {
    return this.#own;
  }

  get({ logId, origin, epoch }: StreamId): StreamCounters | undefined {
    return this.#logs.get(logId)?.get(nameOf(origin, epoch));
  }

  /** Those of a log, by origin and epoch. */
  ofLog(logId: number): StreamCounters[] {
    const streams = [...(this.#logs.get(logId)?.values() ?? [])];
    return streams.sort((a, b) => a.origin - b.origin || a.epoch - b.epoch);
  }

  /** All of them. */
  *all(): IterableIterator<StreamCounters> {
    for (const streams of this.#logs.values()) yield* streams.values();
  }

  /** Logs of which something is here. */
  logIds(): number[] {
    return [...this.#logs.keys()];
  }

  /** Whether something of the log is here. */
  holds(logId: number): boolean {
    return this.#logs.has(logId);
  }

  /** Logs that are gone. */
  droppedLogs(): number[] {
    return [...this.#dropped.keys()];
  }

  isDropped(logId: number): boolean {
    return this.#dropped.has(logId);
  }

  /** Whether nothing of the log is here, nor will be once the state up to `durableIndex` is durable. */
  isGone(logId: number, durableIndex: number): boolean {
    return !this.#logs.has(logId) && (this.#dropped.get(logId) ?? 0) <= durableIndex;
  }

  /** Judges an append of this node; what it may be given goes to `take`. */
  append(
    append: OriginAppend,
    entryIndex: number,
    writes: WriteSet,
    take: (run: StreamRun, firstKept: number) => void,
  ): ApplyResult {
    const { logId, producer, expectedLastSequence, firstHlc, lastHlc, count, bytes } = append;
    const { origin, epoch, highestHlc } = this.#own;
    if (epoch === 0 || compareHlc(firstHlc, highestHlc) <= 0) {
      return failed('INTERNAL_ERROR', 'an append with no epoch, or with a stamp that was given out before');
    }
    this.raiseCeiling(lastHlc);
    if (this.#own.isClosed === true) this.#own = { ...this.#own, isClosed: false };
    if (this.#dropped.has(logId)) return failed('NOT_FOUND', `there is no log with id ${logId} any more`);
    const stream = { logId, origin, epoch };
    const known = this.get(stream);
    const lastSequence = known?.lastSequence ?? 0;
    const verdict = producer === undefined ? undefined : this.#producers.judge(logId, producer, count, epoch);
    if (verdict !== undefined) return verdict;
    if (expectedLastSequence !== undefined && expectedLastSequence !== lastSequence) {
      return failed('CONFLICT', `this origin's last sequence is ${lastSequence}, expected ${expectedLastSequence}`, {
        lastSequence,
      });
    }
    const firstSequence = lastSequence + 1;
    const next = { ...stream, firstSequence: known?.firstSequence ?? 1, lastSequence: lastSequence + count, lastHlc };
    this.#put(next);
    const timeMs = firstHlc.ms;
    if (producer !== undefined) {
      const batch = { first: producer.sequence, count, logFirst: firstSequence, timeMs };
      this.#producers.sent(logId, producer, batch, entryIndex, writes, epoch);
    }
    take({ stream, firstSequence, count, lastHlc, bytes }, next.firstSequence);
    return { type: 'logAppended', firstSequence, lastSequence: next.lastSequence, timeMs, duplicate: false, epoch };
  }

  /** Takes a run as far as it follows what is here and is not here yet. Returns whether any of it was. */
  receive(run: StreamRun): boolean {
    const { stream, firstSequence, count, lastHlc } = run;
    const known = this.get(stream);
    const lastSequence = known?.lastSequence ?? 0;
    const end = firstSequence + count - 1;
    if (firstSequence > lastSequence + 1 || end <= lastSequence || this.#dropped.has(stream.logId)) return false;
    // Whoever has more of it has what this node lost, and it must begin a new epoch first.
    if (this.#isOwnPresent(stream)) return false;
    this.#put({ ...stream, firstSequence: known?.firstSequence ?? 1, lastSequence: end, lastHlc });
    return true;
  }

  /** See *Origin skip*. `lastHlc`: of the entry before, where it is known. */
  skip(stream: StreamId, firstSequence: number, lastHlc = zeroHlc): ApplyResult {
    const lastSequence = firstSequence - 1;
    if (lastSequence <= (this.get(stream)?.lastSequence ?? 0) || this.#dropped.has(stream.logId)) return done;
    if (this.#isOwnPresent(stream)) return done;
    this.#put({ ...idOf(stream), firstSequence, lastSequence, lastHlc });
    return done;
  }

  trim(stream: StreamId, firstSequence: number): ApplyResult {
    const known = this.get(stream);
    if (known === undefined) return done;
    const first = Math.min(firstSequence, known.lastSequence + 1);
    if (first > known.firstSequence) this.#put({ ...known, firstSequence: first });
    return done;
  }

  beginEpoch(origin: number, epoch: number): ApplyResult {
    if (epoch <= this.#own.epoch) return done;
    this.#own = { ...this.#own, origin, epoch };
    return done;
  }

  setRun(run: number, isClosed: boolean): ApplyResult {
    this.#own = { ...this.#own, run, isClosed };
    return done;
  }

  raiseCeiling(hlc: Hlc): void {
    const highestHlc = laterHlc(this.#own.highestHlc, hlc);
    if (highestHlc !== this.#own.highestHlc) this.#own = { ...this.#own, highestHlc };
  }

  /** Lets all streams of a log go, for good. */
  drop(logId: number, entryIndex: number, writes: WriteSet): ApplyResult {
    if (this.#dropped.has(logId)) return done;
    for (const stream of this.ofLog(logId)) writes.delete(streamRecordKey(stream));
    this.#logs.delete(logId);
    for (const [key, stream] of this.#changed) if (stream.logId === logId) this.#changed.delete(key);
    this.#droppedSince.push(logId);
    this.#dropped.set(logId, entryIndex);
    const mark = { logId, origin: 0, epoch: 0 };
    writes.put(streamRecordKey(mark), encodeStream({ ...mark, firstSequence: 1, lastSequence: 0, lastHlc: zeroHlc }));
    this.#producers.dropLog(logId, writes);
    return done;
  }

  /** Gives up what is here of a stream that this node does not write any more. */
  forget(stream: StreamId, writes: WriteSet): ApplyResult {
    if (this.#isOwnPresent(stream)) return done;
    const name = nameOf(stream.origin, stream.epoch);
    if (this.#logs.get(stream.logId)?.delete(name) !== true) return done;
    this.#changed.delete(streamKey(stream));
    this.#forgottenSince.push(streamKey(stream));
    writes.delete(streamRecordKey(stream));
    // They spoke of what was here.
    this.marks.forget(stream.origin, writes);
    return done;
  }

  /** Takes over where a stream's files end, as `LogTable.align`. */
  align(stream: StreamId, lastSequence: number): void {
    const known = this.get(stream);
    invariant(known !== undefined, `there is no stream of log ${stream.logId}`);
    const firstSequence = Math.min(known.firstSequence, lastSequence + 1);
    this.#put({ ...known, firstSequence, lastSequence });
  }

  /** Nobody but this node writes there. */
  #isOwnPresent({ origin, epoch }: StreamId): boolean {
    return origin === this.#own.origin && epoch === this.#own.epoch;
  }

  /** Of a stream nobody reads anything before `firstSequence` any more, whenever it comes. */
  raiseFloor(stream: StreamId, firstSequence: number, writes: WriteSet): void {
    if (!this.floors.raise(stream, firstSequence, writes)) return;
    const known = this.get(stream);
    if (known !== undefined) this.#put(known);
  }

  #put(counters: StreamCounters): void {
    const floor = Math.min(this.floors.of(counters), counters.lastSequence + 1);
    const stream = floor > counters.firstSequence ? { ...counters, firstSequence: floor } : counters;
    let streams = this.#logs.get(stream.logId);
    if (streams === undefined) {
      streams = new Map();
      this.#logs.set(stream.logId, streams);
    }
    streams.set(nameOf(stream.origin, stream.epoch), stream);
    this.#changed.set(streamKey(stream), stream);
  }
}

function nameOf(origin: number, epoch: number): string {
  return `${origin}.${epoch}`;
}

function idOf({ logId, origin, epoch }: StreamId): StreamId {
  return { logId, origin, epoch };
}

/**
 * A stream's record:
 *
 *   0        1..7  8       12      16     24              32             40
 *   version  0     log id  origin  epoch  first sequence  last sequence  last stamp
 */
export function encodeStream(stream: StreamCounters): Buffer {
  const bytes = Buffer.alloc(streamRecordBytes);
  bytes[0] = recordVersion;
  writeU32(bytes, 8, stream.logId);
  writeU32(bytes, 12, stream.origin);
  writeU64(bytes, 16, stream.epoch);
  writeU64(bytes, 24, stream.firstSequence);
  writeU64(bytes, 32, stream.lastSequence);
  writeHlc(bytes, 40, stream.lastHlc);
  return bytes;
}

/** Reads a stream's record; one of origin 0 says that its log was dropped. */
export function decodeStream(bytes: Uint8Array): StreamCounters {
  invariant(bytes.length === streamRecordBytes && bytes[0] === recordVersion, 'a stream record of an unknown version');
  return {
    logId: readU32(bytes, 8),
    origin: readU32(bytes, 12),
    epoch: readU64(bytes, 16),
    firstSequence: readU64(bytes, 24),
    lastSequence: readU64(bytes, 32),
    lastHlc: readHlc(bytes, 40),
  };
}

/**
 * A node's record as an origin:
 *
 *   0        1       2..7  8       12   16     24
 *   version  closed  0     origin  run  epoch  highest stamp
 */
export function encodeOrigin({ origin, epoch, highestHlc, run = 0, isClosed = false }: OriginCounters): Buffer {
  const bytes = Buffer.alloc(originRecordBytes);
  bytes[0] = recordVersion;
  bytes[1] = isClosed ? 1 : 0;
  writeU32(bytes, 8, origin);
  writeU32(bytes, 12, run);
  writeU64(bytes, 16, epoch);
  writeHlc(bytes, 24, highestHlc);
  return bytes;
}

function decodeOrigin(bytes: Uint8Array): OriginCounters {
  invariant(bytes.length === originRecordBytes && bytes[0] === recordVersion, 'an origin record of an unknown version');
  const own = { origin: readU32(bytes, 8), epoch: readU64(bytes, 16), highestHlc: readHlc(bytes, 24) };
  const run = readU32(bytes, 12);
  return run === 0 ? own : { ...own, run, isClosed: bytes[1] === 1 };
}
