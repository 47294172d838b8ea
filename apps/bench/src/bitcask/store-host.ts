/**
 * One engine's store within its own process: loaded when a task first needs it, opened again when it was closed. Every
 * task leaves it open and quiet.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Measurement } from '../report.js';
import type { EmbeddedStore, EmbeddedStoreOptions } from './engines/embedded-store.js';
import type { EngineName } from './engines/engine-name.js';
import { openEngine } from './engines/open-engine.js';
import { loadKeys } from './tasks/load-keys.js';

/** What a store process is about. */
export interface StoreHostOptions {
  readonly engine: EngineName;
  /** Its own; the store lies below it. */
  readonly directory: string;
  readonly keys: number;
}

const batchPuts = 100;
const quietShare = 0.05;
const quietWindowMs = 100;
const longestQuietWaitMs = 20_000;

/** The stores of one process, and what state they are in. */
export class StoreHost {
  readonly options: StoreHostOptions;
  #store: EmbeddedStore | undefined;
  #loading: Measurement | undefined;
  #isCompact = false;

  constructor(options: StoreHostOptions) {
    this.options = options;
  }

  /** Where the loaded store lies. */
  get storeDirectory(): string {
    return join(this.options.directory, 'store');
  }

  /** How the loading went; loads where it has not happened yet. */
  async loading(): Promise<Measurement> {
    if (this.#loading === undefined) {
      this.#store = await this.#open();
      this.#loading = await loadKeys(this.#store, {
        keys: this.options.keys,
        batchPuts,
        directory: this.storeDirectory,
        settle: () => this.settle(),
      });
    }
    return this.#loading;
  }

  /** The loaded store, open. */
  async loaded(): Promise<EmbeddedStore> {
    await this.loading();
    this.#store ??= await this.#open();
    return this.#store;
  }

  /** The loaded store after everything in it was brought into key order. */
  async compacted(): Promise<EmbeddedStore> {
    const store = await this.loaded();
    if (!this.#isCompact) {
      await store.compact();
      this.#isCompact = true;
      await this.settle();
    }
    return store;
  }

  /** Lets a task write into the loaded store. */
  async changing<T>(work: (store: EmbeddedStore, directory: string) => Promise<T>): Promise<T> {
    const store = await this.loaded();
    this.#isCompact = false;
    return work(store, this.storeDirectory);
  }

  /** Closes the store; the next task opens it again. Resolves to how long that took in milliseconds. */
  async close(): Promise<number> {
    const startMs = performance.now();
    const closing = this.#store;
    this.#store = undefined;
    await closing?.close();
    return performance.now() - startMs;
  }

  /** Lets a task change the closed store in its own way. `isCompact`: what it leaves behind. */
  async withClosed<T>(isCompact: boolean, work: (directory: string) => Promise<T>): Promise<T> {
    await this.loading();
    await this.close();
    const result = await work(this.storeDirectory);
    this.#isCompact = isCompact;
    await this.settle();
    return result;
  }

  /** Another store of the same engine, empty, taken away again when `work` is done. */
  async withFresh<T>(
    options: Omit<EmbeddedStoreOptions, 'directory'>,
    work: (store: EmbeddedStore, directory: string) => Promise<T>,
  ): Promise<T> {
    const directory = join(this.options.directory, 'fresh');
    await rm(directory, { recursive: true, force: true });
    const store = await openEngine(this.options.engine, { ...options, directory });
    try {
      return await work(store, directory);
    } finally {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    }
  }

  /** Waits until this process rests: no compaction in the background that would run beside the next measurement. */
  async settle(): Promise<void> {
    const endMs = performance.now() + longestQuietWaitMs;
    while (performance.now() < endMs) {
      const before = process.cpuUsage();
      const startMs = performance.now();
      await new Promise((resolve) => setTimeout(resolve, quietWindowMs));
      const { user, system } = process.cpuUsage(before);
      if ((user + system) / 1_000 < quietShare * (performance.now() - startMs)) return;
    }
  }

  #open(): Promise<EmbeddedStore> {
    return openEngine(this.options.engine, { directory: this.storeDirectory, durable: false });
  }
}
