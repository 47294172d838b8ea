/**
 * Puts a group's log and its state in line with each other before the group takes part: after the first start, after a
 * crash between the two, after a log that lost its end.
 */
import { emptyConfState } from '../core/configuration/configuration.js';
import { type Entry, emptyHardState, type HardState, noData, type SnapshotMetadata } from '../core/entry.js';
import { RaftError } from '../core/raft-error.js';
import type { GroupLog } from '../ports/group-log.js';
import { isOnlyVoter } from './configuration-history.js';
import type { GroupOptions } from './host-options.js';

/** Behind this entry every group's log begins: who its first members are is known there. */
export const originIndex = 1;

/** And its term. */
export const originTerm = 1;

/** Rejects with `RaftError` `LOG_DAMAGED`. */
export async function alignLog(log: GroupLog, options: GroupOptions<unknown>, nodeId: number): Promise<void> {
  const { machine } = options;
  if (machine.restored !== undefined) await finishRestore(log, machine.restored);
  if (log.lastIndex() === 0 && machine.appliedIndex === 0) await begin(log, options);
  if (machine.appliedIndex > log.lastIndex()) await goOnBehindState(log, options, nodeId);
  await applyUpToStart(log, options);
}

/** A state was put in, and a crash came before the log was cut: what the log holds is of before. */
async function finishRestore(log: GroupLog, restored: SnapshotMetadata): Promise<void> {
  const { index, term } = restored;
  if (index < log.firstIndex() - 1 || log.term(index) === term) return;
  const { hardState } = log.initialState();
  const raised = {
    term: Math.max(hardState.term, term),
    vote: hardState.term < term ? 0 : hardState.vote,
    commit: index,
  };
  await log.append({ snapshot: restored, entries: [], hardState: raised });
}

/** The first start of a first member; one that is yet to be made a member has nothing to begin with. */
async function begin(log: GroupLog, { initial }: GroupOptions<unknown>): Promise<void> {
  const { hardState, confState } = log.initialState();
  const members = confState.voters.length > 0 ? confState : (initial ?? emptyConfState);
  if (members.voters.length === 0) return;
  const snapshot = { index: originIndex, term: originTerm, confState: members };
  const term = Math.max(hardState.term, originTerm);
  await log.append({ snapshot, entries: [], hardState: { term, vote: hardState.vote, commit: originIndex } });
}

/** The state is ahead of the log: only where the log may have lost its end, and nobody else has other ideas of it. */
async function goOnBehindState(log: GroupLog, options: GroupOptions<unknown>, nodeId: number): Promise<void> {
  const { machine, groupId, initial } = options;
  const { hardState, confState } = log.initialState();
  const members = confState.voters.length > 0 ? confState : (initial ?? emptyConfState);
  if (options.mayLackEnd !== true || !isOnlyVoter(members, nodeId)) {
    const what = `the log of group ${groupId} ends at ${log.lastIndex()}, but the state has applied ${machine.appliedIndex}`;
    throw new RaftError('LOG_DAMAGED', `${what}: entries were lost; let this node join anew`);
  }
  const lastTerm = log.term(log.lastIndex());
  const term = Math.max(hardState.term, typeof lastTerm === 'number' ? lastTerm : 0, originTerm);
  const snapshot = { index: machine.appliedIndex, term, confState: members };
  await log.append({ snapshot, entries: [], hardState: { term, vote: hardState.vote, commit: snapshot.index } });
}

/** The core begins behind the first entry it can see; a state that is not there yet is brought there. */
async function applyUpToStart(log: GroupLog, { machine, groupId }: GroupOptions<unknown>): Promise<void> {
  if (log.lastIndex() === 0 || machine.appliedIndex >= Math.max(log.firstIndex() - 1, originIndex)) return;
  const isAtOrigin = machine.appliedIndex === 0 && log.firstIndex() <= originIndex + 1;
  if (!isAtOrigin) {
    const what = `the log of group ${groupId} begins at ${log.firstIndex()}, but the state has applied ${machine.appliedIndex}`;
    throw new RaftError('LOG_DAMAGED', `${what}: what is between was given up; let this node join anew`);
  }
  const stored = log.firstIndex() > originIndex ? 'compacted' : log.entries(originIndex, originIndex + 1, 0);
  const origin: Entry = { index: originIndex, term: originTerm, type: 'EntryNormal', data: noData };
  await machine.apply(typeof stored === 'string' ? [origin] : stored);
}

/** The hard state that the core begins with: more may be known to be committed than was written. */
export function startingHardState(log: GroupLog, leastCommit: number): HardState {
  const { hardState } = log.initialState();
  if (log.lastIndex() === 0) return hardState.term === 0 ? emptyHardState : hardState;
  const least = Math.max(log.firstIndex() - 1, originIndex, leastCommit);
  return { ...hardState, commit: Math.min(Math.max(hardState.commit, least), log.lastIndex()) };
}
