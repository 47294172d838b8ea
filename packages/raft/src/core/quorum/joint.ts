/**
 * Two majorities at once: while a configuration changes, decisions need one of the old voters and one of the new
 * (joint consensus, Raft dissertation 4.3). Without outgoing voters it is the plain majority of the incoming ones.
 */
import { type AckedIndex, majorityCommitted, majorityVote, type VoteOf, type VoteResult } from './majority.js';

/** The voters of a group: those it will have or has (`incoming`), and those it had, while it changes (`outgoing`). */
export interface JointVoters {
  readonly incoming: ReadonlySet<number>;
  /** Empty outside a change. */
  readonly outgoing: ReadonlySet<number>;
}

/** The highest index that both majorities have acknowledged. */
export function jointCommitted(voters: JointVoters, acked: AckedIndex): number {
  const incoming = majorityCommitted(voters.incoming, acked);
  return voters.outgoing.size === 0 ? incoming : Math.min(incoming, majorityCommitted(voters.outgoing, acked));
}

/** Won where both majorities are, lost where one is. */
export function jointVote(voters: JointVoters, voteOf: VoteOf): VoteResult {
  const incoming = majorityVote(voters.incoming, voteOf);
  const outgoing = majorityVote(voters.outgoing, voteOf);
  if (incoming === outgoing) return incoming;
  return incoming === 'VoteLost' || outgoing === 'VoteLost' ? 'VoteLost' : 'VotePending';
}

/** Every voter of both halves, ascending. */
export function voterIds({ incoming, outgoing }: JointVoters): number[] {
  return [...new Set([...incoming, ...outgoing])].sort((a, b) => a - b);
}

/** Whether a node votes in either half. */
export function isVoter({ incoming, outgoing }: JointVoters, id: number): boolean {
  return incoming.has(id) || outgoing.has(id);
}
