import type { Clock } from '@shanghai/env';
import type { Wal } from '@shanghai/wal';
import { recoverStore } from './recover-store.js';
import { WalEntryStore } from './wal-entry-store.js';

/** What a store is opened with. */
export interface WalEntryStoreOptions {
  /** The log, open, durability `always`, of the store alone. The caller closes it, behind the replicator. */
  readonly wal: Wal;
  /** ≥ 1. */
  readonly nodeId: number;
  readonly clock: Clock;
  /**
   * A number above `last`, which was never given out to any copy of this node's directory; drawn at each opening. Default:
   * the seconds since 1970, or one more than the last: who can put a directory back and set the clock back too should keep
   * a counter elsewhere.
   */
  readonly nextEpoch?: (last: number) => number | Promise<number>;
  /** Bytes of the latest runs that are kept in memory for followers that keep up. Default 16 MiB. */
  readonly tailBytes?: number;
}

const defaultTailBytes = 16_777_216;

/**
 * Reads the log and opens a store on it. Rejects with `ReplicationError` `CORRUPT` where the log is not one of a store;
 * throws `RangeError` for options that cannot work.
 */
export async function openWalEntryStore(options: WalEntryStoreOptions): Promise<WalEntryStore> {
  const { wal, nodeId, clock, tailBytes = defaultTailBytes } = options;
  if (!Number.isSafeInteger(nodeId) || nodeId < 1) throw new RangeError(`node id ${nodeId}; it is at least 1`);
  if (wal.info().durability !== 'always')
    throw new RangeError(`a log of durability '${wal.info().durability}' is not enough`);
  const nextEpoch = options.nextEpoch ?? ((last: number) => Math.max(last + 1, Math.floor(clock.nowMs() / 1_000)));
  const recovered = await recoverStore(wal, nodeId);
  const epoch = await nextEpoch(recovered.lastEpoch);
  if (!(epoch > recovered.lastEpoch))
    throw new RangeError(`epoch ${epoch} was given out behind ${recovered.lastEpoch}`);
  // The log does not remember what was released.
  for (const { walStream, releasable } of recovered.streams.values())
    if (releasable > 0) wal.release(walStream, releasable);
  for (const walStream of recovered.removedWalStreams) wal.release(walStream, wal.info().lastLsn);
  return new WalEntryStore({ wal, nodeId, clock, recovered, epoch, nextEpoch, tailBytes });
}
