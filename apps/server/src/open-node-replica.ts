import type { BitcaskListener } from '@shanghai/bitcask';
import { type Clock, type Disk, ensureDirectory } from '@shanghai/env';
import type { Wal } from '@shanghai/wal';
import type { ApplyResult } from './apply/apply-result.js';
import { claimStore } from './apply/claim-store.js';
import type { LogWriter } from './apply/log-writer.js';
import { StateMachine } from './apply/state-machine.js';
import { openEngine } from './engine/open-engine.js';
import type { EngineName, StorageEngine } from './engine/storage-engine.js';
import { maxEntryBytes, type NodeLimits } from './limits.js';
import type { NodeListener } from './node-events.js';
import type { NodeStoreOptions } from './node-options.js';
import { Replica } from './raft/replica.js';
import { openSingleVoterLog } from './raft/single-voter-log.js';

/** What a group's copy is opened with. */
export interface ReplicaOptions {
  readonly groupId: number;
  readonly nodeId: number;
  readonly clusterId: string;
  /** The store's own directory. */
  readonly directory: string;
  readonly wal: Wal;
  readonly logWriter: LogWriter;
  readonly limits: NodeLimits;
  readonly engine: EngineName;
  readonly store: NodeStoreOptions;
  /** Whether the write-ahead log was repaired offline, and may have lost what the store holds. */
  readonly isLogRepaired: boolean;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly listener: NodeListener;
  readonly bitcaskListener?: BitcaskListener;
}

/** Keys of the state are a caller's key behind a few bytes. */
const keyOverheadBytes = 64;

/** Opens a group's store, replays what the log holds behind it, and begins a term. */
export async function openReplica(options: ReplicaOptions): Promise<Replica> {
  const { groupId, clock, limits, listener } = options;
  let machine: StateMachine | undefined;
  // Until the state is loaded nothing counts as expired.
  const store = await openStore(options, () => machine?.visible.logTimeMs ?? 0);
  try {
    await claimStore(store, options.directory, options.clusterId, groupId);
    machine = await StateMachine.open({
      store,
      logWriter: options.logWriter,
      ring: { maxChanges: limits.watchChanges, maxBytes: limits.watchBytes },
      clock,
      onApplied: (run) => listener.applied?.({ groupId, ...run }),
    });
    const startMs = clock.monotonicMs();
    const { appliedIndex, appliedTerm } = machine.visible;
    const { changes } = machine;
    const log = await openSingleVoterLog<ApplyResult>({
      wal: options.wal,
      groupId,
      nodeId: options.nodeId,
      applier: machine,
      applied: { index: appliedIndex, term: appliedTerm },
      mayLackEnd: options.isLogRepaired || options.wal.info().durability !== 'always',
      limits: { ...limits, maxEntryBytes: maxEntryBytes(limits) },
      clock,
      onFailed: (error) => {
        listener.failed?.({ groupId, error });
        changes.published.notify();
      },
    });
    const entries = machine.visible.appliedIndex - appliedIndex;
    listener.replayed?.({ groupId, entries, durationMs: clock.monotonicMs() - startMs });
    return new Replica(store, machine, log, clock);
  } catch (error) {
    machine?.stop();
    await store.close().catch(() => undefined);
    throw error;
  }
}

async function openStore(options: ReplicaOptions, horizon: () => number): Promise<StorageEngine> {
  const { directory, disk, clock, limits, store, bitcaskListener } = options;
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
