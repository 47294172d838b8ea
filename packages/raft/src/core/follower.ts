/** What followers and candidates do with messages. */

import { restoreMembership } from './configuration/changer.js';
import { confStateHas } from './configuration/configuration.js';
import type { DropReason } from './drop-reason.js';
import { handleVoteResponse, startElection } from './elections.js';
import type { Snapshot } from './entry.js';
import type { Message } from './message.js';
import type { Raft } from './raft.js';
import { switchTo } from './reconfiguration.js';

/** A message to a follower, at its term. */
export function stepFollower(raft: Raft, message: Message): DropReason | undefined {
  switch (message.type) {
    case 'MsgProp':
      if (raft.lead === 0) return 'noLeader';
      if (raft.options.disableProposalForwarding) return 'forwardingDisabled';
      raft.send({ ...message, to: raft.lead });
      return undefined;
    case 'MsgReadIndex':
      if (raft.lead === 0) return 'noLeader';
      raft.send({ ...message, to: raft.lead });
      return undefined;
    case 'MsgApp':
    case 'MsgHeartbeat':
    case 'MsgSnap':
      raft.electionElapsed = 0;
      raft.lead = message.from;
      handleFromLeader(raft, message);
      return undefined;
    case 'MsgTransferLeader':
      if (raft.lead !== 0) raft.send({ ...message, term: 0, to: raft.lead });
      else raft.trace('info', () => `${raft.id} no leader at term ${raft.term}; dropping leader transfer msg`);
      return undefined;
    case 'MsgForgetLeader':
      forgetLeader(raft);
      return undefined;
    case 'MsgTimeoutNow':
      raft.trace(
        'info',
        () =>
          `${raft.id} [term ${raft.term}] received MsgTimeoutNow from ${message.from} and starts an election to get leadership.`,
      );
      // Without a pre-vote, even where they are used: the leader wants this, there is nobody to disturb.
      startElection(raft, 'transfer');
      return undefined;
    case 'MsgReadIndexResp':
      raft.readStates.push({ index: message.index, context: message.context });
      return undefined;
    default:
      return undefined;
  }
}

/** A message to a candidate or pre-candidate, at its term. */
export function stepCandidate(raft: Raft, message: Message): DropReason | undefined {
  const awaited = raft.state === 'StatePreCandidate' ? 'MsgPreVoteResp' : 'MsgVoteResp';
  switch (message.type) {
    case 'MsgProp':
    case 'MsgReadIndex':
      return 'noLeader';
    case 'MsgApp':
    case 'MsgHeartbeat':
    case 'MsgSnap':
      // Somebody else has won this term.
      raft.becomeFollower(message.term, message.from);
      handleFromLeader(raft, message);
      return undefined;
    case 'MsgTimeoutNow':
      raft.trace(
        'debug',
        () => `${raft.id} [term ${raft.term} state ${raft.state}] ignored MsgTimeoutNow from ${message.from}`,
      );
      return undefined;
    default:
      // Answers to an earlier pre-vote do not count in the election.
      if (message.type === awaited) handleVoteResponse(raft, message);
      return undefined;
  }
}

function handleFromLeader(raft: Raft, message: Message): void {
  if (message.type === 'MsgApp') handleAppend(raft, message);
  else if (message.type === 'MsgSnap') handleSnapshot(raft, message);
  else {
    raft.log.commitTo(message.commit);
    raft.send({ type: 'MsgHeartbeatResp', to: message.from, context: message.context });
  }
}

function handleAppend(raft: Raft, { from, index, logTerm, entries, commit }: Message): void {
  const { log } = raft;
  if (index < log.committed) {
    raft.send({ type: 'MsgAppResp', to: from, index: log.committed });
    return;
  }
  const matched = log.maybeAppend({ index, term: logTerm }, entries, commit);
  if (matched !== undefined) {
    raft.send({ type: 'MsgAppResp', to: from, index: matched });
    return;
  }
  raft.trace('debug', () => {
    const own = log.term(index);
    return `${raft.id} [logterm: ${typeof own === 'number' ? own : 0}, index: ${index}] rejected MsgApp [logterm: ${logTerm}, index: ${index}] from ${from}`;
  });
  // The leader's entry has `logTerm`: no entry of this log with a higher term can match the leader's at or before it. So
  // whole terms are skipped, and the leader does the same with the term that is answered.
  const hint = log.findConflictByTerm(Math.min(index, log.lastIndex()), logTerm);
  raft.send({ type: 'MsgAppResp', to: from, index, reject: true, rejectHint: hint.index, logTerm: hint.term });
}

function handleSnapshot(raft: Raft, { from, snapshot }: Message): void {
  const isRestored = snapshot !== undefined && restore(raft, snapshot);
  const { index, term } = snapshot?.metadata ?? { index: 0, term: 0 };
  const what = isRestored ? 'restored' : 'ignored';
  raft.trace(
    'info',
    () => `${raft.id} [commit: ${raft.log.committed}] ${what} snapshot [index: ${index}, term: ${term}]`,
  );
  raft.send({ type: 'MsgAppResp', to: from, index: isRestored ? raft.log.lastIndex() : raft.log.committed });
}

/** Puts a snapshot in the place of log and configuration. False where nothing of it is needed. */
function restore(raft: Raft, snapshot: Snapshot): boolean {
  const { log } = raft;
  const { index, term, confState } = snapshot.metadata;
  if (index <= log.committed) return false;
  if (!confStateHas(confState, raft.id)) {
    raft.trace(
      'warn',
      () => `${raft.id} attempted to restore snapshot but it is not in the ConfState; should never happen`,
    );
    return false;
  }
  const last = log.lastEntryId();
  if (log.matches({ index, term })) {
    // The log holds all of it: only the mark was behind. Throwing the log away could undo acknowledgements.
    raft.trace(
      'info',
      () =>
        `${raft.id} [commit: ${log.committed}, lastindex: ${last.index}, lastterm: ${last.term}] fast-forwarded commit to snapshot [index: ${index}, term: ${term}]`,
    );
    log.commitTo(index);
    return false;
  }
  raft.trace(
    'info',
    () =>
      `log [committed=${log.committed}, applied=${log.applied}, applying=${log.applying}, unstable.offset=${log.unstable.offset}, unstable.offsetInProgress=${log.unstable.offsetInProgress}, len(unstable.Entries)=${log.unstable.entries.length}] starts to restore snapshot [index: ${index}, term: ${term}]`,
  );
  log.restore(snapshot);
  // Work that the state machine has already is of the log before the snapshot, and so are the changes in it.
  if (raft.applyWork > 0) {
    raft.outdated = { membership: raft.outdated?.membership ?? raft.membership, applyWork: raft.applyWork };
  }
  switchTo(raft, restoreMembership(confState, log.lastIndex(), raft.inflightLimits));
  raft.trace(
    'info',
    () =>
      `${raft.id} [commit: ${log.committed}, lastindex: ${index}, lastterm: ${term}] restored snapshot [index: ${index}, term: ${term}]`,
  );
  return true;
}

function forgetLeader(raft: Raft): void {
  if (raft.options.readOnly === 'leaseBased') {
    // A vote it would give now could elect a second leader within the first one's lease.
    raft.trace('error', () => 'ignoring MsgForgetLeader due to ReadOnlyLeaseBased');
    return;
  }
  if (raft.lead === 0) return;
  raft.trace('info', () => `${raft.id} forgetting leader ${raft.lead} at term ${raft.term}`);
  raft.lead = 0;
}
