import { type Bitcask, openBitcask } from '@shanghai/bitcask';
import type { EngineOptions } from './engine-options.js';
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

/** Opens the engine on `@shanghai/bitcask`. Rejects, and its calls fail, with `BitcaskError`. */
export async function openBitcaskEngine(options: EngineOptions): Promise<StorageEngine> {
  const { directory, disk, clock, horizon, maxKeyBytes, maxValueBytes, maxQueuedBytes, bitcaskListener } = options;
  const store = await openBitcask({
    ...options.store,
    directory,
    // The command log is what makes a write durable; the store is made so at checkpoints.
    durability: 'never',
    lock: false,
    horizon,
    maxKeyBytes,
    maxValueBytes,
    maxQueuedBytes,
    disk,
    clock,
    ...(bitcaskListener === undefined ? {} : { listener: bitcaskListener }),
  });
  return new BitcaskEngine(store);
}

class BitcaskEngine implements StorageEngine {
  readonly name = 'bitcask';
  readonly #store: Bitcask;

  constructor(store: Bitcask) {
    this.#store = store;
  }

  getEntry(key: Uint8Array, options?: EngineReadOptions): Promise<EngineEntry | undefined> {
    return this.#store.getEntry(key, options);
  }

  getEntrySync(key: Uint8Array, options?: EngineReadOptions): EngineEntry | undefined {
    return this.#store.getEntrySync(key, options);
  }

  has(key: Uint8Array, options?: EngineReadOptions): boolean {
    return this.#store.has(key, options);
  }

  range(options?: EngineRangeOptions): AsyncIterable<EngineEntry> {
    return this.#store.range(options);
  }

  batch(operations: readonly EngineOperation[]): Promise<{ readonly sequence: number }> {
    return this.#store.batch(operations);
  }

  checkpoint(): Promise<{ readonly durableSequence: number }> {
    return this.#store.checkpoint();
  }

  merge(options?: { readonly force?: boolean; readonly signal?: AbortSignal }): Promise<EngineMerge> {
    return this.#store.merge(options);
  }

  /** A range over everything: fails with `SNAPSHOT_TOO_OLD` where too much is overwritten before it is through. */
  async exportEntries(options: { readonly signal?: AbortSignal } = {}): Promise<EngineExport> {
    const entries = this.#store.range({ ...options, horizonMs: 0 })[Symbol.asyncIterator]();
    // The range looks at the store when its first entry is asked for: nothing can come in between.
    const first = entries.next();
    const sequence = this.#store.stats().lastSequence;
    return { sequence, entries: resumed(await first, entries) };
  }

  async snapshot(directory: string): Promise<EngineSnapshot> {
    const { sequence } = await this.#store.snapshot(directory);
    const nothing = () => Promise.resolve();
    return { sequence, finish: nothing, abandon: nothing };
  }

  stats(): EngineStats {
    return this.#store.stats();
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}

async function* resumed<Entry>(
  first: IteratorResult<Entry>,
  rest: AsyncIterator<Entry>,
): AsyncGenerator<Entry, void, undefined> {
  try {
    for (let next = first; next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}
