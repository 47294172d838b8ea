import type { Wal } from '@shanghai/wal';
import type { ApplyResult } from './apply/apply-result.js';
import { maxEntryBytes } from './limits.js';
import { GroupState, type GroupStateOptions } from './raft/group-state.js';
import { Replica } from './raft/replica.js';
import { openSingleVoterLog } from './raft/single-voter-log.js';

/** What a group's copy is opened with. */
export interface ReplicaOptions extends GroupStateOptions {
  readonly nodeId: number;
  readonly wal: Wal;
  /** Whether the write-ahead log was repaired offline, and may have lost what the store holds. */
  readonly isLogRepaired: boolean;
}

/** Opens a group's state, replays what the log holds behind it, and begins a term. */
export async function openReplica(options: ReplicaOptions): Promise<Replica> {
  const { groupId, clock, limits, listener } = options;
  const state = await GroupState.open(options);
  try {
    const startMs = clock.monotonicMs();
    const { appliedIndex, appliedTerm } = state.machine.visible;
    const log = await openSingleVoterLog<ApplyResult>({
      wal: options.wal,
      groupId,
      nodeId: options.nodeId,
      applier: state.applier,
      applied: { index: appliedIndex, term: appliedTerm },
      mayLackEnd: options.isLogRepaired || options.wal.info().durability !== 'always',
      limits: { ...limits, maxEntryBytes: maxEntryBytes(limits) },
      clock,
      onFailed: (error) => {
        listener.failed?.({ groupId, error });
        state.changes.published.notify();
      },
    });
    const entries = state.appliedIndex - appliedIndex;
    listener.replayed?.({ groupId, entries, durationMs: clock.monotonicMs() - startMs });
    return new Replica(state, log, clock, limits.readTimeoutMs);
  } catch (error) {
    await state.close().catch(() => undefined);
    throw error;
  }
}
