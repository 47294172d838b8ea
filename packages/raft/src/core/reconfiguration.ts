/** How a node comes to another configuration: when a change is applied, at the start, and by a snapshot. */
import { Changer, type Membership } from './configuration/changer.js';
import { type ConfChange, entersJoint, leavesJoint } from './configuration/conf-change.js';
import { type ConfState, confStateOf } from './configuration/configuration.js';
import { describeConfiguration } from './describe.js';
import { answerRead } from './leader.js';
import { isVoter } from './quorum/joint.js';
import type { Raft } from './raft.js';
import { broadcastAppend, sendAppend } from './replication.js';

/**
 * Applies a change. Throws `RaftError` `INVALID_CONFIGURATION`; then nothing has changed. Changes in work that the state
 * machine had before a snapshot came do not touch the configuration that came with it: they are in it already.
 */
export function applyConfChange(raft: Raft, change: ConfChange): ConfState {
  const { outdated } = raft;
  const membership = changed(raft, outdated?.membership ?? raft.membership, change);
  if (outdated === undefined) switchTo(raft, membership);
  else outdated.membership = membership;
  return confStateOf(membership.configuration);
}

function changed(raft: Raft, membership: Membership, change: ConfChange): Membership {
  const lastIndex = raft.log.lastIndex();
  const changer = new Changer({ ...membership, lastIndex, inflightLimits: raft.inflightLimits });
  const joint = entersJoint(change);
  if (leavesJoint(change)) return changer.leaveJoint();
  return joint === undefined ? changer.simple(change.changes) : changer.enterJoint(joint.autoLeave, change.changes);
}

/** Takes a membership over, with what follows from it for a leader. */
export function switchTo(raft: Raft, membership: Membership): void {
  raft.membership = membership;
  raft.memberIds = [...membership.progress.keys()].sort((a, b) => a - b);
  raft.trace('info', () => `${raft.id} switched to configuration ${describeConfiguration(membership.configuration)}`);
  if (raft.state !== 'StateLeader') return;
  const own = membership.progress.get(raft.id);
  if (own === undefined || own.isLearner) {
    // It goes on leading those who remain until somebody else is elected, unless it was told not to.
    if (raft.options.stepDownOnRemoval) raft.becomeFollower(raft.term, 0);
    return;
  }
  if (membership.configuration.voters.incoming.size === 0) return;
  if (raft.maybeCommit()) {
    // A smaller quorum may have what a larger one had not.
    broadcastAppend(raft);
  } else {
    // Who is new need not wait for the next heartbeat.
    raft.visit((id) => {
      if (id !== raft.id) sendAppend(raft, id, false);
    });
  }
  // Those whose confirmation was missing may have left, and will not be asked again.
  for (const { request, index } of raft.reads.release(membership.configuration.voters, raft.id)) {
    answerRead(raft, request, index);
  }
  if (!isVoter(membership.configuration.voters, raft.leadTransferee)) raft.leadTransferee = 0;
}
