import type { Clock } from '@shanghai/env';
import {
  type Condition,
  type KeyValuePair,
  type OperationResult,
  type RangeRequest,
  type RangeResponse,
  type ResponseHeader,
  type WatchEvent,
  WatchEvent_Type,
  type WatchRequest,
  type WatchResponse,
  type WriteOperation,
} from '@shanghai/proto';
import { refusal } from './memory-error.js';
import { WakeUp } from './wake-up.js';

interface StoredValue {
  readonly value: Buffer;
  readonly revision: bigint;
  readonly expiresAtMs: bigint;
}

/** Pairs of one page of a range. */
const pagePairs = 100;

const nothing = Buffer.alloc(0);

/**
 * The key-value plane in memory: one group, revisions, expiry by the clock, conditions, watches that keep every change.
 * Keys are held as Latin-1 strings, whose order is that of the bytes.
 */
export class MemoryKeyValue {
  readonly #clock: Clock;
  readonly #keyspaces = new Map<string, Map<string, StoredValue>>();
  readonly #changes: { readonly keyspace: string; readonly event: WatchEvent }[] = [];
  readonly #news = new WakeUp();
  #revision = 0n;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Writes applied so far. */
  get revision(): number {
    return Number(this.#revision);
  }

  /** Changes that a watch could give so far. */
  get changes(): number {
    return this.#changes.length;
  }

  /** What an answer says beside its result. */
  header(): ResponseHeader {
    const token = Buffer.alloc(8);
    token.writeBigUInt64BE(this.#revision);
    return { token, staleMs: 0n };
  }

  /** Live keys of all keyspaces. */
  get keys(): number {
    return [...this.#keyspaces.keys()].reduce((sum, name) => sum + this.#liveKeys(name).length, 0);
  }

  /** The live value of a key. */
  get(keyspace: string, key: Buffer): StoredValue | undefined {
    const stored = this.#keyspaces.get(keyspace)?.get(key.toString('latin1'));
    if (stored === undefined) return undefined;
    const expired = stored.expiresAtMs !== 0n && stored.expiresAtMs <= BigInt(this.#clock.nowMs());
    return expired ? undefined : stored;
  }

  /** Applies operations one after the other. */
  write(keyspace: string, operations: readonly WriteOperation[]): OperationResult[] {
    return operations.map((operation) => this.#apply(keyspace, operation));
  }

  /** Applies operations if every condition holds, else refuses with `CONFLICT`. */
  transact(
    keyspace: string,
    conditions: readonly Condition[],
    operations: readonly WriteOperation[],
  ): OperationResult[] {
    conditions.forEach((condition, index) => {
      const stored = this.get(keyspace, condition.key);
      if (holds(condition, stored)) return;
      throw refusal('CONFLICT', `condition ${index} does not hold`, {
        condition: index,
        key: condition.key.toString('utf8'),
        revision: Number(stored?.revision ?? 0n),
      });
    });
    return this.write(keyspace, operations);
  }

  /** Pages of a range; each is read when it is asked for. */
  *range(request: RangeRequest): Generator<RangeResponse> {
    const keyspace = request.options?.keyspace ?? '';
    const { reverse, keysOnly } = request;
    let left = request.limit === 0n ? Number.POSITIVE_INFINITY : Number(request.limit);
    let last: string | undefined;
    for (;;) {
      const rest = this.#liveKeys(keyspace)
        .filter((key) => within(key, request) && (last === undefined || (reverse ? key < last : key > last)))
        .sort((a, b) => (a < b === reverse ? 1 : -1));
      const keys = rest.slice(0, Math.min(pagePairs, left));
      left -= keys.length;
      last = keys.at(-1) ?? last;
      const more = left > 0 && rest.length > keys.length;
      const pairs = keys.map((key) => this.#pair(keyspace, key, keysOnly));
      yield { header: this.header(), pairs, continuation: more ? Buffer.from(last ?? '', 'latin1') : nothing };
      if (!more) return;
    }
  }

  /** Changes after a position, and then what comes, until the signal aborts. The first page comes at once. */
  async *watch(request: WatchRequest, signal: AbortSignal): AsyncGenerator<WatchResponse, void, undefined> {
    let at = request.position.length === 0 ? this.#changes.length : Number(request.position.readBigUInt64BE());
    if (at > this.#changes.length) throw refusal('OUT_OF_RANGE', 'the position is not yet there');
    while (!signal.aborted) {
      const events = this.#changes
        .slice(at)
        .filter(({ keyspace, event }) => keyspace === request.keyspace && watched(event, request))
        .map(({ event }) => (request.keysOnly ? { ...event, value: nothing } : event));
      at = this.#changes.length;
      const position = Buffer.alloc(8);
      position.writeBigUInt64BE(BigInt(at));
      yield { events, position };
      if (at === this.#changes.length) await this.#news.wait(signal);
    }
  }

  #apply(keyspace: string, { operation }: WriteOperation): OperationResult {
    if (operation === undefined) throw refusal('INVALID_REQUEST', 'an operation without kind');
    const { key } = operation.value;
    if (key.length === 0) throw refusal('INVALID_REQUEST', 'an empty key');
    const before = this.get(keyspace, key);
    const revision = ++this.#revision;
    const result = { error: undefined, revision, deleted: false, valueBytes: 0n };
    switch (operation.$case) {
      case 'put': {
        const { value, ttlMs } = operation.value;
        this.#set(keyspace, key, {
          value,
          revision,
          expiresAtMs: ttlMs === 0n ? 0n : BigInt(this.#clock.nowMs()) + ttlMs,
        });
        return result;
      }
      case 'append': {
        const value = Buffer.concat([before?.value ?? nothing, operation.value.value]);
        this.#set(keyspace, key, { value, revision, expiresAtMs: before?.expiresAtMs ?? 0n });
        return { ...result, valueBytes: BigInt(value.length) };
      }
      case 'delete': {
        this.#keyspaces.get(keyspace)?.delete(key.toString('latin1'));
        if (before !== undefined) this.#changed(keyspace, WatchEvent_Type.TYPE_DELETE, key, nothing, revision, 0n);
        return { ...result, deleted: before !== undefined };
      }
    }
  }

  #set(keyspace: string, key: Buffer, stored: StoredValue): void {
    let keys = this.#keyspaces.get(keyspace);
    if (keys === undefined) {
      keys = new Map();
      this.#keyspaces.set(keyspace, keys);
    }
    keys.set(key.toString('latin1'), { ...stored, value: Buffer.from(stored.value) });
    this.#changed(keyspace, WatchEvent_Type.TYPE_PUT, key, stored.value, stored.revision, stored.expiresAtMs);
  }

  #changed(
    keyspace: string,
    type: WatchEvent_Type,
    key: Buffer,
    value: Buffer,
    revision: bigint,
    expiresAtMs: bigint,
  ): void {
    const event = { type, key: Buffer.from(key), value: Buffer.from(value), revision, expiresAtMs };
    this.#changes.push({ keyspace, event });
    this.#news.notify();
  }

  #liveKeys(keyspace: string): string[] {
    const keys = [...(this.#keyspaces.get(keyspace)?.keys() ?? [])];
    return keys.filter((key) => this.get(keyspace, Buffer.from(key, 'latin1')) !== undefined);
  }

  #pair(keyspace: string, latin1: string, keysOnly: boolean): KeyValuePair {
    const key = Buffer.from(latin1, 'latin1');
    const { value, revision, expiresAtMs } = this.get(keyspace, key) as StoredValue;
    return { key, value: keysOnly ? nothing : Buffer.from(value), revision, expiresAtMs };
  }
}

function holds(condition: Condition, stored: StoredValue | undefined): boolean {
  switch (condition.requirement?.$case) {
    case 'exists':
      return (stored !== undefined) === condition.requirement.value;
    case 'revision':
      return (stored?.revision ?? 0n) === condition.requirement.value;
    case 'value':
      return stored?.value.equals(condition.requirement.value) ?? false;
    case undefined:
      throw refusal('INVALID_REQUEST', 'a condition without requirement');
  }
}

function within(key: string, { start, end, prefix }: { start: Buffer; end: Buffer; prefix: Buffer }): boolean {
  const fromStart = key >= start.toString('latin1');
  const beforeEnd = end.length === 0 || key < end.toString('latin1');
  return fromStart && beforeEnd && key.startsWith(prefix.toString('latin1'));
}

function watched({ key }: WatchEvent, { target }: WatchRequest): boolean {
  switch (target?.$case) {
    case 'key':
      return key.equals(target.value);
    case 'prefix':
      return key.toString('latin1').startsWith(target.value.toString('latin1'));
    case 'range':
      return within(key.toString('latin1'), { ...target.value, prefix: nothing });
    case undefined:
      return true;
  }
}
