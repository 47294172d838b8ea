/** What a leader does with messages. */
import { decodeConfChange, leavesJoint } from './configuration/conf-change.js';
import { isJoint } from './configuration/configuration.js';
import { describeConfiguration, describeProgress } from './describe.js';
import type { DropReason } from './drop-reason.js';
import { type Entry, noData, type Proposal } from './entry.js';
import type { Message } from './message.js';
import type { Progress } from './progress/progress.js';
import { jointVote } from './quorum/joint.js';
import type { Raft } from './raft.js';
import { maxWaitingReads } from './read-rounds.js';
import { broadcastAppend, broadcastHeartbeat, sendAppend } from './replication.js';

/** A message to a leader, at its term. */
export function stepLeader(raft: Raft, message: Message): DropReason | undefined {
  switch (message.type) {
    case 'MsgBeat':
      broadcastHeartbeat(raft);
      return undefined;
    case 'MsgCheckQuorum':
      checkQuorum(raft);
      return undefined;
    case 'MsgProp':
      return propose(raft, message.entries);
    case 'MsgReadIndex':
      return read(raft, message);
    case 'MsgForgetLeader':
      return undefined;
    default:
      stepFromMember(raft, message);
      return undefined;
  }
}

function stepFromMember(raft: Raft, message: Message): void {
  const progress = raft.progress.get(message.from);
  if (progress === undefined) {
    raft.trace('debug', () => `${raft.id} no progress available for ${message.from}`);
    return;
  }
  switch (message.type) {
    case 'MsgAppResp':
      progress.recentActive = true;
      if (message.reject) handleRejection(raft, message, progress);
      else handleAcknowledgement(raft, message, progress);
      return;
    case 'MsgHeartbeatResp':
      handleHeartbeatResponse(raft, message, progress);
      return;
    case 'MsgSnapStatus':
      handleSnapshotStatus(raft, message, progress);
      return;
    case 'MsgUnreachable':
      // What was sent ahead is probably lost: begin again from what is known.
      if (progress.state === 'StateReplicate') progress.becomeProbe();
      raft.trace(
        'debug',
        () =>
          `${raft.id} failed to send message to ${message.from} because it is unreachable [${describeProgress(progress)}]`,
      );
      return;
    case 'MsgTransferLeader':
      transferLeadership(raft, message.from, progress);
      return;
  }
}

function checkQuorum(raft: Raft): void {
  const { voters } = raft.membership.configuration;
  const active = jointVote(voters, (id) => raft.progress.get(id)?.recentActive === true);
  if (active !== 'VoteWon') {
    raft.trace('warn', () => `${raft.id} stepped down to follower since quorum is not active`);
    raft.becomeFollower(raft.term, 0);
  }
  // Heard of since now, by the next check.
  raft.visit((id, progress) => {
    if (id !== raft.id) progress.recentActive = false;
  });
}

function propose(raft: Raft, entries: readonly Entry[]): DropReason | undefined {
  if (!raft.progress.has(raft.id)) return 'notMember';
  if (raft.leadTransferee !== 0) return 'transferring';
  const pendingBefore = raft.pendingConfIndex;
  const firstIndex = raft.log.lastIndex() + 1;
  const proposals = entries.map((entry, i) => checked(raft, entry, firstIndex + i));
  if (!raft.appendEntries(proposals)) {
    raft.pendingConfIndex = pendingBefore;
    return 'tooMuchUncommitted';
  }
  broadcastAppend(raft);
  return undefined;
}

/** A change that cannot be known to be safe becomes an entry without meaning: its proposer sees that it was not made. */
function checked(raft: Raft, { type, data }: Entry, index: number): Proposal {
  if (type === 'EntryNormal') return { type, data };
  const why = raft.options.disableConfChangeValidation ? undefined : refusalOf(raft, data);
  if (why === undefined) {
    raft.pendingConfIndex = index;
    return { type, data };
  }
  raft.trace(
    'info',
    () => `${raft.id} ignoring conf change at config ${describeConfiguration(raft.membership.configuration)}: ${why}`,
  );
  return { type: 'EntryNormal', data: noData };
}

function refusalOf(raft: Raft, data: Uint8Array): string | undefined {
  const { pendingConfIndex, log, membership } = raft;
  if (pendingConfIndex > log.applied) {
    return `possible unapplied conf change at index ${pendingConfIndex} (applied to ${log.applied})`;
  }
  const leaves = leavesJoint(decodeConfChange(data));
  if (isJoint(membership.configuration)) return leaves ? undefined : 'must transition out of joint config first';
  return leaves ? 'not in joint state; refusing empty conf change' : undefined;
}

function read(raft: Raft, message: Message): DropReason | undefined {
  // Also the only voter does not know before: the commit index that it has stored may be behind what it acknowledged.
  if (!raft.hasCommittedInTerm) {
    if (raft.earlyReads.length >= maxWaitingReads) return 'tooManyReads';
    raft.earlyReads.push(message);
    return undefined;
  }
  if (raft.reads.isFull) return 'tooManyReads';
  beginRead(raft, message);
  return undefined;
}

function beginRead(raft: Raft, message: Message): void {
  const isLeased = raft.options.readOnly === 'leaseBased' && !raft.hasOfferedLeadership;
  if (isLeased || isOnlyVoter(raft)) answerRead(raft, message, raft.log.committed);
  else if (raft.reads.bind(message, raft.log.committed)) broadcastHeartbeat(raft);
}

/** Whether nobody else could lead. A leader that has left a group of one is not it. */
function isOnlyVoter({ id, membership }: Raft): boolean {
  const { incoming, outgoing } = membership.configuration.voters;
  return outgoing.size === 0 && incoming.size === 1 && incoming.has(id);
}

/** Tells who asked, here or elsewhere, at which index it may read. */
export function answerRead(raft: Raft, { from, context }: Message, index: number): void {
  if (from === 0 || from === raft.id) raft.readStates.push({ index, context });
  else raft.send({ type: 'MsgReadIndexResp', to: from, index, context });
}

function handleRejection(raft: Raft, { from, index, rejectHint, logTerm }: Message, progress: Progress): void {
  raft.trace(
    'debug',
    () =>
      `${raft.id} received MsgAppResp(rejected, hint: (index ${rejectHint}, term ${logTerm})) from ${from} for index ${index}`,
  );
  // The follower has `logTerm` at the hint and nothing behind it matches. No entry here with a higher term can be in the
  // follower's log at or before the hint: skip to the last one that could.
  const probe = logTerm > 0 ? raft.log.findConflictByTerm(rejectHint, logTerm).index : rejectHint;
  if (!progress.maybeDecrease(index, probe)) return;
  raft.trace('debug', () => `${raft.id} decreased progress of ${from} to [${describeProgress(progress)}]`);
  if (progress.state === 'StateReplicate') progress.becomeProbe();
  sendAppend(raft, from, true);
}

function handleAcknowledgement(raft: Raft, { from, index }: Message, progress: Progress): void {
  // A probe that is answered with what was known already still shows that the follower listens.
  const isProbed = progress.match === index && progress.state === 'StateProbe';
  if (!progress.maybeUpdate(index) && !isProbed) return;
  if (progress.state === 'StateProbe') progress.becomeReplicate();
  else if (progress.state === 'StateReplicate') progress.inflights.freeUpTo(index);
  else if (progress.match + 1 >= raft.log.firstIndex()) {
    // However it got there: the log reaches it, so the snapshot need not be waited for.
    raft.trace(
      'debug',
      () =>
        `${raft.id} recovered from needing snapshot, resumed sending replication messages to ${from} [${describeProgress(progress)}]`,
    );
    progress.becomeProbe();
    progress.becomeReplicate();
  }
  if (raft.maybeCommit()) {
    for (const early of raft.earlyReads.splice(0)) beginRead(raft, early);
    broadcastAppend(raft);
  } else if (from !== raft.id && progress.canRaiseCommit(raft.log.committed)) {
    sendAppend(raft, from, true);
  }
  if (from !== raft.id) {
    // The window may have opened by more than one message.
    while (sendAppend(raft, from, false));
  }
  if (from === raft.leadTransferee && progress.match === raft.log.lastIndex()) {
    raft.trace('info', () => `${raft.id} sent MsgTimeoutNow to ${from} after received MsgAppResp`);
    raft.send({ type: 'MsgTimeoutNow', to: from });
  }
}

function handleHeartbeatResponse(raft: Raft, { from, context }: Message, progress: Progress): void {
  progress.recentActive = true;
  progress.appendsPaused = false;
  // Where the window is full of messages that were lost, or a probe was, this sets things going again.
  if (progress.match < raft.log.lastIndex() || progress.state === 'StateProbe') sendAppend(raft, from, true);
  if (context === 0) return;
  const confirmed = raft.reads.confirm(from, context, raft.membership.configuration.voters, raft.id);
  for (const { request, index } of confirmed) answerRead(raft, request, index);
}

function handleSnapshotStatus(raft: Raft, { from, reject }: Message, progress: Progress): void {
  if (progress.state !== 'StateSnapshot') return;
  // Where it did not arrive, probing must not begin behind it.
  if (reject) progress.pendingSnapshot = 0;
  progress.becomeProbe();
  raft.trace(
    'debug',
    () =>
      `${raft.id} snapshot ${reject ? 'failed' : 'succeeded'}, resumed sending replication messages to ${from} [${describeProgress(progress)}]`,
  );
  // Nothing until it answers or the next heartbeat: it has just been given a lot to do.
  progress.appendsPaused = true;
}

function transferLeadership(raft: Raft, to: number, progress: Progress): void {
  if (progress.isLearner) {
    raft.trace('debug', () => `${to} is learner. Ignored transferring leadership`);
    return;
  }
  if (raft.leadTransferee === to) {
    raft.trace(
      'info',
      () =>
        `${raft.id} [term ${raft.term}] transfer leadership to ${to} is in progress, ignores request to same node ${to}`,
    );
    return;
  }
  if (raft.leadTransferee !== 0) {
    raft.trace(
      'info',
      () => `${raft.id} [term ${raft.term}] abort previous transferring leadership to ${raft.leadTransferee}`,
    );
    raft.leadTransferee = 0;
  }
  if (to === raft.id) {
    raft.trace('debug', () => `${raft.id} is already leader. Ignored transferring leadership to self`);
    return;
  }
  raft.trace('info', () => `${raft.id} [term ${raft.term}] starts to transfer leadership to ${to}`);
  // It has an election timeout from now.
  raft.electionElapsed = 0;
  raft.leadTransferee = to;
  raft.hasOfferedLeadership = true;
  if (progress.match === raft.log.lastIndex()) {
    raft.trace('info', () => `${raft.id} sends MsgTimeoutNow to ${to} immediately as ${to} already has up-to-date log`);
    raft.send({ type: 'MsgTimeoutNow', to });
  } else {
    sendAppend(raft, to, true);
  }
}
