import type { OpenedFrom } from './bitcask.js';
import type { StoreIndex } from './core/store-index.js';
import type { FilePool } from './file-pool.js';
import type { ManifestFile } from './manifest-file.js';
import type { ResolvedBitcaskOptions } from './resolve-bitcask-options.js';

/** What the parts of one open store share. */
export interface StoreContext {
  readonly options: ResolvedBitcaskOptions;
  readonly index: StoreIndex;
  readonly pool: FilePool;
  readonly manifest: ManifestFile;
  readonly health: StoreHealth;
  readonly opened: OpenedFrom;
}

/** Whether the store may still be written. The first failure stays. */
export interface StoreHealth {
  readonly failure: Error | undefined;
  /** Refuses every write from now on: what is on the disk is not known any more. */
  poison(error: Error): void;
}
