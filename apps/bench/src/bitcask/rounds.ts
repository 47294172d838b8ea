import { join } from 'node:path';
import type { BenchScope } from '../bench-scope.js';
import type { EngineName } from './engines/engine-name.js';
import { RocksdbStore } from './rocksdb/rocksdb-store.js';
import { StoreProcessClient } from './store-process-client.js';

/**
 * The stores of one round: each is made when a case first asks for it, and all are taken away when the next round
 * begins. Only one of them is ever asked for something; the others rest.
 */
export class Rounds {
  readonly #scope: BenchScope;
  readonly #keys: number;
  #round = 0;
  readonly #processes = new Map<EngineName, StoreProcessClient>();
  #rocksdb: RocksdbStore | undefined;

  constructor(scope: BenchScope, keys: number) {
    this.#scope = scope;
    this.#keys = keys;
  }

  /** The process of an engine in this round. */
  async process(round: number, engine: EngineName): Promise<StoreProcessClient> {
    await this.#moveTo(round);
    const found = this.#processes.get(engine);
    if (found !== undefined) return found;
    const directory = join(this.#scope.directory, engine);
    const started = await StoreProcessClient.start(this.#scope, { engine, directory, keys: this.#keys });
    this.#processes.set(engine, started);
    return started;
  }

  /** RocksDB's database of this round. */
  async rocksdb(round: number): Promise<RocksdbStore> {
    await this.#moveTo(round);
    this.#rocksdb ??= new RocksdbStore(this.#scope, join(this.#scope.directory, 'rocksdb'), this.#keys);
    return this.#rocksdb;
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    for (const process of this.#processes.values()) await process.discard();
    this.#processes.clear();
    await this.#rocksdb?.discard();
    this.#rocksdb = undefined;
  }

  async #moveTo(round: number): Promise<void> {
    if (round === this.#round) return;
    await this.close();
    this.#round = round;
  }
}
