import type { Clock } from '@shanghai/env';
import type { EntryStore } from '../ports/entry-store.js';
import type { ReplicationTransport } from '../ports/replication-transport.js';
import type { ReplicationListener } from './replication-listener.js';
import type { ReplicationMember } from './replicator.js';

/** What `openReplicator` takes. The transport is opened and closed by the replicator; the store is not closed. */
export interface ReplicatorOptions {
  /** ≥ 1; the store's own origin. */
  readonly nodeId: number;
  readonly store: EntryStore;
  readonly transport: ReplicationTransport;
  readonly clock: Clock;
  /** Members that are not removed. */
  readonly members: readonly ReplicationMember[];
  readonly limits?: Partial<ReplicatorLimits>;
  readonly listener?: ReplicationListener;
  /** The store has failed: nothing is fetched or shipped any more. The owner closes. */
  readonly onFatal: (error: Error) => void;
}

/** Bounds and times. */
export interface ReplicatorLimits {
  /** Entries and bytes of runs that a source may have under way to this node: sent and not yet durable here. Defaults 8,192 and 4 MiB. Larger windows help on long ways and before slow disks, and cost memory here. */
  readonly windowEntries: number;
  readonly windowBytes: number;
  /** Bytes that all sources together may have under way to this node. Default 64 MiB. */
  readonly nodeWindowBytes: number;
  /** The largest run that is read at once, but for a larger entry. Default 256 KiB. */
  readonly runBytes: number;
  /** Bytes of runs read last that are kept for followers at the same place. Default 16 MiB. */
  readonly cacheBytes: number;
  /** Calls of the store's `receive` that may be under way. Default 4. */
  readonly maxReceives: number;
  /** How long an origin must be out of reach before its entries are fetched from others. Default 2,000. */
  readonly relayDelayMs: number;
  /** How often this node makes its own mark, and tells what is not urgent. Defaults 1,000 and 250. */
  readonly markIntervalMs: number;
  readonly tickMs: number;
  /** A follower that has lacked something for so long is lagging, or stale. Defaults 1,000 and 30,000. */
  readonly laggingMs: number;
  readonly staleMs: number;
  /** Calls of `whenHeldBy` that may wait. Default 100,000. */
  readonly maxWaiters: number;
  /** A mark that is true of fewer logs than all but these is not sent. Default 1,024. */
  readonly maxBehindLogs: number;
}

/** What may be left out. */
export const defaultReplicatorLimits: ReplicatorLimits = {
  windowEntries: 8_192,
  windowBytes: 4_194_304,
  nodeWindowBytes: 67_108_864,
  runBytes: 262_144,
  cacheBytes: 16_777_216,
  maxReceives: 4,
  relayDelayMs: 2_000,
  markIntervalMs: 1_000,
  tickMs: 250,
  laggingMs: 1_000,
  staleMs: 30_000,
  maxWaiters: 100_000,
  maxBehindLogs: 1_024,
};

/** Fills in what is missing. Throws `RangeError` where a limit is not an integer from 1 on. */
export function resolveReplicatorLimits(limits: Partial<ReplicatorLimits> = {}): ReplicatorLimits {
  const resolved = { ...defaultReplicatorLimits, ...limits };
  for (const [name, value] of Object.entries(resolved)) {
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${name} is ${value}; it is at least 1`);
  }
  return resolved;
}
