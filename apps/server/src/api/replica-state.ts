import type { ProgressState } from '@shanghai/raft';

/** How a leader sends to a member, in a word for people: see `ReplicaStatus.state` of the protocol. */
export type ReplicaStateName = 'probe' | 'replicate' | 'snapshot';

/** The word for a state of the core. */
export function replicaStateName(state: ProgressState): ReplicaStateName {
  switch (state) {
    case 'StateProbe':
      return 'probe';
    case 'StateReplicate':
      return 'replicate';
    case 'StateSnapshot':
      return 'snapshot';
  }
}
