/**
 * A node in memory with the interfaces the APIs are written against: enough behaviour to see that every request
 * arrives and every answer goes out, and switches for what a real node does rarely (failures, endless sources).
 */

import { readU32 } from '../src/apply/byte-fields.js';
import { readLogRecord } from '../src/apply/log-record-codec.js';
import type { KeyspaceRequests } from '../src/keyspaces/keyspace-requests.js';
import type {
  LogAppend,
  LogAppended,
  LogDescription,
  LogEntry,
  LogPack,
  LogPacked,
  LogPage,
  LogRecord,
  LogRequests,
  LogSettings,
  LogStart,
} from '../src/logs/log-requests.js';
import type { NodeMembers } from '../src/members/node-members.js';
import type { NodeGossip } from '../src/membership/node-gossip.js';
import type { NodeStatus, ShanghaiNode } from '../src/node.js';
import type {
  Condition,
  KeyValueRequests,
  OperationOutcome,
  RangePage,
  RangeRequest,
  StoredPair,
  WatchEvent,
  WatchPage,
  WriteOperation,
} from '../src/requests/key-value-requests.js';
import type { Answered, ReadContext, RequestContext, WriteContext } from '../src/requests/request-context.js';
import { ServerError } from '../src/requests/server-error.js';

const token = Buffer.from('token');

/** What the APIs handed over last. */
export interface Seen {
  read?: ReadContext;
  write?: WriteContext;
  context?: RequestContext;
  range?: RangeRequest;
}

export interface MemoryNode extends ShanghaiNode {
  readonly seen: Seen;
  members?: NodeMembers;
  gossip?: NodeGossip;
  keyspaces?: KeyspaceRequests;
  /** The next request fails with this. */
  failNext(error: unknown): void;
  /** Requests wait until the returned function is called. */
  hold(): () => void;
  /** Requests that wait. */
  readonly held: number;
  /** `range`, `tail` and `watch` give pages of this size without end, counting them. */
  endless: { pageBytes: number; pages: number } | undefined;
  checks: { name: string; ok: boolean; detail: string }[];
  closedWith: number | undefined;
  readonly data: Map<string, StoredPair>;
}

export function createMemoryNode(): MemoryNode {
  const gate = new Gate();
  const keyValue = new MemoryKeyValue(gate);
  const logs = new MemoryLogs(gate);
  const node: MemoryNode = {
    keyValue,
    logs,
    seen: gate.seen,
    data: keyValue.data,
    endless: undefined,
    checks: [
      { name: 'log', ok: true, detail: 'open' },
      { name: 'groups', ok: true, detail: 'open' },
    ],
    closedWith: undefined,
    failNext(error) {
      gate.failure = { error };
    },
    hold: () => gate.hold(),
    get held() {
      return gate.held;
    },
    status: () => statusOf(keyValue.data.size, keyValue.revision),
    readiness: () => node.checks,
    async checkpoint() {
      await gate.pass();
      return [{ groupId: 1, durableAppliedIndex: 7 }];
    },
    async checksums() {
      return [{ groupId: 1, appliedIndex: 7, checksum: 'c0ffee', entries: 3, logRecords: 2 }];
    },
    async merge(force) {
      await gate.pass();
      return { segmentsMerged: force ? 2 : 0, recordsCopied: 3, bytesBefore: 100, bytesAfter: 40 };
    },
    async close(drainMs) {
      node.closedWith = drainMs;
    },
  };
  gate.node = node;
  return node;
}

class Gate {
  node: MemoryNode | undefined;
  readonly seen: Seen = {};
  failure: { error: unknown } | undefined;
  held = 0;
  #wait: Promise<void> | undefined;

  hold(): () => void {
    let release = () => {};
    this.#wait = new Promise((resolve) => {
      release = () => {
        this.#wait = undefined;
        resolve();
      };
    });
    return release;
  }

  async pass(context?: RequestContext): Promise<void> {
    if (context !== undefined) this.seen.context = context;
    if (this.failure !== undefined) {
      const { error } = this.failure;
      this.failure = undefined;
      throw error;
    }
    if (this.#wait === undefined) return;
    this.held++;
    await Promise.race([this.#wait, aborted(context?.signal)]);
    this.held--;
    if (context?.signal.aborted === true) throw context.signal.reason;
  }

  get endless() {
    return this.node?.endless;
  }
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return new Promise(() => {});
  return signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

class MemoryKeyValue implements KeyValueRequests {
  readonly data = new Map<string, StoredPair>();
  readonly #gate: Gate;
  readonly #events: WatchEvent[] = [];
  #wake: (() => void)[] = [];
  #sessions = 0;
  revision = 0;

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  async openSession(ttlMs: number, context: RequestContext) {
    await this.#gate.pass(context);
    return answered({ sessionId: ++this.#sessions, ttlMs: ttlMs || 3_600_000 });
  }

  async get(key: Uint8Array, read: ReadContext, context: RequestContext) {
    this.#gate.seen.read = read;
    await this.#gate.pass(context);
    return answered(this.data.get(id(key)));
  }

  async *range(request: RangeRequest, read: ReadContext, context: RequestContext): AsyncIterable<Answered<RangePage>> {
    this.#gate.seen.read = read;
    this.#gate.seen.range = request;
    await this.#gate.pass(context);
    while (this.#gate.endless !== undefined && !context.signal.aborted) {
      this.#gate.endless.pages++;
      const value = Buffer.alloc(this.#gate.endless.pageBytes);
      yield answered({ pairs: [{ key: Buffer.from('k'), value, revision: 1, expiresAtMs: 0 }] });
      await undefined;
    }
    yield* this.#pages(request);
  }

  *#pages(request: RangeRequest) {
    const { start, end, prefix, continuation, limit = Number.POSITIVE_INFINITY } = request;
    let pairs = [...this.data.values()].sort((a, b) => Buffer.compare(a.key, b.key));
    pairs = pairs.filter(
      ({ key }) =>
        (start === undefined || Buffer.compare(key, start) >= 0) &&
        (end === undefined || Buffer.compare(key, end) < 0) &&
        (prefix === undefined || Buffer.compare(key.subarray(0, prefix.length), prefix) === 0),
    );
    if (request.reverse === true) pairs.reverse();
    const from = continuation === undefined ? 0 : pairs.findIndex(({ key }) => id(key) === id(continuation)) + 1;
    const wanted = pairs.slice(from, from + limit);
    for (let at = 0; at < Math.max(wanted.length, 1); at += 2) {
      const page = wanted
        .slice(at, at + 2)
        .map((pair) => (request.keysOnly === true ? { ...pair, value: Buffer.alloc(0) } : pair));
      const last = page.at(-1);
      const more = last !== undefined && last.key !== pairs.at(-1)?.key;
      yield answered<RangePage>(more ? { pairs: page, continuation: last.key } : { pairs: page });
    }
  }

  async write(
    request: { kind: string; operations: readonly WriteOperation[]; conditions?: readonly Condition[] },
    write: WriteContext,
    context: RequestContext,
  ) {
    this.#gate.seen.write = write;
    await this.#gate.pass(context);
    for (const condition of request.conditions ?? []) this.#require(condition);
    for (const operation of request.operations) {
      if (operation.key.length === 0) throw new ServerError('INVALID_REQUEST', 'a key has 1 to 65536 bytes, not 0');
    }
    return answered(request.operations.map((operation) => this.#apply(operation)));
  }

  #require(condition: Condition): void {
    const current = this.data.get(id(condition.key));
    const holds =
      condition.type === 'exists'
        ? (current !== undefined) === condition.exists
        : condition.type === 'revision'
          ? (current?.revision ?? 0) === condition.revision
          : current !== undefined && Buffer.compare(current.value, condition.value) === 0;
    if (holds) return;
    const details = { condition: condition.type, key: id(condition.key), revision: current?.revision ?? 0 };
    throw new ServerError('CONFLICT', 'a condition does not hold', { details });
  }

  #apply(operation: WriteOperation): OperationOutcome {
    const name = id(operation.key);
    const current = this.data.get(name);
    if (operation.type !== 'delete' && operation.value.length > 1_000_000) {
      return { ok: false, code: 'INVALID_REQUEST', message: 'the value is too large' };
    }
    const revision = ++this.revision;
    if (operation.type === 'delete') {
      this.data.delete(name);
      this.#changed({ type: 'delete', key: operation.key, value: Buffer.alloc(0), revision, expiresAtMs: 0 });
      return { ok: true, revision, deleted: current !== undefined };
    }
    const value =
      operation.type === 'append'
        ? Buffer.concat([current?.value ?? Buffer.alloc(0), operation.value])
        : operation.value;
    const expiresAtMs = operation.type === 'put' ? (operation.ttlMs ?? 0) : 0;
    this.data.set(name, { key: operation.key, value, revision, expiresAtMs });
    this.#changed({ type: 'put', key: operation.key, value, revision, expiresAtMs });
    return { ok: true, revision, ...(operation.type === 'append' ? { valueBytes: value.length } : {}) };
  }

  #changed(event: WatchEvent): void {
    this.#events.push(event);
    for (const wake of this.#wake.splice(0)) wake();
  }

  async *watch(
    request: { start?: Uint8Array; end?: Uint8Array; position?: Uint8Array },
    context: RequestContext,
  ): AsyncIterable<WatchPage> {
    await this.#gate.pass(context);
    while (this.#gate.endless !== undefined && !context.signal.aborted) {
      this.#gate.endless.pages++;
      const value = Buffer.alloc(this.#gate.endless.pageBytes);
      yield { events: [{ type: 'put', key: Buffer.from('k'), value, revision: 1, expiresAtMs: 0 }], position: token };
      await undefined;
    }
    let at = request.position === undefined ? this.#events.length : Number(Buffer.from(request.position).toString());
    yield { events: [], position: Buffer.from(String(at)) };
    while (!context.signal.aborted) {
      const events = this.#events
        .slice(at)
        .filter(
          ({ key }) =>
            (request.start === undefined || Buffer.compare(key, request.start) >= 0) &&
            (request.end === undefined || Buffer.compare(key, request.end) < 0),
        );
      at = this.#events.length;
      if (events.length > 0) yield { events, position: Buffer.from(String(at)) };
      if (at === this.#events.length) {
        await Promise.race([new Promise<void>((resolve) => void this.#wake.push(resolve)), aborted(context.signal)]);
      }
    }
  }
}

class MemoryLogs implements LogRequests {
  readonly #gate: Gate;
  readonly #logs = new Map<string, { settings: LogSettings; entries: LogEntry[] }>();
  #wake: (() => void)[] = [];

  constructor(gate: Gate) {
    this.#gate = gate;
  }

  async create(name: string, settings: LogSettings, context: RequestContext) {
    await this.#gate.pass(context);
    const found = this.#logs.get(name);
    if (found !== undefined && JSON.stringify(found.settings) !== JSON.stringify(settings)) {
      throw new ServerError('ALREADY_EXISTS', `log '${name}' exists with other settings`);
    }
    if (found === undefined) this.#logs.set(name, { settings, entries: [] });
    return this.#describe(name);
  }

  async list(prefix: string, context: RequestContext) {
    await this.#gate.pass(context);
    return [...this.#logs.keys()].filter((name) => name.startsWith(prefix)).map((name) => this.#describe(name));
  }

  async describe(name: string, context: RequestContext) {
    await this.#gate.pass(context);
    return this.#describe(name);
  }

  async delete(name: string, context: RequestContext) {
    await this.#gate.pass(context);
    this.#log(name);
    this.#logs.delete(name);
  }

  async append(request: LogAppend, context: RequestContext): Promise<LogAppended> {
    await this.#gate.pass(context);
    const { entries } = this.#log(request.log);
    const last = entries.length;
    if (request.expectedLastSequence !== undefined && request.expectedLastSequence !== last) {
      throw new ServerError('CONFLICT', `the last sequence is ${last}`, { details: { lastSequence: last } });
    }
    for (const record of request.records) {
      const { producer } = request;
      entries.push({
        ...record,
        origin: 0,
        epoch: 1,
        sequence: entries.length + 1,
        timeMs: 1_000 + entries.length,
        ...(producer === undefined ? {} : { producer }),
      });
    }
    for (const wake of this.#wake.splice(0)) wake();
    return {
      origin: 0,
      epoch: 1,
      firstSequence: last + 1,
      lastSequence: entries.length,
      timeMs: 1_000,
      duplicate: false,
    };
  }

  async appendPack({ log, records, counts }: LogPack, context: RequestContext): Promise<LogPacked> {
    const ranges = [];
    let at = 0;
    while (at < records.length) {
      const one: LogRecord[] = [];
      for (let left = counts[ranges.length] ?? 1; left > 0; left--) {
        const end = at + 4 + readU32(records, at);
        one.push(readLogRecord(records.subarray(at + 4, end)));
        at = end;
      }
      const { firstSequence, timeMs } = await this.append({ log, records: one }, context);
      ranges.push({ appends: 1, firstSequence, timeMs });
    }
    return { origin: 0, epoch: 1, ranges };
  }

  async read(request: { log: string; start: LogStart; limit: number; maxBytes: number }, context: RequestContext) {
    await this.#gate.pass(context);
    const { entries } = this.#log(request.log);
    const from = startIndex(request.start, entries);
    if (from > entries.length) {
      const details = { firstSequence: 1, lastSequence: entries.length };
      throw new ServerError('OUT_OF_RANGE', 'beyond the end', { details });
    }
    return page(entries, from, entries.slice(from, from + request.limit));
  }

  async *tail(request: { log: string; start: LogStart }, context: RequestContext): AsyncIterable<LogPage> {
    await this.#gate.pass(context);
    const { entries } = this.#log(request.log);
    while (this.#gate.endless !== undefined && !context.signal.aborted) {
      this.#gate.endless.pages++;
      const value = Buffer.alloc(this.#gate.endless.pageBytes);
      const entry = { key: Buffer.alloc(0), value, headers: [], origin: 0, epoch: 1, sequence: 1, timeMs: 1 };
      yield page([], 0, [entry]);
      await undefined;
    }
    let at = startIndex(request.start, entries);
    while (!context.signal.aborted) {
      const next = entries.slice(at, at + 2);
      if (next.length > 0) yield page(entries, at, next);
      at += next.length;
      if (at === entries.length) {
        await Promise.race([new Promise<void>((resolve) => void this.#wake.push(resolve)), aborted(context.signal)]);
      }
    }
  }

  #log(name: string) {
    const log = this.#logs.get(name);
    if (log === undefined) throw new ServerError('NOT_FOUND', `there is no log '${name}'`);
    return log;
  }

  #describe(name: string): LogDescription {
    const { settings, entries } = this.#log(name);
    const origin = { origin: 0, epoch: 1, firstSequence: 1, lastSequence: entries.length, bytes: 10, segments: 1 };
    return { name, logId: 1, settings, createdAtMs: 5, origins: [origin] };
  }
}

function startIndex(start: LogStart, entries: readonly LogEntry[]): number {
  if (start.from === 'end') return entries.length;
  if (start.from === 'time') return entries.filter(({ timeMs }) => timeMs < start.timeMs).length;
  if (start.from === 'last') return Math.max(0, entries.length - start.entries);
  return Math.max(0, start.sequence - 1);
}

function page(all: readonly LogEntry[], from: number, entries: readonly LogEntry[]): LogPage {
  return { entries, nextSequence: from + entries.length + 1, firstSequence: 1, lastSequence: all.length, gaps: [] };
}

function id(key: Uint8Array): string {
  return Buffer.from(key).toString('latin1');
}

function answered<T>(value: T): Answered<T> {
  return { value, token, staleMs: 0 };
}

function statusOf(keys: number, revision: number): NodeStatus {
  const group = {
    role: 'leader' as const,
    leaderNodeId: 1,
    term: 3,
    commitIndex: 9,
    appliedIndex: 9,
    durableAppliedIndex: 7,
    firstIndex: 1,
    lastIndex: 9,
    logTimeMs: 1_700_000_000_000,
    sessions: 2,
  };
  return {
    clusterId: 'c1',
    nodeId: 1,
    nodeName: 'node-1',
    instanceId: 'i1',
    startedAtMs: 1_700_000_000_000,
    groups: [
      { ...group, groupId: 0, revision: 0, slots: 0 },
      { ...group, groupId: 1, revision, slots: 1024 },
    ],
    storage: {
      keys,
      segments: 1,
      liveBytes: 100,
      deadBytes: 25,
      staleRatio: 0.2,
      keyDirectoryBytes: 4096,
      cacheEntries: 4,
      cacheHits: 30,
      cacheMisses: 10,
      durability: 'never',
      mergeState: 'idle',
      lastCheckpointMs: 1_700_000_000_500,
    },
    wal: {
      firstLsn: 1,
      lastLsn: 20,
      durableLsn: 20,
      segments: 1,
      bytes: 1 << 20,
      durability: 'always',
      lastSyncMs: 0.4,
      syncs: 12,
    },
  };
}
