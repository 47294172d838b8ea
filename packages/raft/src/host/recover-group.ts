/**
 * When a majority of a group's voters is lost for good, nobody can be elected and nothing be committed any more. What is
 * left is to declare one survivor to be all there is: entries that take everybody else out of the group are put behind its
 * log and called committed, in a term of their own, as a leader would have done. Whatever its log holds counts from then
 * on; what only the lost ones held is gone. Nothing here may run while the group is open.
 */
import { Changer, restoreMembership } from '../core/configuration/changer.js';
import {
  type ConfChange,
  decodeConfChange,
  encodeConfChange,
  entersJoint,
  leavesJoint,
} from '../core/configuration/conf-change.js';
import { type ConfState, confStateOf } from '../core/configuration/configuration.js';
import { type Entry, noData } from '../core/entry.js';
import { RaftError } from '../core/raft-error.js';
import type { GroupLog } from '../ports/group-log.js';
import { alignLog } from './align-log.js';
import { isAlone, membersOf } from './configuration-history.js';
import type { GroupOptions } from './host-options.js';

/** What a group's log on this node holds. Among survivors the one with the higher last term, then the higher last index, holds most. */
export interface GroupRemains {
  readonly groupId: number;
  /** The last term that was heard of. */
  readonly term: number;
  /** Entries up to here are known to be committed. */
  readonly commitIndex: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
  /** At the end of the log. */
  readonly configuration: ConfState;
}

/** Puts log and state in line with each other, as opening the group does, and says what is there. Rejects as that does. */
export async function groupRemains(
  log: GroupLog,
  options: GroupOptions<unknown>,
  nodeId: number,
): Promise<GroupRemains> {
  await alignLog(log, options, nodeId);
  const { hardState, confState } = log.initialState();
  const lastIndex = log.lastIndex();
  const lastTerm = log.term(lastIndex);
  return {
    groupId: options.groupId,
    term: hardState.term,
    commitIndex: Math.min(Math.max(hardState.commit, options.machine.appliedIndex), lastIndex),
    lastIndex,
    lastTerm: typeof lastTerm === 'number' ? lastTerm : 0,
    configuration: endOf(log, confState),
  };
}

/**
 * Makes this node the only member of a group, from the end of its log on, with `commands` behind. Durable when it
 * resolves. Done again it changes nothing but that the commands are there once more.
 */
export async function recoverGroup(
  log: GroupLog,
  remains: GroupRemains,
  nodeId: number,
  commands: readonly Uint8Array[],
): Promise<void> {
  const changes = changesToAlone(remains.configuration, nodeId);
  if (changes.length === 0 && commands.length === 0) return;
  const term = Math.max(remains.term, remains.lastTerm) + 1;
  const data = [
    ...changes.map((change) => ({ type: 'EntryConfChangeV2' as const, data: change })),
    ...commands.map((command) => ({ type: 'EntryNormal' as const, data: command })),
  ];
  const entries = data.map((one, i): Entry => ({ ...one, term, index: remains.lastIndex + 1 + i }));
  const commit = remains.lastIndex + entries.length;
  await log.append({ snapshot: undefined, entries, hardState: { term, vote: nodeId, commit } });
}

/** One change after the other, none of which needs anybody's consent: each takes effect where it is applied. */
function changesToAlone(configuration: ConfState, nodeId: number): readonly Uint8Array[] {
  if (isAlone(configuration, nodeId)) return [];
  const members = membersOf(configuration);
  if (!members.includes(nodeId)) {
    const who = members.length === 0 ? 'nobody' : `the nodes ${members.join(', ')}`;
    throw new RaftError(
      'INVALID_CONFIGURATION',
      `node ${nodeId} is not in the group, ${who} are: it holds no copy of it`,
    );
  }
  const change = (type: 'addNode' | 'removeNode', id: number) =>
    encodeConfChange({ transition: 'auto', changes: [{ type, nodeId: id }] });
  return [
    ...(configuration.votersOutgoing.length > 0 ? [noData] : []),
    change('addNode', nodeId),
    ...members.filter((id) => id !== nodeId).map((id) => change('removeNode', id)),
  ];
}

/** The configuration when all of the log has been applied. */
function endOf(log: GroupLog, start: ConfState): ConfState {
  const inflightLimits = { maxMessages: 1, maxBytes: 1 };
  let membership = restoreMembership(start, log.lastIndex(), inflightLimits);
  for (let at = log.firstIndex(); at <= log.lastIndex(); ) {
    const entries = log.entries(at, log.lastIndex() + 1, readBytes);
    if (typeof entries === 'string' || entries.length === 0) break;
    for (const { type, data } of entries) {
      if (type === 'EntryNormal') continue;
      const changer = new Changer({ ...membership, lastIndex: log.lastIndex(), inflightLimits });
      membership = changed(changer, decodeConfChange(data)) ?? membership;
    }
    at += entries.length;
  }
  return confStateOf(membership.configuration);
}

const readBytes = 1_048_576;

/** `undefined` where the configuration cannot take it: then it changes nothing, on every node. */
function changed(changer: Changer, change: ConfChange) {
  try {
    if (leavesJoint(change)) return changer.leaveJoint();
    const joint = entersJoint(change);
    return joint === undefined ? changer.simple(change.changes) : changer.enterJoint(joint.autoLeave, change.changes);
  } catch (error) {
    if (error instanceof RaftError) return undefined;
    throw error;
  }
}
