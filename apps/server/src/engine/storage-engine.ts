/**
 * What a group's state asks of the store below it, whatever that store is. One place where several can be plugged in:
 * `bitcask-engine.ts` (the default) and `level-engine.ts`. `test/engine-contract.ts` is the contract as a suite; every
 * engine passes all of it.
 *
 * Durability, for every engine: a batch is there as a whole or not at all, also after a crash. Batches are not synced;
 * what a crash leaves is a prefix of their order that holds all up to the last completed `checkpoint` (and all of
 * them, if only the process died). The state writes its applied index with each batch, so what is recovered says how
 * far it goes.
 */
export interface StorageEngine {
  readonly name: EngineName;
  /** The live entry, in buffers of the caller's own, or `undefined`. */
  getEntry(key: Uint8Array, options?: EngineReadOptions): Promise<EngineEntry | undefined>;
  /** `getEntry` blocking the thread. */
  getEntrySync(key: Uint8Array, options?: EngineReadOptions): EngineEntry | undefined;
  has(key: Uint8Array, options?: EngineReadOptions): boolean;
  /** Live entries in bytewise order of keys, as they were at the first `next`; writes go on meanwhile. */
  range(options?: EngineRangeOptions): AsyncIterable<EngineEntry>;
  /**
   * Writes all of it or nothing; visible, all at once, when it resolves or just before. Calls take effect in their
   * order. Not empty. Buffers are the caller's again when the call has returned. Resolves to the last operation's sequence.
   */
  batch(operations: readonly EngineOperation[]): Promise<{ readonly sequence: number }>;
  /** Makes durable what completed before the call. */
  checkpoint(): Promise<{ readonly durableSequence: number }>;
  /** Gives back space of what is dead by the horizon; `force`: all that can be given back. */
  merge(options?: { readonly force?: boolean; readonly signal?: AbortSignal }): Promise<EngineMerge>;
  /** Everything at one sequence, expired entries too: what a snapshot of the state is made from. */
  exportEntries(options?: { readonly signal?: AbortSignal }): Promise<EngineExport>;
  /**
   * Begins to put everything that was written before the call, and nothing behind it, into `directory`, which is absent or
   * empty: files of which `openEngine` makes a store of its own there, as they are or on another machine. Resolves when
   * later writes can change it no more; what takes long is left to `finish`.
   */
  snapshot(directory: string): Promise<EngineSnapshot>;
  stats(): EngineStats;
  /** Waits for what is in flight, makes it durable. Idempotent. */
  close(): Promise<void>;
}

/** The engines there are; recorded in the data directory. */
export const engineNames = ['bitcask', 'level'] as const;
/** Name of an engine. */
export type EngineName = (typeof engineNames)[number];

/** `horizonMs`: entries with `expiresAtMs` at or before it are gone. Default: what the engine was opened with. */
export interface EngineReadOptions {
  readonly horizonMs?: number;
}

/** A live entry. */
export interface EngineEntry {
  readonly key: Uint8Array;
  /** Empty with `keysOnly`. */
  readonly value: Uint8Array;
  /** The operation that wrote it: its place in the engine's order, from 1. */
  readonly sequence: number;
  /** Milliseconds since 1970; 0 = never. */
  readonly expiresAtMs: number;
}

/** Which keys a range gives, and how. */
export interface EngineRangeOptions extends EngineReadOptions {
  /** Inclusive. */
  readonly start?: Uint8Array;
  /** Exclusive. */
  readonly end?: Uint8Array;
  /** Only keys that begin so; narrows `start` and `end`. */
  readonly prefix?: Uint8Array;
  readonly reverse?: boolean;
  /** At most so many entries, ≥ 0. Default: all. */
  readonly limit?: number;
  readonly keysOnly?: boolean;
  readonly signal?: AbortSignal;
}

/** One change of a batch. */
export type EngineOperation =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array; readonly expiresAtMs?: number }
  | { readonly type: 'delete'; readonly key: Uint8Array };

/** What a merge did. Bytes are whole files. */
export interface EngineMerge {
  readonly segmentsMerged: number;
  readonly recordsCopied: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** An export. The entries can be gone through once, while the engine is open. */
export interface EngineExport {
  /** Everything up to this operation is in it, nothing behind. */
  readonly sequence: number;
  readonly entries: AsyncIterable<EngineEntry>;
}

/** A snapshot that was begun. */
export interface EngineSnapshot {
  /** The last operation in it. */
  readonly sequence: number;
  /** Resolves when all of it is in the directory, durably. May take long; writes go on. Once. */
  finish(): Promise<void>;
  /** Nothing more is wanted: gives up what `finish` would need, and ends one that runs. Leaves the directory. Idempotent. */
  abandon(): Promise<void>;
}

/** The numbers of an engine at one moment. Bytes unless named otherwise; what an engine cannot know is 0. */
export interface EngineStats {
  /** Live keys by their first byte, 256 numbers; expired ones count until they are given back. */
  readonly keysByFirstByte: Float64Array;
  readonly segments: number;
  readonly liveBytes: number;
  readonly deadBytes: number;
  readonly keydirBytes: number;
  readonly lastSequence: number;
  readonly durableSequence: number;
  readonly durability: 'always' | 'interval' | 'never';
  /** Wall time; 0 = none yet. */
  readonly lastCheckpointMs: number;
  readonly cache: { readonly entries: number; readonly hits: number; readonly misses: number };
  readonly merge: { readonly state: 'idle' | 'running' | 'paused' };
}
