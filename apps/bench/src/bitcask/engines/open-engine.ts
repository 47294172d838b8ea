import type { EmbeddedStore, EmbeddedStoreOptions } from './embedded-store.js';
import type { EngineName } from './engine-name.js';

/** Opens a store of this engine, making it where there is none. Only the engine asked for is loaded. */
export async function openEngine(name: EngineName, options: EmbeddedStoreOptions): Promise<EmbeddedStore> {
  switch (name) {
    case 'shanghai':
      return (await import('./shanghai-engine.js')).openShanghai(options);
    case 'classic-level':
      return (await import('./classic-level-engine.js')).openClassicLevel(options);
    case 'lmdb':
      return (await import('./lmdb-engine.js')).openLmdb(options);
  }
}
