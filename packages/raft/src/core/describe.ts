/** What the core says of itself in traces, in the words of etcd/raft's log lines, so that traces can be compared line by line. */
import type { Configuration } from './configuration/configuration.js';
import type { Message } from './message.js';
import type { Progress } from './progress/progress.js';
import type { Raft } from './raft.js';

/** `voters=(1 2)&&(2 3) learners=(4) learners_next=(2) autoleave`. */
export function describeConfiguration({ voters, learners, learnersNext, autoLeave }: Configuration): string {
  const outgoing = voters.outgoing.size === 0 ? '' : `&&${describeIds(voters.outgoing)}`;
  const parts = [`voters=${describeIds(voters.incoming)}${outgoing}`];
  if (learners.size > 0) parts.push(`learners=${describeIds(learners)}`);
  if (learnersNext.size > 0) parts.push(`learners_next=${describeIds(learnersNext)}`);
  if (autoLeave) parts.push('autoleave');
  return parts.join(' ');
}

/** `StateReplicate match=4 next=9 paused inflight=2`. */
export function describeProgress(progress: Progress): string {
  const { state, match, next, isLearner, isPaused, pendingSnapshot, recentActive, inflights } = progress;
  const parts = [state, `match=${match}`, `next=${next}`];
  if (isLearner) parts.push('learner');
  if (isPaused) parts.push('paused');
  if (pendingSnapshot > 0) parts.push(`pendingSnap=${pendingSnapshot}`);
  if (!recentActive) parts.push('inactive');
  if (inflights.count > 0) parts.push(`inflight=${inflights.count}${inflights.isFull ? '[full]' : ''}`);
  return parts.join(' ');
}

/** Where a node begins. */
export function describeStart(raft: Raft): string {
  const { id, term, log, membership } = raft;
  const peers = [...membership.configuration.voters.incoming].sort((a, b) => a - b).join(',');
  const last = log.lastEntryId();
  return `newRaft ${id} [peers: [${peers}], term: ${term}, commit: ${log.committed}, applied: ${log.applied}, lastindex: ${last.index}, lastterm: ${last.term}]`;
}

/** How a request for a vote was judged: `cast`, `rejected` or `ignored`. */
export function describeVote(raft: Raft, verdict: string, { type, from, logTerm, index }: Message): string {
  const last = raft.log.lastEntryId();
  const verb = verdict === 'cast' ? `cast ${type} for` : `${verdict} ${type} from`;
  return `${raft.id} [logterm: ${last.term}, index: ${last.index}, vote: ${raft.vote}] ${verb} ${from} [logterm: ${logTerm}, index: ${index}] at term ${raft.term}`;
}

/** Why a request for a vote was ignored: a leader is there. */
export function describeLease(raft: Raft, message: Message): string {
  const left = raft.options.electionTick - raft.electionElapsed;
  return `${describeVote(raft, 'ignored', message)}: lease is not expired (remaining ticks: ${left})`;
}

function describeIds(ids: ReadonlySet<number>): string {
  return `(${[...ids].sort((a, b) => a - b).join(' ')})`;
}
