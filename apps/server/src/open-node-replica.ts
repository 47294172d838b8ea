import type { Clock } from '@shanghai/env';
import { type ConfState, RaftError } from '@shanghai/raft';
import type { NodeEntry } from './apply/catalogue-command.js';
import { maxEntryBytes, type NodeLimits } from './limits.js';
import type { NodeConsensus } from './node-consensus.js';
import type { NodeListener } from './node-events.js';
import { commandJoiner } from './raft/command-joiner.js';
import type { GroupState } from './raft/group-state.js';
import { RaftCommandLog } from './raft/raft-command-log.js';
import { Replica, type TimeAtLeader } from './raft/replica.js';

/** A disk that has not answered for longer is said to be stalled. */
const stalledMs = 1000;

/** What a group's copy is opened with. */
export interface ReplicaOptions {
  /** The replica's from then on. */
  readonly state: GroupState;
  readonly clock: Clock;
  readonly limits: NodeLimits;
  readonly listener: NodeListener;
  readonly consensus: NodeConsensus;
  /** Who is in the group where its log is empty. */
  readonly initial: ConfState;
  /** Whether it begins only when all its first members have met. */
  readonly beginsTogether: boolean;
  /** Whether the write-ahead log may have lost its end: it acknowledges before it syncs, or was repaired offline. */
  readonly mayLackEnd: boolean;
  /** The node table now. */
  readonly nodes: () => readonly NodeEntry[];
  readonly timeAtLeader: TimeAtLeader;
  /** Whether entries of joined commands are understood by now. Absent: every command is an entry of its own. */
  readonly mayJoin?: () => boolean;
}

/**
 * Opens a group's log, and resolves when what it holds is applied: everything that is committed, and where this node is
 * the only voter, everything, for it leads then.
 */
export async function openReplica(options: ReplicaOptions): Promise<Replica> {
  const { state, clock, limits, listener, consensus, initial, beginsTogether, mayLackEnd } = options;
  const { groupId, appliedIndex } = state;
  const startMs = clock.monotonicMs();
  const group = await consensus.host.openGroup({
    ...{ groupId, machine: state, initial, beginsTogether, mayLackEnd },
    ...(options.mayJoin === undefined ? {} : { joiner: commandJoiner(options.mayJoin) }),
  });
  const log = new RaftCommandLog({
    group,
    nodes: options.nodes,
    waitsForSpace: () => state.waitsForSpace,
    isStalled: () => (consensus.waitingMs() ?? 0) > stalledMs,
    failure: () => consensus.events.failure(groupId),
    limits: { ...limits, maxEntryBytes: maxEntryBytes(limits) },
  });
  const replica = new Replica(state, log, clock, limits.readTimeoutMs, {
    timeAtLeader: options.timeAtLeader,
    judgeClock: () => consensus.host.judgeClock(),
    judgeChanged: consensus.events.changed,
  });
  await replayed(replica, consensus);
  const entries = state.appliedIndex - appliedIndex;
  listener.replayed?.({ groupId, entries, durationMs: clock.monotonicMs() - startMs });
  return replica;
}

async function replayed(replica: Replica, { events }: NodeConsensus): Promise<void> {
  const { commitIndex, raft } = replica.log.status();
  const { voters, votersOutgoing } = raft.configuration;
  const isAlone = voters.length === 1 && votersOutgoing.length === 0 && !raft.isLearner;
  const { published } = replica.state.changes;
  const isDone = () => {
    const { role, appliedIndex, lastIndex } = replica.log.status();
    return isAlone ? role === 'leader' && appliedIndex === lastIndex : appliedIndex >= commitIndex;
  };
  for (;;) {
    const seen = [published.count, events.changed.count] as const;
    const failure = events.failure(replica.groupId);
    if (failure !== undefined) throw failure;
    if (isDone()) return;
    if (isAlone && replica.log.status().raft.state === 'full') throw noSpace(replica.groupId);
    await Promise.race([published.wait(undefined, seen[0]), events.changed.wait(undefined, seen[1])]);
  }
}

/** Nobody could be told why nothing happens, so a node alone does not open without space for its log. */
function noSpace(groupId: number): RaftError {
  return new RaftError('LOG_FULL', `no space for the log of group ${groupId}`);
}
