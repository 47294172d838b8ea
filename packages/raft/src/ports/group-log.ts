import type { ConfState } from '../core/configuration/configuration.js';
import type { Entry, HardState, SnapshotMetadata } from '../core/entry.js';
import type { LogStorage } from '../core/log/log-storage.js';

/**
 * The durable logs of all groups of a process: one file, and one sync for whatever is written in the same turn.
 * `@shanghai/raft/wal` is the real form.
 */
export interface HostLog {
  /**
   * Reads a group's log back. One that nothing was ever written of is empty: its last index is 0, its term 0, and it has
   * no members. A group is open at most once at a time. Rejects with `RaftError` `LOG_DAMAGED` where something is missing, or
   * `UNSUPPORTED_FORMAT` where a newer version wrote it.
   */
  open(groupId: number): Promise<GroupLog>;
  /** The groups of which something is kept, ascending. */
  groups(): readonly number[];
  /** Since when, by the clock, the oldest write has been waiting for the disk, in ms; `undefined` where none waits. */
  waitingSinceMs(): number | undefined;
}

/** What is to be written at once; in this order. */
export interface LogWrite {
  /** Takes the place of the whole log: entries go on behind it. */
  readonly snapshot: SnapshotMetadata | undefined;
  /** Appended; what the log holds at or behind the first of them goes. May be empty. */
  readonly entries: readonly Entry[];
  /** The empty one = as it was. */
  readonly hardState: HardState;
}

/** One group's durable log, and the view of it that the core reads. */
export interface GroupLog extends Omit<LogStorage, 'snapshot'> {
  readonly groupId: number;
  /** Bytes of the data of the entries that are kept. All of them are in memory. */
  readonly bytes: number;
  /**
   * Writes. What is given is readable at once, and durable when the promise resolves; calls resolve in their order.
   * Entries' data is copied before the call returns.
   *
   * Rejects with `RaftError` `LOG_FULL` where there is no space: then nothing of this call was kept, nor of any call
   * behind it (they reject likewise), and what is readable is again what was durable before. Later calls may succeed; one
   * whose caller has not heard of the refusal yet, so that its entries do not follow what is there, is refused as well.
   * Any other rejection is final.
   */
  append(write: LogWrite): Promise<void>;
  /**
   * Gives up the entries up to `index`, whose effects are durable elsewhere; `confState` is the configuration as of there.
   * Durable when it resolves. An index that is given up already changes nothing but what it costs to keep. One at a time.
   */
  compact(index: number, confState: ConfState): Promise<void>;
  /** Gives the group back; what was written stays. */
  close(): void;
}
