import type { ConfChange, Entry, ProposalDone, GroupStatus as RaftGroupStatus } from '@shanghai/raft';

/** The port between a state machine and the log that orders its commands. `RaftCommandLog` stands behind it. */
export interface CommandLog<Result> {
  readonly groupId: number;
  /**
   * Appends a command and resolves to what applying it gave, once it is durable on a majority and applied here. The
   * caller gives the buffer away. Commands are applied in the order of the calls.
   *
   * Rejects with a `ServerError`: `CLUSTER_ERROR` with the leader where this node does not lead, `RESOURCE_EXHAUSTED`,
   * `STORAGE_FULL`, `SERVICE_UNAVAILABLE` (nothing was done) or `OUTCOME_UNKNOWN`.
   */
  propose(command: Uint8Array): Promise<Result>;
  /** As `propose`, for whoever does many: tells `done` once, possibly before it returns. Neither call may throw. */
  submit(command: Uint8Array, done: ProposalDone<Result>): void;
  /**
   * An index such that a read at `applied ≥ index` sees every command acknowledged before the call; a node that does not
   * lead asks its leader. Rejects with `CLUSTER_ERROR` where there is none, or a majority does not confirm it.
   */
  readIndex(): Promise<number>;
  /** Forgets entries up to `index`, which must be applied durably. Keeps some more where that is cheaper. */
  compact(index: number): Promise<void>;
  /**
   * Entries [from, to), all of them applied here, as far as they have together at most `maxBytes`, at least one;
   * `compacted` where `from` was given up.
   */
  entries(from: number, to: number, maxBytes: number): readonly Entry[] | 'compacted';
  status(): CommandLogStatus;
  /**
   * Hands leadership, if this node has it, to the other voter that has most of the log; to `unlike` only where there is
   * no other. Resolves to whom it was offered. Never rejects; tries for an election timeout at most.
   */
  stepAside(unlike?: number): Promise<number | undefined>;
  /**
   * Changes who is in the group, where this node leads; resolves when the change is applied here. Rejects as `propose`
   * does; `CLUSTER_ERROR` also where the change does not fit the present configuration.
   */
  changeConfiguration(change: ConfChange): Promise<void>;
  /** Hands leadership to a voter. Rejects with `CLUSTER_ERROR` where this node still leads after an election timeout. */
  handOver(to: number): Promise<void>;
  /** Waits for proposals in flight up to `drainMs`; those left fail with `OUTCOME_UNKNOWN`. Idempotent. */
  close(drainMs: number): Promise<void>;
}

/** Who applies. `apply` gets entries in index order, never two calls at once, and answers one result an entry. */
export interface CommandApplier<Result> {
  apply(entries: readonly CommittedEntry[]): Promise<readonly Result[]>;
  /** Whether `apply` waits for space on the disk. The log then counts as full: what it took would only wait, too. Absent = never. */
  readonly waitsForSpace?: boolean;
}

/** An entry that will never be taken back. */
export interface CommittedEntry {
  /** From 1, without gaps. */
  readonly index: number;
  readonly term: number;
  /** Absent for the empty entry that begins a term. */
  readonly command: Uint8Array | undefined;
}

/** Where a log stands. */
export interface CommandLogStatus {
  readonly role: 'leader' | 'follower' | 'candidate' | 'learner';
  /** 0 = not known. */
  readonly leaderNodeId: number;
  readonly term: number;
  /** First entry still kept. */
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly proposalsInFlight: number;
  /** `full`: the disk is, for the log or for what is applied, and proposals are refused until an attempt succeeds. */
  readonly state: 'open' | 'full' | 'restoring' | 'failed' | 'closed';
  /** Whether the disk has not answered for longer than it may. */
  readonly isStalled: boolean;
  /** Where consensus stands, in full. */
  readonly raft: RaftGroupStatus;
}
