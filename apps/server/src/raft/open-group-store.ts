import type { BitcaskListener } from '@shanghai/bitcask';
import { type Clock, type Disk, ensureDirectory } from '@shanghai/env';
import type { ChangeRing } from '../apply/change-ring.js';
import { claimStore } from '../apply/claim-store.js';
import { StateMachine } from '../apply/state-machine.js';
import { openEngine } from '../engine/open-engine.js';
import type { EngineName, StorageEngine } from '../engine/storage-engine.js';
import type { NodeLimits } from '../limits.js';
import type { LogFiles } from '../logs/log-files.js';
import type { NodeListener } from '../node-events.js';
import type { NodeStoreOptions } from '../node-options.js';

/** What a group's store and state machine are opened with, wherever the store lies. */
export interface GroupStoreOptions {
  readonly groupId: number;
  readonly clusterId: string;
  readonly logFiles: LogFiles;
  readonly limits: NodeLimits;
  readonly engine: EngineName;
  readonly store: NodeStoreOptions;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly listener: NodeListener;
  /** As `StateMachineOptions.highestVersion`. */
  readonly highestVersion?: number;
  readonly bitcaskListener?: BitcaskListener;
}

/** A store and the state machine over it. */
export interface GroupStore {
  readonly store: StorageEngine;
  readonly machine: StateMachine;
}

/** Keys of the state are a caller's key behind a few bytes. */
const keyOverheadBytes = 64;

/**
 * Opens the store in a directory, making it where there is none, and the state machine over it. `changes`: the ring of an
 * earlier state that this one takes the place of. Rejects as the engine does, and with `DataDirectoryError` where the store is another group's.
 */
export async function openGroupStore(
  options: GroupStoreOptions,
  directory: string,
  changes?: ChangeRing,
): Promise<GroupStore> {
  const { groupId, limits, clock, listener } = options;
  let machine: StateMachine | undefined;
  // Until the state is loaded nothing counts as expired.
  const store = await openStore(options, directory, () => machine?.visible.logTimeMs ?? 0);
  try {
    await claimStore(store, directory, options.clusterId, groupId);
    machine = await StateMachine.open({
      store,
      logWriter: options.logFiles,
      ring: { maxChanges: limits.watchChanges, maxBytes: limits.watchBytes },
      clock,
      ...(options.highestVersion === undefined ? {} : { highestVersion: options.highestVersion }),
      onApplied: (run) => listener.applied?.({ groupId, ...run }),
      ...(changes === undefined ? {} : { changes }),
    });
    return { store, machine };
  } catch (error) {
    await store.close().catch(() => undefined);
    throw error;
  }
}

async function openStore(options: GroupStoreOptions, directory: string, horizon: () => number): Promise<StorageEngine> {
  const { disk, clock, limits, store, bitcaskListener } = options;
  await ensureDirectory(disk, directory);
  return openEngine(options.engine, {
    directory,
    horizon,
    maxKeyBytes: limits.maxKeyBytes + keyOverheadBytes,
    // Results of the largest batch are remembered as one value.
    maxValueBytes: Math.max(limits.maxValueBytes, 1024 * limits.maxOperations) + keyOverheadBytes,
    maxQueuedBytes: 4 * limits.maxProposalBytes,
    store,
    disk,
    clock,
    ...(bitcaskListener === undefined ? {} : { bitcaskListener }),
  });
}
