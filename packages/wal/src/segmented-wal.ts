/** The log as its users see it: checks what it is given and hands it to the part whose business it is. */
import type { DirectoryLock } from '@shanghai/env';
import { maxFrameBytes } from './core/frame.js';
import { recordHeaderBytes } from './core/record.js';
import { measureRun, runPayloadBytes } from './core/record-run.js';
import type { LogState } from './log-state.js';
import { LogReader } from './read/log-reader.js';
import { SegmentFiles } from './read/segment-files.js';
import { tailRecords } from './read/tail-records.js';
import type { RecoveredLog } from './recovery/recover-log.js';
import type { ResolvedWalOptions } from './resolve-wal-options.js';
import { SegmentReleaser } from './retention/segment-releaser.js';
import type {
  AppendOptions,
  BlockRange,
  Lsn,
  SegmentPin,
  StragglerOptions,
  StragglerReport,
  TailRange,
  Wal,
  WalBlock,
  WalEntry,
  WalInfo,
  WalRange,
  WalRecord,
} from './wal.js';
import { WalError } from './wal-error.js';
import { closedError, ioError, poisonedError } from './wal-failures.js';
import { GroupCommit } from './write/group-commit.js';
import type { SegmentMaker } from './write/segment-maker.js';
import { SegmentWriter } from './write/segment-writer.js';

/** What an open log is made of. */
export interface SegmentedWalParts {
  readonly options: ResolvedWalOptions;
  readonly state: LogState;
  readonly maker: SegmentMaker;
  readonly recovered: RecoveredLog;
  readonly lock: DirectoryLock | undefined;
}

/** The one implementation of `Wal`. */
export class SegmentedWal implements Wal {
  readonly #options: ResolvedWalOptions;
  readonly #state: LogState;
  readonly #maker: SegmentMaker;
  readonly #lock: DirectoryLock | undefined;
  readonly #recovered: RecoveredLog;
  readonly #files: SegmentFiles;
  readonly #reader: LogReader;
  readonly #releaser: SegmentReleaser;
  readonly #writer: SegmentWriter;
  readonly #commit: GroupCommit;
  #closing: Promise<void> | undefined;

  constructor({ options, state, maker, recovered, lock }: SegmentedWalParts) {
    this.#options = options;
    this.#state = state;
    this.#maker = maker;
    this.#lock = lock;
    this.#recovered = recovered;
    this.#files = new SegmentFiles(options.disk, state, () => this.#releaser.kick());
    this.#reader = new LogReader(state, this.#files);
    const onSyncFailed = (error: unknown) => this.#commit.poison(error);
    this.#releaser = new SegmentReleaser({ state, options, files: this.#files, maker, onSyncFailed });
    this.#writer = new SegmentWriter(state, options, maker, recovered.file, () => this.#releaser.kick());
    this.#commit = new GroupCommit(state, options, this.#writer);
    // Limits may have been exceeded, and replaced streams left behind, while nobody had the log open.
    const { retainBytes, retainMs } = options;
    if (retainBytes !== undefined || retainMs !== undefined || state.replaced.size > 0) this.#releaser.kick();
  }

  append(payload: Uint8Array, options?: AppendOptions): Promise<Lsn> {
    const stream = options?.stream ?? 0;
    const kind = options?.kind ?? 0;
    const refusal = this.#refusal() ?? this.#refusalOf(payload, stream, kind);
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#commit.append(payload, stream, kind);
  }

  appendBatch(records: readonly WalRecord[]): Promise<Lsn> {
    let refusal = this.#refusal();
    if (records.length === 0) refusal ??= new RangeError('a batch needs at least one record');
    refusal ??= this.#refusalOfAll(records);
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#commit.appendBatch(records, payloadBytesOf(records));
  }

  appendRun(run: Uint8Array, count: number, options?: AppendOptions): Promise<Lsn> {
    const stream = options?.stream ?? 0;
    const kind = options?.kind ?? 0;
    const refusal = this.#refusal() ?? this.#refusalOf(noBytes, stream, kind) ?? this.#refusalOfRun(run, count);
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#commit.appendRun({ bytes: run, count, stream, kind });
  }

  rewriteStream(stream: number, records: readonly Omit<WalRecord, 'stream'>[]): Promise<Lsn> {
    const refusal = this.#refusal() ?? (isUint32(stream) ? this.#refusalOfAll(records, stream) : streamError(stream));
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#commit.replaceStream(stream, records, payloadBytesOf(records));
  }

  flush(): Promise<void> {
    const refusal = this.#refusal();
    return refusal === undefined ? this.#commit.flush() : Promise.reject(refusal);
  }

  async read(lsn: Lsn): Promise<WalEntry | undefined> {
    checkLsn('lsn', lsn, 1);
    if (this.#closing !== undefined) throw closedError();
    return await this.#reader.read(lsn);
  }

  entries(range: WalRange = {}): AsyncIterable<WalEntry> {
    const from = checkLsn('from', range.from ?? this.#state.firstLsn, 1);
    const to = Math.min(checkLsn('to', range.to ?? Number.MAX_SAFE_INTEGER, 0), this.#state.readableLsn + 1);
    if (this.#closing !== undefined) throw closedError();
    return this.#reader.records(from, to, range);
  }

  async block(range: BlockRange): Promise<WalBlock | undefined> {
    const from = checkLsn('from', range.from, 1);
    const to = Math.min(checkLsn('to', range.to ?? Number.MAX_SAFE_INTEGER, 0), this.#state.readableLsn + 1);
    if (this.#closing !== undefined) throw closedError();
    if (this.#state.replaced.highest > from) throw new TypeError('records were replaced here; use entries()');
    return from < to ? await this.#reader.block(from, to, range) : undefined;
  }

  tail(range: TailRange = {}): AsyncIterable<WalEntry> {
    const from = checkLsn('from', range.from ?? this.#state.firstLsn, 1);
    if (this.#closing !== undefined) throw closedError();
    return tailRecords(this.#state, this.#reader, from, range);
  }

  async lsnAtTime(wallTimeMs: number): Promise<Lsn> {
    if (this.#closing !== undefined) throw closedError();
    return await this.#reader.lsnAtTime(wallTimeMs);
  }

  release(stream: number, lsn: Lsn): void {
    checkStream(stream);
    this.#releaser.release(stream, checkLsn('lsn', lsn, 0));
  }

  async trim(lsn: Lsn): Promise<Lsn> {
    checkLsn('lsn', lsn, 0);
    const refusal = this.#refusal();
    if (refusal !== undefined) throw refusal;
    await this.#releaser.trim(lsn);
    return this.#state.firstLsn;
  }

  stragglers(options: StragglerOptions = {}): StragglerReport {
    return this.#releaser.stragglers(options);
  }

  pins(): readonly SegmentPin[] {
    return this.#releaser.pins();
  }

  info(): WalInfo {
    const { directory, logId, durability, failure, closed, firstLsn, writtenLsn, durableLsn, segments } = this.#state;
    return {
      directory,
      logId,
      durability,
      state: closed || this.#closing !== undefined ? 'closed' : failure === undefined ? 'open' : 'poisoned',
      firstLsn,
      lastLsn: writtenLsn,
      durableLsn,
      segments: segments.length,
      bytes: segments.reduce((sum, segment) => sum + segment.fileBytes, 0),
      ...this.#commit.counters,
      compression: { ...this.#writer.compression },
      tornTail: this.#recovered.tornTail,
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    try {
      await this.#commit.close();
    } finally {
      this.#state.closed = true;
      this.#state.changed();
      await this.#releaser.close();
      await this.#maker.close();
      await this.#files.close();
      await this.#writer.close().catch((error) => {
        throw ioError('closing the active segment', error);
      });
      await this.#lock?.release();
    }
  }

  #refusal(): Error | undefined {
    if (this.#closing !== undefined) return closedError();
    return this.#state.failure === undefined ? undefined : poisonedError(this.#state.failure);
  }

  /** Of records that go into one frame. `stream` takes the place of theirs. */
  #refusalOfAll(records: readonly WalRecord[], stream?: number): Error | undefined {
    let bytes = 0;
    for (const record of records) {
      const refusal = this.#refusalOf(record.payload, stream ?? record.stream ?? 0, record.kind ?? 0);
      if (refusal !== undefined) return refusal;
      bytes += record.payload.length + recordHeaderBytes;
    }
    return bytes > maxFrameBytes - 64 ? tooLarge('the batch', bytes, maxFrameBytes) : undefined;
  }

  #refusalOfRun(run: Uint8Array, count: number): Error | undefined {
    if (!(run instanceof Uint8Array)) return new TypeError('the run must be a Uint8Array');
    const { longest, fits } = measureRun(run, count);
    if (!fits) return new RangeError(`${run.length} bytes are no run of ${count} records, each behind its length`);
    if (longest > this.#options.maxRecordBytes) return tooLarge('a record', longest, this.#options.maxRecordBytes);
    const bytes = runPayloadBytes(run, count) + count * recordHeaderBytes;
    return bytes > maxFrameBytes - 64 ? tooLarge('the run', bytes, maxFrameBytes) : undefined;
  }

  #refusalOf(payload: Uint8Array, stream: number, kind: number): Error | undefined {
    if (!(payload instanceof Uint8Array)) return new TypeError('payload must be a Uint8Array');
    if (payload.length > this.#options.maxRecordBytes) {
      return tooLarge('the record', payload.length, this.#options.maxRecordBytes);
    }
    if (stream !== 0 && !isUint32(stream)) return streamError(stream);
    if (kind !== 0 && !(Number.isInteger(kind) && kind > 0 && kind < 256)) {
      return new RangeError(`kind must be an integer in [0, 255], got ${kind}`);
    }
    return undefined;
  }
}

const noBytes = new Uint8Array(0);

function payloadBytesOf(records: readonly WalRecord[]): number {
  let bytes = 0;
  for (const { payload } of records) bytes += payload.length;
  return bytes;
}

function tooLarge(what: string, bytes: number, limit: number): WalError {
  const message = `${what} has ${bytes} bytes, at most ${limit} may be appended; split it or raise maxRecordBytes`;
  return new WalError('RECORD_TOO_LARGE', message, { details: { bytes, limit } });
}

function isUint32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 4_294_967_296;
}

function checkStream(stream: number): void {
  if (!isUint32(stream)) throw streamError(stream);
}

function streamError(stream: number): RangeError {
  return new RangeError(`stream must be an integer in [0, 2^32), got ${stream}`);
}

function checkLsn(name: string, lsn: Lsn, least: number): Lsn {
  if (!Number.isSafeInteger(lsn) || lsn < least) {
    throw new RangeError(`${name} must be an integer of at least ${least}, got ${lsn}`);
  }
  return lsn;
}
