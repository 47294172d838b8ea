import type { ConfChange } from '../core/configuration/conf-change.js';
import type { ConfState } from '../core/configuration/configuration.js';
import type { Entry, StateType } from '../core/entry.js';
import type { ProgressState } from '../core/progress/progress.js';

/** One group on this node: what its owner calls. Rejections are `ProposalError`s unless named otherwise. */
export interface RaftGroup<Result> {
  readonly groupId: number;
  /**
   * Proposes a command, which must not be changed any more. Resolves to what applying it here gave, once it is durable on
   * a majority. Commands are applied in the order of the calls. Only the leader takes it: nothing is passed on.
   */
  propose(data: Uint8Array): Promise<Result>;
  /** As `propose`, for whoever does many: tells `done` once, possibly before it returns. Neither call may throw. */
  submit(data: Uint8Array, done: ProposalDone<Result>): void;
  /**
   * An index such that a state with it applied shows every command acknowledged before the call: a majority confirms the
   * leader in a round that begins afterwards. Calls share rounds. Followers ask their leader. Does not wait for applying.
   */
  readIndex(): Promise<number>;
  /** Changes who is in the group; resolves to the configuration at the change's own entry, applied here. Leader only. */
  changeConfiguration(change: ConfChange): Promise<ConfState>;
  /** Hands leadership to a voter; resolves when this node no longer leads. Rejects when it still does after an election timeout. */
  transferLeadership(to: number): Promise<void>;
  /**
   * Says what is durable outside the log. The log is cut behind it when it is larger than what is to be kept; entries
   * near the end stay, for followers that are a little behind. Resolves when the cut, if any, is durable.
   */
  compact(durableIndex: number): Promise<void>;
  /**
   * Entries [from, to) of the log as far as they have together at most `maxBytes`, at least one; `compacted` where `from`
   * was given up. `to - 1` is at most the applied index, so all of them are committed. Not to be changed.
   */
  committedEntries(from: number, to: number, maxBytes: number): readonly Entry[] | 'compacted';
  status(): GroupStatus;
  /** Takes no more proposals, waits for those in flight up to `drainMs`, then leaves the rest with an unknown outcome. Idempotent. */
  close(drainMs: number): Promise<void>;
}

/** Whom the end of a proposal is told: one of the two, once. */
export interface ProposalDone<Result> {
  resolve(result: Result): void;
  reject(error: Error): void;
}

/** Why a proposal or a read did not get through, and how far it had come. */
export type ProposalErrorCode =
  /** Another node leads, or none that is known. Nothing was done. */
  | 'NOT_LEADER'
  /** As much is in flight as may be. Nothing was done. */
  | 'BUSY'
  /** It is larger than an entry may be. Nothing was done. */
  | 'TOO_LARGE'
  /** The disk is full. Nothing was done. */
  | 'FULL'
  /** Another command took its place in the log. Nothing was done. */
  | 'SUPERSEDED'
  /** The group takes nothing any more: closed, or failed for good. Nothing was done. */
  | 'CLOSED'
  /** A change that cannot be made now, or at all. Nothing was done. */
  | 'REFUSED'
  /** It may be applied later, or not. */
  | 'UNKNOWN';

/** Where a proposal was when it ended; each includes those before it. */
export type ProposalStage = 'queued' | 'appended' | 'committed' | 'applied';

/** Where a group stands on this node. */
export interface GroupStatus {
  readonly groupId: number;
  readonly role: StateType;
  readonly isLearner: boolean;
  /** 0 = not known. */
  readonly leaderId: number;
  readonly term: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly logBytes: number;
  readonly configuration: ConfState;
  /** What a leader knows of the others; empty elsewhere. */
  readonly replicas: readonly ReplicaStatus[];
  readonly proposalsInFlight: number;
  readonly isAsleep: boolean;
  /** First members that have to be heard before the group begins (`GroupOptions.beginsTogether`); ascending. */
  readonly awaits: readonly number[];
  /** Milliseconds since the leader was last heard; 0 where this node leads; `undefined` where it never was. */
  readonly leaderHeardMsAgo: number | undefined;
  /** `full`: no space on the disk. `stalled`: the disk does not answer. `restoring`: a snapshot is put in. */
  readonly state: 'open' | 'full' | 'stalled' | 'restoring' | 'failed' | 'closed';
}

/** Another member as its leader sees it. */
export interface ReplicaStatus {
  readonly nodeId: number;
  readonly state: ProgressState;
  readonly matchIndex: number;
  readonly isLearner: boolean;
  /** Heard of within the last election timeout. */
  readonly isActive: boolean;
  /** Share of a snapshot's bytes that were sent, where one is on its way. */
  readonly snapshotSent: number | undefined;
}
