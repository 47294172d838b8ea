import type { Clock } from '@shanghai/env';
import {
  Acknowledgement,
  CleanupPolicy,
  type ConsumerDescription,
  type LogAppendRequest,
  type LogAppendResponse,
  type LogDescription,
  type LogEntry,
  LogMode,
  type LogReadRequest,
  type LogReadResponse,
  type LogSettings,
  type LogTailRequest,
  type LogTailResponse,
  type Producer,
} from '@shanghai/proto';
import { refusal } from './memory-error.js';
import { WakeUp } from './wake-up.js';

/** A log in memory. */
export interface MemoryLog {
  readonly name: string;
  readonly logId: bigint;
  readonly settings: LogSettings;
  readonly createdAtMs: bigint;
  /** In order; the first kept has sequence `trimmed + 1`. */
  readonly entries: LogEntry[];
  trimmed: number;
  /** Answers by producer, epoch and sequence. */
  readonly producers: Map<string, LogAppendResponse>;
  /** The last record of each producer. */
  readonly lastSent: Map<bigint, { readonly epoch: bigint; readonly sequence: bigint; readonly logSequence: bigint }>;
  readonly consumers: Map<string, ConsumerDescription>;
  readonly news: WakeUp;
}

/** Entries of one page of a tail. */
const pageEntries = 100;

/** The log plane in memory: named logs with one origin, producers, expected sequences, tails. */
export class MemoryLogs {
  readonly #clock: Clock;
  readonly #logs = new Map<string, MemoryLog>();
  #nextId = 1n;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether there is such a log that every node writes. */
  isMultiMaster(name: string): boolean {
    return this.#logs.get(name)?.settings.mode === LogMode.LOG_MODE_MULTI_MASTER;
  }

  /** Makes a log, or finds it with the same settings. */
  create(name: string, wanted: LogSettings | undefined): LogDescription {
    const settings = withDefaults(wanted);
    const existing = this.#logs.get(name);
    if (existing !== undefined) {
      if (sameSettings(existing.settings, settings)) return describe(existing);
      throw refusal('ALREADY_EXISTS', `log '${name}' is there with other settings`);
    }
    const log: MemoryLog = {
      name,
      logId: this.#nextId++,
      settings,
      createdAtMs: BigInt(this.#clock.nowMs()),
      entries: [],
      trimmed: 0,
      producers: new Map(),
      lastSent: new Map(),
      consumers: new Map(),
      news: new WakeUp(),
    };
    this.#logs.set(name, log);
    return describe(log);
  }

  /** Logs by prefix, in order of their names. */
  list(prefix: string): LogDescription[] {
    const logs = [...this.#logs.values()].filter(({ name }) => name.startsWith(prefix));
    return logs.sort((a, b) => (a.name < b.name ? -1 : 1)).map(describe);
  }

  /** One log. */
  describe(name: string): LogDescription {
    return describe(this.#find(name));
  }

  /** Takes a log away. */
  delete(name: string): void {
    const log = this.#find(name);
    this.#logs.delete(name);
    log.news.notify();
  }

  /** Forgets entries up to a sequence number, as retention does. */
  trim(name: string, upTo: number): void {
    const log = this.#find(name);
    log.entries.splice(0, upTo - log.trimmed);
    log.trimmed = upTo;
  }

  /** Appends records, once for each number of a producer. */
  append(request: LogAppendRequest): LogAppendResponse {
    const log = this.#find(request.log);
    const { producer } = request;
    const sent = producer === undefined ? undefined : log.lastSent.get(producer.producerId);
    if (sent !== undefined && (producer?.epoch ?? 0n) < sent.epoch) {
      throw refusal('CONFLICT', 'an older epoch', { producerEpoch: Number(sent.epoch) });
    }
    const producerKey =
      producer === undefined ? undefined : `${producer.producerId}/${producer.epoch}/${producer.sequence}`;
    const earlier = producerKey === undefined ? undefined : log.producers.get(producerKey);
    if (earlier !== undefined) return { ...earlier, duplicate: true };
    const last = BigInt(log.trimmed + log.entries.length);
    if (producer !== undefined) refuseOutOfOrder(log, producer);
    const expected = request.expectedLastSequence;
    if (expected !== undefined && expected !== last) {
      throw refusal('CONFLICT', `log '${log.name}' ends at ${last}, not at ${expected}`, {
        lastSequence: Number(last),
      });
    }
    const timeMs = BigInt(this.#clock.nowMs());
    request.records.forEach((record, index) => {
      const sequence = last + BigInt(index) + 1n;
      log.entries.push({ origin: 0n, epoch: 1n, sequence, timeMs, ...record, producer });
    });
    const lastSequence = last + BigInt(request.records.length);
    const answer = { origin: 0n, epoch: 1n, firstSequence: last + 1n, lastSequence, timeMs, duplicate: false };
    if (producerKey !== undefined) log.producers.set(producerKey, answer);
    if (producer !== undefined) {
      const sequence = producer.sequence + BigInt(request.records.length) - 1n;
      log.lastSent.set(producer.producerId, { epoch: producer.epoch, sequence, logSequence: lastSequence });
    }
    log.news.notify();
    return answer;
  }

  /** One page. */
  read(request: LogReadRequest): LogReadResponse {
    const log = this.#find(request.log);
    const from = startOf(log, request.start);
    const first = log.trimmed + 1;
    const limit = request.limit === 0 ? 1_000 : request.limit;
    const entries = log.entries.slice(from - first, from - first + limit);
    return {
      entries,
      nextSequence: BigInt(from + entries.length),
      firstSequence: BigInt(first),
      lastSequence: BigInt(log.trimmed + log.entries.length),
      gaps: [],
      packed: [],
    };
  }

  /** Entries from a position on, and then what is appended, until the signal aborts. */
  async *tail(request: LogTailRequest, signal: AbortSignal): AsyncGenerator<LogTailResponse, void, undefined> {
    const log = this.#find(request.log);
    const start = request.start;
    let next = start?.$case === 'fromEnd' ? log.trimmed + log.entries.length + 1 : startOf(log, start);
    while (!signal.aborted) {
      if (this.#logs.get(request.log) !== log) throw refusal('NOT_FOUND', `log '${request.log}' was deleted`);
      const first = log.trimmed + 1;
      if (next < first) throw outOfRange(log, next);
      const entries = log.entries.slice(next - first, next - first + pageEntries);
      next += entries.length;
      if (entries.length > 0) yield { entries, nextSequence: BigInt(next), gaps: [], packed: [] };
      else await log.news.wait(signal);
    }
  }

  /** One log, or a refusal. */
  find(name: string): MemoryLog {
    return this.#find(name);
  }

  #find(name: string): MemoryLog {
    const log = this.#logs.get(name);
    if (log === undefined) throw refusal('NOT_FOUND', `there is no log '${name}'`);
    return log;
  }
}

function refuseOutOfOrder(log: MemoryLog, { producerId, epoch, sequence }: Producer): void {
  const last = log.lastSent.get(producerId);
  const expected = last?.epoch === epoch ? last.sequence + 1n : 1n;
  if (sequence === expected) return;
  throw refusal('CONFLICT', `expected ${expected}, got ${sequence}`, { expectedSequence: Number(expected) });
}

/** The first sequence number wanted. */
function startOf(log: MemoryLog, start: LogReadRequest['start']): number {
  const first = log.trimmed + 1;
  if (start === undefined) return first;
  if (start.$case === 'fromTimeMs') {
    const index = log.entries.findIndex(({ timeMs }) => timeMs >= start.value);
    return first + (index === -1 ? log.entries.length : index);
  }
  if (start.$case === 'fromLast') return first + Math.max(0, log.entries.length - Number(start.value));
  const wanted = Number(start.value);
  if (wanted === 0) return first;
  if (wanted < first || wanted > first + log.entries.length) throw outOfRange(log, wanted);
  return wanted;
}

function outOfRange(log: MemoryLog, wanted: number): Error {
  const details = { firstSequence: log.trimmed + 1, lastSequence: log.trimmed + log.entries.length };
  return refusal('OUT_OF_RANGE', `log '${log.name}' has no position ${wanted}`, details);
}

function describe({ name, logId, settings, createdAtMs, entries, trimmed }: MemoryLog): LogDescription {
  const bytes = entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  const origin = {
    origin: 0n,
    epoch: 1n,
    firstSequence: BigInt(trimmed + 1),
    lastSequence: BigInt(trimmed + entries.length),
    bytes: BigInt(bytes),
    segments: 1n,
  };
  return { name, logId, settings, createdAtMs, origins: [origin] };
}

function withDefaults(settings: LogSettings | undefined): LogSettings {
  return {
    mode: settings?.mode || LogMode.LOG_MODE_QUORUM,
    acknowledgement: settings?.acknowledgement || Acknowledgement.ACKNOWLEDGEMENT_QUORUM,
    retentionMs: settings?.retentionMs ?? 0n,
    retentionBytes: settings?.retentionBytes ?? 0n,
    cleanupPolicy: settings?.cleanupPolicy || CleanupPolicy.CLEANUP_POLICY_DELETE,
    retentionEntries: settings?.retentionEntries ?? 0n,
    tombstoneRetentionMs: settings?.tombstoneRetentionMs ?? 0n,
  };
}

function sameSettings(a: LogSettings, b: LogSettings): boolean {
  return (
    a.mode === b.mode &&
    a.acknowledgement === b.acknowledgement &&
    a.retentionMs === b.retentionMs &&
    a.retentionBytes === b.retentionBytes &&
    a.retentionEntries === b.retentionEntries &&
    a.tombstoneRetentionMs === b.tombstoneRetentionMs &&
    a.cleanupPolicy === b.cleanupPolicy
  );
}
