import type { StorageEngine } from '../engine/storage-engine.js';

/** What a state machine asks of its store. */
export type StateStore = Pick<StorageEngine, 'getEntry' | 'getEntrySync' | 'has' | 'range' | 'batch'>;
