import { openBitcaskEngine } from './bitcask-engine.js';
import type { EngineOptions } from './engine-options.js';
import type { EngineName, StorageEngine } from './storage-engine.js';

/** Opens an engine by its name; the library behind `level` is loaded only here, when it is chosen. */
export async function openEngine(name: EngineName, options: EngineOptions): Promise<StorageEngine> {
  switch (name) {
    case 'bitcask':
      return openBitcaskEngine(options);
    case 'level':
      return (await import('./open-level-engine.js')).openLevelEngine(options);
  }
}
