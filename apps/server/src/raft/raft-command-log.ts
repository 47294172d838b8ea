/**
 * The command log of a group on this node: consensus behind the port. It puts the refusals of consensus into the words
 * of the server, names the leader in them, and refuses while what is applied waits for space on the disk.
 */
import {
  type ConfChange,
  type Entry,
  type GroupStatus,
  type ProposalDone,
  ProposalError,
  type RaftGroup,
  type ReplicaStatus,
  type StateType,
} from '@shanghai/raft';
import type { NodeEntry } from '../apply/catalogue-command.js';
import { ServerError } from '../requests/server-error.js';
import type { CommandLog, CommandLogStatus } from './command-log.js';
import {
  fullHere,
  notLeader,
  outcomeUnknown,
  type ProposalLimits,
  storageFull,
  superseded,
  tooLarge,
  tooMuchInFlight,
  unavailable,
} from './proposal-refusals.js';

/** What a command log is made of. */
export interface RaftCommandLogOptions<Result> {
  readonly group: RaftGroup<Result>;
  /** The node table now, for the addresses of the leader. */
  readonly nodes: () => readonly NodeEntry[];
  /** Whether applying waits for space on the disk. */
  readonly waitsForSpace: () => boolean;
  /** Whether the disk has not answered for longer than it may. */
  readonly isStalled: () => boolean;
  /** Why the group cannot go on, once it cannot. */
  readonly failure: () => Error | undefined;
  readonly limits: ProposalLimits;
}

/** One group's log. */
export class RaftCommandLog<Result> implements CommandLog<Result> {
  readonly groupId: number;
  readonly #options: RaftCommandLogOptions<Result>;
  readonly #group: RaftGroup<Result>;
  readonly #rejectProposal = (error: unknown): never => {
    throw this.#translated(error);
  };
  readonly #rejectRead = (error: unknown): never => {
    throw this.#readFailure(error);
  };

  constructor(options: RaftCommandLogOptions<Result>) {
    this.#options = options;
    this.#group = options.group;
    this.groupId = options.group.groupId;
  }

  propose(command: Uint8Array): Promise<Result> {
    return new Promise((resolve, reject) => this.submit(command, { resolve, reject }));
  }

  submit(command: Uint8Array, done: ProposalDone<Result>): void {
    if (this.#options.waitsForSpace()) {
      done.reject(this.#isAlone() ? storageFull(undefined) : fullHere(this.groupId, undefined));
      return;
    }
    this.#group.submit(command, {
      resolve: (result) => done.resolve(result),
      reject: (error) => done.reject(this.#translated(error) as Error),
    });
  }

  readIndex(): Promise<number> {
    return this.#group.readIndex().catch(this.#rejectRead);
  }

  compact(index: number): Promise<void> {
    return this.#group.compact(index);
  }

  entries(from: number, to: number, maxBytes: number): readonly Entry[] | 'compacted' {
    return this.#group.committedEntries(from, to, maxBytes);
  }

  status(): CommandLogStatus {
    const raft = this.#group.status();
    const { leaderId, term, firstIndex, lastIndex, commitIndex, appliedIndex, proposalsInFlight } = raft;
    return {
      role: roleOf(raft),
      leaderNodeId: leaderId,
      term,
      firstIndex,
      lastIndex,
      commitIndex,
      appliedIndex,
      proposalsInFlight,
      state: this.#stateOf(raft),
      isStalled: raft.state === 'stalled' || this.#options.isStalled(),
      raft,
    };
  }

  async stepAside(unlike?: number): Promise<number | undefined> {
    const { role, replicas } = this.#group.status();
    if (role !== 'StateLeader') return undefined;
    const successor = bestVoter(replicas.filter(({ nodeId }) => nodeId !== unlike)) ?? bestVoter(replicas);
    if (successor !== undefined) await this.#group.transferLeadership(successor).catch(() => undefined);
    return successor;
  }

  async changeConfiguration(change: ConfChange): Promise<void> {
    await this.#group.changeConfiguration(change).catch(this.#rejectProposal);
  }

  handOver(to: number): Promise<void> {
    return this.#group.transferLeadership(to).catch(this.#rejectProposal);
  }

  close(drainMs: number): Promise<void> {
    return this.#group.close(drainMs);
  }

  #stateOf({ state }: GroupStatus): CommandLogStatus['state'] {
    const shown = state === 'stalled' ? 'open' : state;
    return shown === 'open' && this.#options.waitsForSpace() ? 'full' : shown;
  }

  #translated(error: unknown): unknown {
    if (!(error instanceof ProposalError)) return error;
    const { groupId } = this;
    const { limits, failure } = this.#options;
    switch (error.code) {
      case 'NOT_LEADER':
        return this.#notLeader(error.leaderId);
      case 'BUSY':
        return tooMuchInFlight(this.#group.status().proposalsInFlight, limits);
      case 'TOO_LARGE':
        return tooLarge(error.message, limits);
      case 'FULL':
        return this.#isAlone() ? storageFull(error) : fullHere(groupId, error);
      case 'SUPERSEDED':
        return superseded(groupId, error);
      case 'CLOSED':
        return unavailable(groupId, failure());
      case 'REFUSED':
        return new ServerError('CLUSTER_ERROR', `group ${groupId} refused: ${error.message}; nothing was done`, {
          cause: error,
        });
      case 'UNKNOWN':
        return outcomeUnknown(groupId, error.stage, failure() ?? error);
    }
  }

  #isAlone(): boolean {
    const { voters, votersOutgoing } = this.#group.status().configuration;
    return voters.length + votersOutgoing.length < 2;
  }

  #readFailure(error: unknown): unknown {
    if (!(error instanceof ProposalError)) return error;
    if (error.code === 'NOT_LEADER') return this.#notLeader(error.leaderId);
    if (error.code === 'CLOSED') return unavailable(this.groupId, this.#options.failure());
    return new ServerError('CLUSTER_ERROR', `a majority of group ${this.groupId} did not confirm in time; try again`, {
      cause: error,
    });
  }

  #notLeader(leaderId: number): ServerError {
    const entry = this.#options.nodes().find(({ nodeId }) => nodeId === leaderId);
    return notLeader(this.groupId, leaderId, entry);
  }
}

function roleOf({ role, isLearner }: GroupStatus): CommandLogStatus['role'] {
  const roles = {
    StateLeader: 'leader',
    StateFollower: 'follower',
    StateCandidate: 'candidate',
    StatePreCandidate: 'candidate',
  } as const satisfies Record<StateType, CommandLogStatus['role']>;
  return isLearner ? 'learner' : roles[role];
}

/** The other voter that is there and has most of the log. */
function bestVoter(replicas: readonly ReplicaStatus[]): number | undefined {
  let best: ReplicaStatus | undefined;
  for (const replica of replicas) {
    if (replica.isLearner || !replica.isActive) continue;
    if (best === undefined || replica.matchIndex > best.matchIndex) best = replica;
  }
  return best?.nodeId;
}
