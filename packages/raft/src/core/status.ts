import type { Configuration } from './configuration/configuration.js';
import { describeProgress } from './describe.js';
import type { HardState, SoftState } from './entry.js';
import type { ProgressState } from './progress/progress.js';
import { isVoter } from './quorum/joint.js';
import type { Raft } from './raft.js';

/** What a leader knows of a member. */
export interface ProgressStatus {
  readonly id: number;
  readonly state: ProgressState;
  readonly match: number;
  readonly next: number;
  readonly isLearner: boolean;
  readonly isPaused: boolean;
  readonly recentActive: boolean;
  readonly inflightMessages: number;
  /** The same in one line. */
  readonly text: string;
}

/** A node's term, part and progress. */
export interface RaftMarks extends SoftState {
  readonly term: number;
  readonly commit: number;
  readonly applied: number;
  /** Of the log, durable or not. */
  readonly lastIndex: number;
}

/** Where a node stands. */
export interface RaftStatus extends HardState, SoftState {
  readonly id: number;
  readonly applied: number;
  readonly lastIndex: number;
  readonly isVoter: boolean;
  /** 0 = none. */
  readonly leadTransferee: number;
  readonly configuration: Configuration;
  /** Of every member, ascending; empty where this node does not lead. */
  readonly progress: readonly ProgressStatus[];
}

/** A copy of where a node stands. */
export function statusOf(raft: Raft): RaftStatus {
  const { configuration } = raft.membership;
  const progress: ProgressStatus[] = [];
  if (raft.state === 'StateLeader') {
    raft.visit((id, one) => {
      const { state, match, next, isLearner, isPaused, recentActive, inflights } = one;
      const inflightMessages = inflights.count;
      const text = describeProgress(one);
      progress.push({ id, state, match, next, isLearner, isPaused, recentActive, inflightMessages, text });
    });
  }
  return {
    id: raft.id,
    ...raft.hardState,
    ...raft.softState,
    applied: raft.log.applied,
    lastIndex: raft.log.lastIndex(),
    isVoter: isVoter(configuration.voters, raft.id),
    leadTransferee: raft.leadTransferee,
    configuration,
    progress,
  };
}
