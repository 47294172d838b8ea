/**
 * Who belongs to a group, and in which part: the voters (two sets while it changes), learners, and voters that become
 * learners when the change is over.
 */
import type { JointVoters } from '../quorum/joint.js';

/** The members of a group. Treated as immutable: a change makes a new one. */
export interface Configuration {
  readonly voters: JointVoters;
  /** They get the log and do not count. */
  readonly learners: ReadonlySet<number>;
  /** Outgoing voters that become learners when the joint configuration is left. */
  readonly learnersNext: ReadonlySet<number>;
  /** Whether the leader leaves the joint configuration by itself, as soon as it is applied. */
  readonly autoLeave: boolean;
}

/** A configuration as it is stored in snapshots: ids ascending. */
export interface ConfState {
  readonly voters: readonly number[];
  readonly votersOutgoing: readonly number[];
  readonly learners: readonly number[];
  readonly learnersNext: readonly number[];
  readonly autoLeave: boolean;
}

/** The configuration of nobody. */
export const emptyConfiguration: Configuration = {
  voters: { incoming: new Set(), outgoing: new Set() },
  learners: new Set(),
  learnersNext: new Set(),
  autoLeave: false,
};

/** The stored form of nobody. */
export const emptyConfState: ConfState = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
};

/** Whether a change is under way that needs both majorities. */
export function isJoint(configuration: Configuration): boolean {
  return configuration.voters.outgoing.size > 0;
}

/** The stored form. */
export function confStateOf({ voters, learners, learnersNext, autoLeave }: Configuration): ConfState {
  return {
    voters: ascending(voters.incoming),
    votersOutgoing: ascending(voters.outgoing),
    learners: ascending(learners),
    learnersNext: ascending(learnersNext),
    autoLeave,
  };
}

/** Whether a stored configuration names a node in any part. */
export function confStateHas(state: ConfState, id: number): boolean {
  // Who is to become a learner is an outgoing voter as well.
  return state.voters.includes(id) || state.learners.includes(id) || state.votersOutgoing.includes(id);
}

function ascending(ids: ReadonlySet<number>): number[] {
  return [...ids].sort((a, b) => a - b);
}
