/** What a leader sends to its followers: appends, snapshots, heartbeats. */
import { invariant } from '@shanghai/env';
import { describeProgress } from './describe.js';
import { payloadBytes } from './entry.js';
import type { Progress } from './progress/progress.js';
import type { Raft } from './raft.js';

/** An append to every other member, with whatever is new for it, even if that is nothing. */
export function broadcastAppend(raft: Raft): void {
  raft.visit((id) => {
    if (id !== raft.id) sendAppend(raft, id, true);
  });
}

/** A heartbeat to every other member. */
export function broadcastHeartbeat(raft: Raft): void {
  const { round } = raft.reads;
  raft.visit((id, progress) => {
    if (id === raft.id) return;
    // A follower may not hold all that is committed: it must not commit what it has not got.
    const commit = Math.min(progress.match, raft.log.committed);
    raft.send({ type: 'MsgHeartbeat', to: id, commit, context: round });
    progress.sentCommit = commit;
  });
}

/**
 * Sends the next entries to a follower, or a snapshot where they are not there any more; nothing where it is paused.
 * `sendIfEmpty`: also where there are none, to probe or to tell what is committed. Returns whether something was sent.
 */
export function sendAppend(raft: Raft, to: number, sendIfEmpty: boolean): boolean {
  const progress = raft.progress.get(to);
  invariant(progress !== undefined, `${to} is not a member`);
  if (progress.isPaused) return false;
  const previous = progress.next - 1;
  const logTerm = raft.log.term(previous);
  if (typeof logTerm === 'string') return sendSnapshot(raft, to, progress);
  const isFull = progress.state === 'StateReplicate' && progress.inflights.isFull;
  const entries = isFull ? [] : raft.log.entries(progress.next, raft.options.maxSizePerMessage);
  if (typeof entries === 'string') return sendSnapshot(raft, to, progress);
  if (entries.length === 0 && !sendIfEmpty) return false;
  const commit = raft.log.committed;
  raft.send({ type: 'MsgApp', to, index: previous, logTerm, entries, commit });
  progress.sentEntries(entries.length, payloadBytes(entries));
  progress.sentCommit = commit;
  return true;
}

function sendSnapshot(raft: Raft, to: number, progress: Progress): boolean {
  if (!progress.recentActive) {
    raft.trace('debug', () => `ignore sending snapshot to ${to} since it is not recently active`);
    return false;
  }
  const snapshot = raft.log.snapshot();
  if (snapshot === 'unavailable') {
    raft.trace(
      'debug',
      () => `${raft.id} failed to send snapshot to ${to} because snapshot is temporarily unavailable`,
    );
    return false;
  }
  const { index, term } = snapshot.metadata;
  invariant(index > 0, 'a snapshot to send is empty');
  raft.trace(
    'debug',
    () =>
      `${raft.id} [firstindex: ${raft.log.firstIndex()}, commit: ${raft.log.committed}] sent snapshot[index: ${index}, term: ${term}] to ${to} [${describeProgress(progress)}]`,
  );
  progress.becomeSnapshot(index);
  raft.trace('debug', () => `${raft.id} paused sending replication messages to ${to} [${describeProgress(progress)}]`);
  raft.send({ type: 'MsgSnap', to, snapshot });
  return true;
}
