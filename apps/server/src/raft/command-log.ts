import type { GroupStatus as RaftGroupStatus } from '@shanghai/raft';

/**
 * The port between a state machine and the log that orders its commands. On one node `openSingleVoterLog` stands
 * behind it; consensus among several nodes replaces that and nothing above notices.
 */
export interface CommandLog<Result> {
  readonly groupId: number;
  /**
   * Appends a command and resolves to what applying it gave, once it is durable on a majority and applied here.
   *
   * The first `commandHeadroomBytes` of `buffer` are the log's to fill, the command lies behind; the caller gives the
   * buffer away. Commands are applied in the order of the calls. Rejects with a `ServerError`: `RESOURCE_EXHAUSTED`,
   * `STORAGE_FULL`, `SERVICE_UNAVAILABLE` (nothing was done) or `OUTCOME_UNKNOWN`.
   */
  propose(buffer: Uint8Array): Promise<Result>;
  /** An index such that a read at `applied ≥ index` sees every command acknowledged before the call. */
  readIndex(): Promise<number>;
  /** Forgets entries up to `index`, which must be applied durably. Keeps some more where that is cheaper. */
  compact(index: number): Promise<void>;
  status(): CommandLogStatus;
  /** Waits for proposals in flight up to `drainMs`; those left fail with `OUTCOME_UNKNOWN`. Idempotent. */
  close(drainMs: number): Promise<void>;
}

/** Bytes in front of a command that belong to the log: the entry's own header goes there, so that a command is never copied to be framed. */
export const commandHeadroomBytes = 24;

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
  readonly leaderNodeId: number;
  readonly term: number;
  /** First entry still kept. */
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly proposalsInFlight: number;
  /** `full`: the disk is, for the log or for what is applied, and proposals are refused until an attempt succeeds. */
  readonly state: 'open' | 'full' | 'failed' | 'closed';
  /** Whether proposals have been waiting for the disk for longer than they may. */
  readonly isStalled: boolean;
  /** Where consensus stands, in full. Absent: there is none. */
  readonly raft?: RaftGroupStatus;
}
