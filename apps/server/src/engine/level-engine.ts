/**
 * The engine on LevelDB (`classic-level`): keys in files in their order, no directory of keys in memory. For states
 * whose keys do not fit memory, and as proof that the engine is a seam.
 *
 * LevelDB's own promises are weaker than this contract, in three places that are mended here. It does not sync a log
 * before it begins the next one; so logs change only under this engine's hand (`#flush`), which syncs first: its write
 * buffer is never filled by more than half. It skips unreadable records of a log; so logs are settled before it opens
 * them (`level-log.ts`). It does not check its blocks on reads; so tables are checked at the start (`level-tables.ts`),
 * and every value carries a checksum.
 *
 * A write that fails poisons the engine: LevelDB may have left half a record behind which it would write on.
 */
import { CodedError } from '@shanghai/env';
import type { ClassicLevel } from 'classic-level';
import { EngineError } from './engine-error.js';
import type { EngineOptions } from './engine-options.js';
import { levelError } from './level-errors.js';
import { LevelFiles } from './level-files.js';
import { exportLevel, iterateLevel } from './level-iteration.js';
import { decodeLevelValue, encodeLevelMeta, encodeLevelValue, type LevelMeta, levelMetaKey } from './level-record.js';
import { LevelSnapshot } from './level-snapshot.js';
import type {
  EngineEntry,
  EngineExport,
  EngineMerge,
  EngineOperation,
  EngineRangeOptions,
  EngineReadOptions,
  EngineSnapshot,
  EngineStats,
  StorageEngine,
} from './storage-engine.js';

/** LevelDB as this engine uses it. */
export type LevelDatabase = ClassicLevel<Uint8Array, Uint8Array>;

/** LevelDB's write buffer. */
export const writeBufferBytes = 32 * 1024 * 1024;
/** Counted generously (`memoryOf`), so that LevelDB never finds its buffer full. */
const flushAtBytes = writeBufferBytes / 2;
/** Expired entries are removed so many at a time. */
const sweepEntries = 256;
/** A checkpoint looks for expired entries when so many were put that can expire, and a quarter of all keys. */
const sweepAfterPuts = 10_000;

/** A batch on its way: encoded, so that the caller's buffers are free. */
interface LevelBatch {
  readonly operations: ({ type: 'put'; key: Uint8Array; value: Uint8Array } | { type: 'del'; key: Uint8Array })[];
  readonly bytes: number;
  readonly lastSequence: number;
}

/** The engine over an open database. `meta` is what that holds. */
export class LevelEngine implements StorageEngine {
  readonly name = 'level';
  readonly #options: EngineOptions;
  readonly #db: LevelDatabase;
  readonly #files: LevelFiles;
  readonly #keysByFirstByte: Float64Array;
  /** Given out. */
  #assigned: number;
  /** Written and visible. */
  #visible: number;
  #waitingBytes = 0;
  /** Of LevelDB's write buffer, at most. */
  #bufferBytes = 0;
  #last: Promise<unknown> = Promise.resolve();
  #merging = 0;
  /** Puts that can expire, since expired ones were last looked for. */
  #expiringPuts = 0;
  #sweeping: Promise<void> = Promise.resolve();
  readonly #stop = new AbortController();
  #failure: EngineError | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: EngineOptions, db: LevelDatabase, { sequence, keysByFirstByte }: LevelMeta) {
    this.#options = options;
    this.#db = db;
    this.#files = new LevelFiles(options.disk, options.clock, options.directory);
    this.#keysByFirstByte = keysByFirstByte;
    this.#assigned = sequence;
    this.#visible = sequence;
  }

  async getEntry(key: Uint8Array, options?: EngineReadOptions): Promise<EngineEntry | undefined> {
    this.#assertOpen();
    return this.#live(key, await this.#typed(this.#db.get(key)), options);
  }

  getEntrySync(key: Uint8Array, options?: EngineReadOptions): EngineEntry | undefined {
    this.#assertOpen();
    try {
      return this.#live(key, this.#db.getSync(key), options);
    } catch (error) {
      throw levelError(this.#options.directory, error);
    }
  }

  has(key: Uint8Array, options?: EngineReadOptions): boolean {
    return this.getEntrySync(key, options) !== undefined;
  }

  range(options: EngineRangeOptions = {}): AsyncIterable<EngineEntry> {
    const { limit } = options;
    if (limit !== undefined && (Number.isNaN(limit) || limit < 0))
      throw new RangeError(`limit must be ≥ 0, not ${limit}`);
    this.#assertOpen();
    const horizonMs = this.#horizon(options);
    return this.#typedEntries(() => iterateLevel(this.#db, { ...options, horizonMs }));
  }

  async batch(operations: readonly EngineOperation[]): Promise<{ readonly sequence: number }> {
    this.#assertWritable();
    const batch = this.#prepare(operations);
    this.#waitingBytes += batch.bytes;
    await this.#inTurn(() => this.#write(batch)).finally(() => {
      this.#waitingBytes -= batch.bytes;
    });
    return { sequence: batch.lastSequence };
  }

  async checkpoint(): Promise<{ readonly durableSequence: number }> {
    this.#assertWritable();
    // Between two batches the log ends with a whole record.
    const state = await this.#inTurn(() => this.#files.state(this.#visible));
    try {
      await this.#files.makeDurable(state);
    } catch (error) {
      throw this.#poison(error);
    }
    this.#sweepWhereDue();
    return { durableSequence: this.#files.durableSequence };
  }

  /** Removes what has expired. `force`: also gives back the space of everything overwritten; writes wait for that. */
  async merge(options: { readonly force?: boolean; readonly signal?: AbortSignal } = {}): Promise<EngineMerge> {
    this.#assertWritable();
    this.#merging++;
    try {
      const bytesBefore = this.#files.tableBytes;
      const segmentsMerged = options.force === true ? this.#files.tables : 0;
      await this.#sweep(options.signal);
      if (options.force === true) await this.#inTurn(() => this.#flush(new Uint8Array(0)));
      await this.#files.measure();
      return { segmentsMerged, recordsCopied: 0, bytesBefore, bytesAfter: this.#files.tableBytes };
    } finally {
      this.#merging--;
    }
  }

  async exportEntries(options: { readonly signal?: AbortSignal } = {}): Promise<EngineExport> {
    this.#assertOpen();
    const { sequence, entries } = await this.#typed(exportLevel(this.#db, options.signal));
    return { sequence, entries: this.#typedEntries(() => entries) };
  }

  async snapshot(directory: string): Promise<EngineSnapshot> {
    this.#assertOpen();
    const stop = new AbortController();
    // LevelDB reads from the moment of the call on; the entries follow when they are asked for.
    const content = await this.exportEntries({ signal: stop.signal });
    return new LevelSnapshot(this.#options.disk, directory, content, stop);
  }

  /** Puts entries in as they are, with their sequences. Only while nobody else writes; durable after the next checkpoint. */
  async load(entries: readonly EngineEntry[], sequence: number): Promise<void> {
    const operations = entries.map((entry) => {
      const key = Uint8Array.from(entry.key);
      return { type: 'put' as const, key, value: encodeLevelValue(key, entry) };
    });
    await this.#inTurn(() => this.#write({ operations, bytes: 0, lastSequence: sequence }));
    this.#assigned = sequence;
  }

  stats(): EngineStats {
    return {
      keysByFirstByte: this.#keysByFirstByte.slice(),
      segments: this.#files.tables,
      liveBytes: this.#files.tableBytes,
      deadBytes: 0,
      keydirBytes: 0,
      lastSequence: this.#visible,
      durableSequence: this.#files.durableSequence,
      durability: 'never',
      lastCheckpointMs: this.#files.lastCheckpointMs,
      cache: { entries: 0, hits: 0, misses: 0 },
      merge: { state: this.#merging > 0 ? 'running' : 'idle' },
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #prepare(operations: readonly EngineOperation[]): LevelBatch {
    const { maxKeyBytes, maxValueBytes, maxQueuedBytes } = this.#options;
    if (operations.length === 0) throw new RangeError('a batch must hold at least one operation');
    let bytes = 0;
    for (const operation of operations) {
      const valueBytes = operation.type === 'put' ? operation.value.length : 0;
      if (operation.key.length < 1 || operation.key.length > maxKeyBytes)
        throw new RangeError(`a key must have from 1 to ${maxKeyBytes} bytes, not ${operation.key.length}`);
      if (valueBytes > maxValueBytes)
        throw new RangeError(`a value must have at most ${maxValueBytes} bytes, not ${valueBytes}`);
      bytes += operation.key.length + valueBytes;
    }
    if (this.#waitingBytes > 0 && this.#waitingBytes + bytes > maxQueuedBytes)
      throw new EngineError('QUEUE_FULL', `${this.#waitingBytes} bytes wait for '${this.#options.directory}'; wait`);
    const encoded = operations.map((operation) => this.#encode(operation));
    return { operations: encoded, bytes, lastSequence: this.#assigned };
  }

  #encode(operation: EngineOperation): LevelBatch['operations'][number] {
    const sequence = ++this.#assigned;
    const key = Uint8Array.from(operation.key);
    if (operation.type === 'delete') return { type: 'del', key };
    const { value, expiresAtMs = 0 } = operation;
    if (expiresAtMs !== 0) this.#expiringPuts++;
    return { type: 'put', key, value: encodeLevelValue(key, { value, sequence, expiresAtMs }) };
  }

  async #write({ operations, lastSequence }: LevelBatch): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#bufferBytes >= flushAtBytes) await this.#flush(undefined);
    try {
      const counts = await this.#countsAfter(operations);
      const meta = encodeLevelMeta({ sequence: lastSequence, keysByFirstByte: counts });
      this.#bufferBytes += memoryOf(operations) + 2 * meta.length + entryOverheadBytes;
      await this.#db.batch([...operations, { type: 'put', key: levelMetaKey, value: meta }]);
      this.#keysByFirstByte.set(counts);
      this.#visible = lastSequence;
    } catch (error) {
      throw this.#poison(error);
    }
  }

  /** How many keys begin with each byte once these operations are written. */
  async #countsAfter(operations: LevelBatch['operations']): Promise<Float64Array> {
    const counts = this.#keysByFirstByte.slice();
    const newest = new Map(operations.map((operation) => [Buffer.from(operation.key).toString('latin1'), operation]));
    const touched = [...newest.values()];
    const known = await this.#db.hasMany(touched.map(({ key }) => key));
    for (const [i, { type, key }] of touched.entries()) {
      const first = key[0] as number;
      counts[first] = (counts[first] as number) + (type === 'put' ? 1 : 0) - (known[i] === true ? 1 : 0);
    }
    return counts;
  }

  /** Empties the write buffer into a table, the log synced before it is given up. `from`: also compacts everything from there on. */
  async #flush(from: Uint8Array | undefined): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const beyond = new Uint8Array(8).fill(0xff);
    try {
      await this.#files.syncLogs();
      await this.#db.compactRange(from ?? beyond, beyond);
      this.#bufferBytes = 0;
    } catch (error) {
      throw this.#poison(error);
    }
  }

  /** In the background; a failure of it has poisoned the engine or is met by the next read. */
  #sweepWhereDue(): void {
    const keys = this.#keysByFirstByte.reduce((sum, count) => sum + count, 0);
    if (this.#expiringPuts < Math.max(sweepAfterPuts, keys / 4)) return;
    this.#expiringPuts = 0;
    this.#sweeping = this.#sweeping.then(() => this.#sweep(this.#stop.signal)).catch(() => undefined);
  }

  async #sweep(signal: AbortSignal | undefined): Promise<void> {
    const horizonMs = this.#options.horizon();
    let expired: Uint8Array[] = [];
    const remove = async (keys: readonly Uint8Array[]) => {
      if (keys.length > 0) await this.#inTurn(() => this.#removeExpired(keys, horizonMs));
    };
    for await (const { key, expiresAtMs } of iterateLevel(this.#db, { horizonMs: 0, ...(signal && { signal }) })) {
      if (expiresAtMs === 0 || expiresAtMs > horizonMs) continue;
      expired.push(key);
      if (expired.length < sweepEntries) continue;
      await remove(expired);
      expired = [];
    }
    await remove(expired);
  }

  /** Only those that nobody has written anew. Takes no sequence: to readers nothing changes. */
  async #removeExpired(keys: readonly Uint8Array[], horizonMs: number): Promise<void> {
    const values = await this.#db.getMany([...keys]);
    const due = keys.filter((key, i) => {
      const stored = values[i];
      if (stored === undefined) return false;
      const { expiresAtMs } = decodeLevelValue(key, stored);
      return expiresAtMs !== 0 && expiresAtMs <= horizonMs;
    });
    if (due.length === 0) return;
    await this.#write({ operations: due.map((key) => ({ type: 'del', key })), bytes: 0, lastSequence: this.#visible });
  }

  /** One after the other, in the order of the calls. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  #live(
    key: Uint8Array,
    stored: Uint8Array | undefined,
    options: EngineReadOptions | undefined,
  ): EngineEntry | undefined {
    if (stored === undefined) return undefined;
    const { value, sequence, expiresAtMs } = decodeLevelValue(key, stored);
    if (expiresAtMs !== 0 && expiresAtMs <= this.#horizon(options)) return undefined;
    return { key: Uint8Array.from(key), value, sequence, expiresAtMs };
  }

  #horizon(options: EngineReadOptions | undefined): number {
    return options?.horizonMs ?? this.#options.horizon();
  }

  async #typed<Result>(promise: Promise<Result>): Promise<Result> {
    try {
      return await promise;
    } catch (error) {
      throw levelError(this.#options.directory, error);
    }
  }

  async *#typedEntries(begin: () => AsyncIterable<EngineEntry>): AsyncGenerator<EngineEntry, void, undefined> {
    try {
      this.#assertOpen();
      yield* begin();
    } catch (error) {
      throw levelError(this.#options.directory, error);
    }
  }

  #poison(error: unknown): Error {
    const cause = levelError(this.#options.directory, error);
    this.#failure ??= new EngineError(
      'POISONED',
      `an earlier write to '${this.#options.directory}' failed (${String(cause)}); start again`,
      { cause: error },
    );
    return cause instanceof CodedError ? cause : this.#failure;
  }

  #assertOpen(): void {
    if (this.#closing !== undefined)
      throw new EngineError('CLOSED', `the store in '${this.#options.directory}' is closed`);
  }

  #assertWritable(): void {
    this.#assertOpen();
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #close(): Promise<void> {
    this.#stop.abort(new EngineError('CLOSED', `the store in '${this.#options.directory}' is closed`));
    await this.#sweeping;
    await this.#last;
    try {
      if (this.#failure === undefined) await this.#files.makeDurable(await this.#files.state(this.#visible));
    } finally {
      await this.#typed(this.#db.close());
    }
  }
}

/** An entry of LevelDB's write buffer beside key and value, what its memory blocks leave unused included. */
const entryOverheadBytes = 256;

function memoryOf(operations: LevelBatch['operations']): number {
  let bytes = 0;
  for (const operation of operations) {
    bytes += entryOverheadBytes + 2 * (operation.key.length + (operation.type === 'put' ? operation.value.length : 0));
  }
  return bytes;
}
