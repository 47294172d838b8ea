/** What a backup and a log are made of on their way from a node to whoever keeps them; docs/formats/backup.md. */

/**
 * A part of a backup, in the order in which they come: one header, then every group with its files, each file with its
 * bytes, then one end. A backup without its end is none.
 */
export type BackupPart =
  | ({ readonly type: 'header' } & BackupHeader)
  | ({ readonly type: 'group' } & BackupGroupCut)
  | { readonly type: 'file'; readonly name: string; readonly bytes: number }
  /** `checksum`: CRC-32 of the data. */
  | { readonly type: 'bytes'; readonly data: Uint8Array; readonly checksum: number }
  | { readonly type: 'end'; readonly files: number; readonly bytes: number };

/** Whose backup it is, and when it was taken. */
export interface BackupHeader {
  /** 32 hexadecimal digits, drawn for this backup. */
  readonly backupId: string;
  readonly clusterId: string;
  readonly nodeId: number;
  /** `''` until the API fills it in. */
  readonly serverVersion: string;
  readonly clusterVersion: number;
  /** By the node's clock, milliseconds since 1970. */
  readonly timeMs: number;
  /** What holds the state; the files are its. */
  readonly engine: string;
}

/** A group's cut: its state is that of one entry. */
export interface BackupGroupCut {
  readonly groupId: number;
  readonly appliedIndex: number;
  readonly appliedTerm: number;
  readonly revision: number;
  readonly logTimeMs: number;
  /** Of its files. */
  readonly files: number;
  readonly bytes: number;
  /** Of an own group: whatever any member wrote with a stamp up to this time is in it. Absent: nobody can say. */
  readonly completeToMs?: number;
}

/** A committed entry of a group's log. */
export interface GroupLogEntry {
  readonly index: number;
  readonly term: number;
  /** As in the command log: 0 a command (empty: it begins a term), 2 and 3 changes of members. */
  readonly type: number;
  readonly data: Uint8Array;
}

/** Entries that are handed over together. */
export interface GroupLogPage {
  readonly clusterId: string;
  readonly entries: readonly GroupLogEntry[];
  /** The last entry that was committed when the log was asked for. */
  readonly lastIndex: number;
}
