/** One put of a batch. */
export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

/** How a store is opened for a measurement. */
export interface EmbeddedStoreOptions {
  readonly directory: string;
  /** `true`: every put resolves after the sync that covers it. `false`: nothing is ever synced while it is open. */
  readonly durable: boolean;
  /** Bytes of values kept in memory after a read, where the engine can. Default 0. */
  readonly valueCacheBytes?: number;
}

/**
 * An embedded key-value store as the cases use it: each engine in the form its own documentation shows, with nothing of
 * the benchmark between it and the loop beyond this call.
 */
export interface EmbeddedStore {
  /** All or nothing. Buffers must stay as they are until it resolves. */
  putBatch(puts: readonly KeyValue[]): Promise<unknown>;
  /** Resolves when the put would survive a power failure; only where it was opened `durable`. */
  putDurable(key: Uint8Array, value: Uint8Array): Promise<unknown>;
  getSync(key: Uint8Array): Uint8Array | undefined;
  /** Absent where the engine reads on the caller's thread only. */
  get?(key: Uint8Array): Promise<Uint8Array | undefined>;
  /** Keys and values in order, row by row in a `for` loop; resolves to the number of rows, at most `limit`. */
  scan(limit: number): Promise<number>;
  /** The same in the fastest form the engine documents (pages of rows); absent where there is none but `scan`. */
  scanPages?(limit: number): Promise<number>;
  /** Keys without values; absent where it was not asked for. */
  scanKeys?(limit: number): Promise<number>;
  /** Brings what is stored into the order of keys, as far as the engine does such a thing. */
  compact(): Promise<void>;
  /** Numbers of the engine's own that belong beside its speed. */
  details?(): Record<string, number>;
  close(): Promise<void>;
}
