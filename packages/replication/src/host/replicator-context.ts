import type { Clock } from '@shanghai/env';
import type { EntryStore } from '../ports/entry-store.js';
import type { ReplicationListener } from './replication-listener.js';
import type { RunCache } from './run-cache.js';
import type { StoreQueue } from './store-queue.js';

/** What the sessions of a node share. */
export interface ReplicatorContext {
  readonly store: EntryStore;
  readonly cache: RunCache;
  readonly queue: StoreQueue;
  readonly clock: Clock;
  readonly listener: ReplicationListener;
}
