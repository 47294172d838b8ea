import type { CallOptions } from './key-value-store.js';

/**
 * A part of a backup, in the order in which they come: one header, then every group with its files, each file with its
 * bytes, then one end. A backup without its end is none.
 */
export type BackupPart =
  | ({ readonly type: 'header' } & BackupHeader)
  | ({ readonly type: 'group' } & BackupGroup)
  | ({ readonly type: 'file' } & BackupFile)
  | { readonly type: 'bytes'; readonly data: Uint8Array; readonly checksum: number }
  | { readonly type: 'end'; readonly files: number; readonly bytes: number };

/** Whose backup it is, and when it was taken. */
export interface BackupHeader {
  /** 32 hexadecimal digits, drawn for this backup. */
  readonly backupId: string;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly serverVersion: string;
  readonly clusterVersion: number;
  /** By the node's clock, milliseconds since 1970. */
  readonly timeMs: number;
  /** What holds the state; the files are its. */
  readonly engine: string;
}

/** A group's cut: its state is that of one entry. */
export interface BackupGroup {
  readonly groupId: number;
  readonly appliedIndex: number;
  readonly appliedTerm: number;
  readonly revision: number;
  readonly logTimeMs: number;
  /** Of its files. */
  readonly files: number;
  readonly bytes: number;
  /** Of a node's own group: whatever any member wrote with a stamp up to this time is in it. Absent: that is not known. */
  readonly completeToMs?: number;
}

/** A file of the group before it. */
export interface BackupFile {
  readonly name: string;
  readonly bytes: number;
}

/** A committed entry of a group's log. */
export interface GroupLogEntry {
  readonly index: number;
  readonly term: number;
  /** 0 a command, 2 and 3 changes of members. */
  readonly type: number;
  /** Empty where the entry begins a term. */
  readonly data: Uint8Array;
}

/** Entries that came together. */
export interface GroupLogPage {
  readonly clusterId: string;
  readonly entries: readonly GroupLogEntry[];
  /** The last entry that was committed when the call came. */
  readonly lastIndex: number;
}

/** Copies of a node's state and log. Streams are not taken up again where they break. */
export interface NodeBackup {
  /** A backup; `stale`: as the node has it, however far behind, else with everything acknowledged before the call. */
  snapshot(options?: Pick<CallOptions, 'signal'> & { readonly stale?: boolean }): AsyncIterable<BackupPart>;
  /** A group's committed entries from `fromIndex` on. Throws `OUT_OF_RANGE` where that was given up. */
  groupLog(
    groupId: number,
    options: Pick<CallOptions, 'signal'> & { readonly fromIndex: number },
  ): AsyncIterable<GroupLogPage>;
}
