/**
 * The named logs of a group as its state knows them: which sequence numbers they have given out, from which on they are
 * readable, and what their producers sent last. The entries themselves lie in files (`logs/log-files.ts`).
 *
 * A producer numbers its records. What it repeats is answered again and not appended again, as long as the numbers are
 * among its last five appends (as many as Kafka's idempotent producer may have in flight); a gap or an older epoch is a
 * conflict. Producers are bounded in number: the one used least recently is forgotten, and must begin a new epoch.
 */
import { invariant } from '@shanghai/env';
import type { Producer } from '../logs/log-requests.js';
import { type ApplyResult, done, failed } from './apply-result.js';
import { readU32, readU64, writeU32, writeU64 } from './byte-fields.js';
import type { LogAppendCommand } from './command.js';
import { ConsumerTable, type LogPosition } from './consumer-table.js';
import type { GroupCounters } from './group-counters.js';
import { HiddenEntries } from './hidden-entries.js';
import type { LogUpkeepCommand } from './log-upkeep-command.js';
import { ProducerTable } from './producer-table.js';
import { logKey } from './state-keys.js';
import type { WriteSet } from './write-set.js';

/** A log's counters. */
export interface LogCounters {
  readonly logId: number;
  readonly origin: number;
  readonly epoch: number;
  /** First sequence that may be read. */
  firstSequence: number;
  /** 0 = empty. */
  lastSequence: number;
}

/** Entries that were given sequence numbers: what the files must get. */
export interface AcceptedAppend {
  readonly entryIndex: number;
  readonly logId: number;
  readonly origin: number;
  readonly firstSequence: number;
  readonly timeMs: number;
  readonly command: LogAppendCommand;
}

const recordVersion = 1;
const recordBytes = 40;

/** The logs of one group. */
export class LogTable {
  readonly #logs = new Map<number, LogCounters>();
  readonly producers = new ProducerTable();
  readonly consumers = new ConsumerTable();
  readonly hidden = new HiddenEntries();
  /** Logs dropped since the start, with the entry that did it. */
  readonly #dropped = new Map<number, number>();

  load(records: readonly { readonly value: Uint8Array }[]): void {
    for (const { value } of records) {
      const log = decodeLog(value);
      this.#logs.set(log.logId, log);
    }
  }

  get(logId: number): LogCounters | undefined {
    return this.#logs.get(logId);
  }

  ids(): number[] {
    return [...this.#logs.keys()];
  }

  start(logId: number, origin: number, writes: WriteSet): ApplyResult {
    if (this.#logs.has(logId)) return done;
    const log: LogCounters = { logId, origin, epoch: 1, firstSequence: 1, lastSequence: 0 };
    this.#logs.set(logId, log);
    writes.put(logKey(logId), encodeLog(log));
    return done;
  }

  drop(logId: number, entryIndex: number, writes: WriteSet): ApplyResult {
    this.consumers.dropLog(logId, writes);
    if (!this.#logs.delete(logId)) return done;
    this.#dropped.set(logId, entryIndex);
    writes.delete(logKey(logId));
    this.producers.dropLog(logId, writes);
    this.hidden.dropLog(logId, writes);
    return done;
  }

  /** Whether the log is gone for good once the state up to `durableIndex` is durable. */
  isGone(logId: number, durableIndex: number): boolean {
    return !this.#logs.has(logId) && (this.#dropped.get(logId) ?? 0) <= durableIndex;
  }

  trim(logId: number, firstSequence: number, writes: WriteSet): ApplyResult {
    const log = this.#logs.get(logId);
    if (log === undefined) return unknownLog(logId);
    const first = Math.min(firstSequence, log.lastSequence + 1);
    if (first <= log.firstSequence) return done;
    log.firstSequence = first;
    writes.put(logKey(logId), encodeLog(log));
    this.hidden.trim(logId, first, writes);
    return done;
  }

  /** Consumers of a log, and what compaction takes away of it. */
  upkeep(command: LogUpkeepCommand, timeMs: number, writes: WriteSet): ApplyResult {
    const { logId } = command;
    const log = this.#logs.get(logId);
    switch (command.kind) {
      case 'consumerCommit': {
        const { consumer, generation, positions } = command;
        const refusal = refusedPosition(logId, log, positions);
        return refusal ?? this.consumers.commit(logId, consumer, generation, positions, timeMs, writes);
      }
      case 'consumerSeek': {
        const { consumer, positions } = command;
        return (
          refusedPosition(logId, log, positions) ?? this.consumers.seek(logId, consumer, positions, timeMs, writes)
        );
      }
      case 'consumerDelete':
        this.consumers.delete(logId, command.consumer, writes);
        return done;
      case 'logHide':
        if (log === undefined) return unknownLog(logId);
        this.hidden.hide(logId, command.compactedTo, command.chunks, log.firstSequence, writes);
        return done;
    }
  }

  /** Gives the records sequence numbers, and the append to `accepted`, or says why not. */
  append(
    command: LogAppendCommand,
    entryIndex: number,
    counters: GroupCounters,
    writes: WriteSet,
    accepted: AcceptedAppend[],
  ): ApplyResult {
    const { logId, producer, expectedLastSequence, recordCount } = command;
    const log = this.#logs.get(logId);
    if (log === undefined) return unknownLog(logId);
    if (producer !== undefined) {
      const answer = this.producers.judge(logId, producer, recordCount);
      if (answer !== undefined) return answer;
    }
    if (expectedLastSequence !== undefined && expectedLastSequence !== log.lastSequence) {
      return failed('CONFLICT', `the log's last sequence is ${log.lastSequence}, expected ${expectedLastSequence}`, {
        lastSequence: log.lastSequence,
      });
    }
    const firstSequence = log.lastSequence + 1;
    log.lastSequence += recordCount;
    writes.put(logKey(logId), encodeLog(log));
    const timeMs = counters.logTimeMs;
    if (producer !== undefined) this.#sent(log, producer, recordCount, firstSequence, timeMs, entryIndex, writes);
    accepted.push({ entryIndex, logId, origin: log.origin, firstSequence, timeMs, command });
    return { type: 'logAppended', firstSequence, lastSequence: log.lastSequence, timeMs, duplicate: false };
  }

  /**
   * Takes over where a log's files end, against what the state says. Only where the node was told to acknowledge before
   * it syncs: a power failure may then leave either behind the other.
   */
  align(logId: number, lastSequence: number, writes: WriteSet): void {
    const log = this.#logs.get(logId);
    invariant(log !== undefined, `there is no log ${logId}`);
    log.lastSequence = lastSequence;
    log.firstSequence = Math.min(log.firstSequence, lastSequence + 1);
    writes.put(logKey(logId), encodeLog(log));
  }

  #sent(
    log: LogCounters,
    producer: Producer,
    count: number,
    logFirst: number,
    timeMs: number,
    entryIndex: number,
    writes: WriteSet,
  ): void {
    const batch = { first: producer.sequence, count, logFirst, timeMs };
    this.producers.sent(log.logId, producer, batch, entryIndex, writes);
  }
}

/** A log in mode quorum has one origin, and nobody has worked on what is not there yet. */
function refusedPosition(
  logId: number,
  log: LogCounters | undefined,
  positions: readonly LogPosition[],
): ApplyResult | undefined {
  if (log === undefined) return unknownLog(logId);
  for (const { origin, epoch, sequence } of positions) {
    if (origin !== log.origin || epoch !== log.epoch) {
      const there = `its entries are of origin ${log.origin}, epoch ${log.epoch}`;
      return failed('INVALID_REQUEST', `the log has no entries of origin ${origin}, epoch ${epoch}; ${there}`);
    }
    if (sequence > log.lastSequence) {
      const { firstSequence, lastSequence } = log;
      return failed('OUT_OF_RANGE', `the log's last sequence is ${lastSequence}, the position names ${sequence}`, {
        firstSequence,
        lastSequence,
      });
    }
  }
  return undefined;
}

function unknownLog(logId: number): ApplyResult {
  return failed('NOT_FOUND', `there is no log with id ${logId} any more`);
}

//   0        1..7  8        12      16     24              32
//   version  0     log id   origin  epoch  first sequence  last sequence
function encodeLog(log: LogCounters): Buffer {
  const bytes = Buffer.alloc(recordBytes);
  bytes[0] = recordVersion;
  writeU32(bytes, 8, log.logId);
  writeU32(bytes, 12, log.origin);
  writeU64(bytes, 16, log.epoch);
  writeU64(bytes, 24, log.firstSequence);
  writeU64(bytes, 32, log.lastSequence);
  return bytes;
}

/** Reads a log's record. */
export function decodeLog(bytes: Uint8Array): LogCounters {
  invariant(bytes.length === recordBytes && bytes[0] === recordVersion, 'a log record of an unknown version');
  return {
    logId: readU32(bytes, 8),
    origin: readU32(bytes, 12),
    epoch: readU64(bytes, 16),
    firstSequence: readU64(bytes, 24),
    lastSequence: readU64(bytes, 32),
  };
}
