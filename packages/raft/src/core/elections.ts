/** How a node asks for votes, gives them, and counts them. */
import { describeVote } from './describe.js';
import type { Message } from './message.js';
import { transferContext } from './message.js';
import { voterIds } from './quorum/joint.js';
import type { VoteResult } from './quorum/majority.js';
import type { Raft } from './raft.js';
import { broadcastAppend } from './replication.js';

/** What an election is for. `transfer`: the leader asked for it, so nobody's loyalty to the leader stands against it. */
export type Campaign = 'preElection' | 'election' | 'transfer';

/** Begins an election, unless this node leads already or could not lead. */
export function startElection(raft: Raft, campaign: Campaign): void {
  if (raft.state === 'StateLeader') {
    raft.trace('debug', () => `${raft.id} ignoring MsgHup because already leader`);
    return;
  }
  if (!raft.isPromotable) {
    raft.trace('warn', () => `${raft.id} is unpromotable and can not campaign`);
    return;
  }
  // Its own configuration may be about to change: counting votes by the old one could make two leaders.
  if (hasUnappliedConfChange(raft)) {
    raft.trace(
      'warn',
      () =>
        `${raft.id} cannot campaign at term ${raft.term} since there are still pending configuration changes to apply`,
    );
    return;
  }
  raft.trace('info', () => `${raft.id} is starting a new election at term ${raft.term}`);
  askForVotes(raft, campaign);
}

/** Judges a request for a vote or a pre-vote, at this node's term or the candidate's. Learners vote: the candidate may know better. */
export function handleVoteRequest(raft: Raft, message: Message): void {
  const { type, from, term, index, logTerm } = message;
  const mayVote =
    raft.vote === from || (raft.vote === 0 && raft.lead === 0) || (type === 'MsgPreVote' && term > raft.term);
  const answer = type === 'MsgVote' ? 'MsgVoteResp' : 'MsgPreVoteResp';
  if (mayVote && raft.log.isUpToDate({ index, term: logTerm })) {
    raft.trace('info', () => describeVote(raft, 'cast', message));
    // With the term of the request: a pre-vote is granted for a term this node is not in.
    raft.send({ type: answer, to: from, term });
    if (type === 'MsgPreVote') return;
    raft.electionElapsed = 0;
    raft.vote = from;
  } else {
    raft.trace('info', () => describeVote(raft, 'rejected', message));
    raft.send({ type: answer, to: from, term: raft.term, reject: true, ...committedOf(raft) });
  }
}

/**
 * What a refusal of a node that may not lead says beside no: up to where it knows the log to be committed. The candidate
 * may not know yet that the change is committed which took this node's right to lead, and so still need its vote. This
 * node's log is the longer one, so that neither of the two could ever be elected.
 */
function committedOf({ id, log, progress }: Raft): Pick<Message, 'commit' | 'logTerm'> | undefined {
  if (progress.get(id)?.isLearner === false) return undefined;
  const logTerm = log.term(log.committed);
  return typeof logTerm === 'number' ? { commit: log.committed, logTerm } : undefined;
}

/** Counts an answer, and does what follows from it. */
export function handleVoteResponse(raft: Raft, message: Message): void {
  const { type, from, reject } = message;
  if (reject && learnsOfChange(raft, message)) {
    // The votes were to be counted by a configuration that is over.
    raft.becomeFollower(raft.term, 0);
    return;
  }
  const result = poll(raft, from, type, !reject);
  if (result === 'VoteWon') {
    if (raft.state === 'StatePreCandidate') {
      askForVotes(raft, 'election');
    } else {
      raft.becomeLeader();
      broadcastAppend(raft);
    }
  } else if (result === 'VoteLost') {
    raft.becomeFollower(raft.term, 0);
  }
}

/** Commits what a refusal tells, where this log holds it. Returns whether a change of the configuration is among it. */
function learnsOfChange(raft: Raft, { commit, logTerm }: Message): boolean {
  if (!raft.log.maybeCommit({ index: commit, term: logTerm })) return false;
  return hasUnappliedConfChange(raft);
}

function askForVotes(raft: Raft, campaign: Campaign): void {
  const isPre = campaign === 'preElection';
  if (isPre) raft.becomePreCandidate();
  else raft.becomeCandidate();
  const type = isPre ? 'MsgPreVote' : 'MsgVote';
  const term = isPre ? raft.term + 1 : raft.term;
  const last = raft.log.lastEntryId();
  for (const id of voterIds(raft.membership.configuration.voters)) {
    if (id === raft.id) {
      // Its own vote counts when it is durable.
      raft.send({ type: isPre ? 'MsgPreVoteResp' : 'MsgVoteResp', to: id, term });
      continue;
    }
    raft.trace(
      'info',
      () =>
        `${raft.id} [logterm: ${last.term}, index: ${last.index}] sent ${type} request to ${id} at term ${raft.term}`,
    );
    const context = campaign === 'transfer' ? transferContext : 0;
    raft.send({ type, to: id, term, index: last.index, logTerm: last.term, context });
  }
}

function poll(raft: Raft, from: number, type: string, isGranted: boolean): VoteResult {
  raft.trace(
    'info',
    () => `${raft.id} received ${type}${isGranted ? '' : ' rejection'} from ${from} at term ${raft.term}`,
  );
  const result = raft.recordVote(from, isGranted);
  raft.trace('info', () => {
    const votes = [...raft.votes].filter(([id]) => raft.progress.get(id)?.isLearner === false);
    const granted = votes.filter(([, vote]) => vote).length;
    return `${raft.id} has received ${granted} ${type} votes and ${votes.length - granted} vote rejections`;
  });
  return result;
}

function hasUnappliedConfChange({ log }: Raft): boolean {
  const maxBytes = 1_048_576;
  for (let from = log.applied + 1; from <= log.committed; ) {
    const entries = log.slice(from, log.committed + 1, maxBytes);
    // What is not there any more cannot be looked at: then nothing speaks for an election.
    if (typeof entries === 'string') return true;
    if (entries.some(({ type }) => type !== 'EntryNormal')) return true;
    from += entries.length;
  }
  return false;
}
