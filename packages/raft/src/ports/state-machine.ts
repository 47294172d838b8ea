import type { Entry, Snapshot, SnapshotMetadata } from '../core/entry.js';

/**
 * What committed entries are applied to. Deterministic: the same entries give the same state and the same results on
 * every node; neither clock nor settings of a node have a part in it. Calls come one after the other; `receive` alone may
 * come beside others.
 */
export interface StateMachine<Result> {
  /** The last entry that the state holds; after a restart, the last one that was kept with it. */
  readonly appliedIndex: number;
  /**
   * The snapshot that was put in last, if one was; kept over a restart. The log hears of it only after `restore`: where a
   * crash came in between, the log ends before it, and the host tells the log when it opens the group.
   */
  readonly restored?: SnapshotMetadata | undefined;
  /**
   * Applies entries, ascending and without gaps, and gives a result for each. Those that the state holds already change
   * nothing; their result is `undefined`. Entries without data and configuration changes only move `appliedIndex`.
   */
  apply(entries: readonly Entry[]): Promise<readonly (Result | undefined)[]>;
  /**
   * The state as of `appliedIndex`, which `metadata` names too, unchanged by later applying. Its taker releases it. Short:
   * applying waits for it. What takes long is left to `SnapshotSource.files`.
   */
  snapshot(metadata: SnapshotMetadata): Promise<StateSnapshot>;
  /** Where a peer's snapshot with files is gathered; what an earlier, broken attempt left of the same one counts. Absent: there are none with files. */
  receive?(snapshot: Snapshot): Promise<SnapshotSink>;
  /** Puts a state in the place of this one, durably; its files were gathered before. One that is not newer changes nothing. */
  restore(snapshot: Snapshot): Promise<void>;
}

/** A state on its way to another node. */
export interface StateSnapshot {
  /** Travels in the message: the state itself, or what its files are. At most some hundred KiB. */
  readonly data: Uint8Array;
  /** Absent where `data` is all. */
  readonly source?: SnapshotSource;
}

/** The files of a snapshot, as they were when it was taken. */
export interface SnapshotSource {
  /** Which they are, the same each time. May take long, for all bytes may have to be read; applying goes on beside it. */
  files(): Promise<readonly SnapshotFile[]>;
  /** Exactly `length` bytes. Rejects where they cannot be read. */
  read(name: string, offset: number, length: number): Promise<Uint8Array>;
  /** The files are not needed any more. Idempotent. */
  release(): Promise<void>;
}

/** A file of a snapshot. Names are relative, of letters, digits, `.`, `-`, `_` and `/`, without `..`. */
export interface SnapshotFile {
  readonly name: string;
  readonly bytes: number;
  /** A checksum of all its bytes, whose making is the state machine's: it tells files of one name and length apart. */
  readonly crc: number;
}

/** Where the files of a snapshot are gathered. */
export interface SnapshotSink {
  /** Says which files there will be, and resolves to how many bytes of each are kept from an earlier attempt. */
  begin(files: readonly SnapshotFile[]): Promise<readonly number[]>;
  /** The next bytes of a file; offsets go on without gaps. */
  write(name: string, offset: number, bytes: Uint8Array): Promise<void>;
  /** Everything came: checks it, makes it durable. Rejects, and forgets what is wrong, where a file is not what was said. */
  complete(): Promise<void>;
  /** Broken off; what came is kept for the next attempt, for a while. */
  abandon(): Promise<void>;
}
