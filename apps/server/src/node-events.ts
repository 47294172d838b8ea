import type { AppliedRun } from './apply/state-machine.js';
import type { LogDamage, LogTornTail } from './logs/log-damage.js';

/** What a node tells whoever listens. Every method is optional and must not throw. */
export interface NodeListener {
  /** A run of entries became visible: how many, how many store operations they made, how long it took, how many sessions it ended. */
  applied?(event: AppliedRun & { readonly groupId: number }): void;
  checkpointed?(event: {
    readonly groupId: number;
    readonly durableAppliedIndex: number;
    readonly durationMs: number;
  }): void;
  checkpointFailed?(event: { readonly error: Error }): void;
  /** A group was read back at start. */
  replayed?(event: { readonly groupId: number; readonly entries: number; readonly durationMs: number }): void;
  /** The directory was copied or repaired: this start has a new instance id. */
  instanceRenewed?(event: { readonly instanceId: string; readonly why: 'copied' | 'repaired' }): void;
  /** With durability `interval` or `never`: a power failure took entries of a named log that were acknowledged. */
  logShortened?(event: { readonly logId: number; readonly from: number; readonly to: number }): void;
  /** Entries of a log are beyond its retention. */
  logTrimmed?(event: { readonly logId: number; readonly firstSequence: number }): void;
  /** This node, leading a log's group, found entries that later ones of their keys replace, and hid so many more of them. */
  logCompacted?(event: { readonly logId: number; readonly hiddenEntries: number }): void;
  /** A segment of a log was written again without the values of its hidden entries. */
  logSegmentThinned?(event: { readonly logId: number; readonly hiddenEntries: number }): void;
  /** Compaction of a log failed; told once until it succeeds. */
  compactionFailed?(event: { readonly logId: number; readonly error: Error }): void;
  /** Retention could not look at a log's files: the log keeps its entries. Once per log. */
  retentionFailed?(event: { readonly logId: number; readonly error: Error }): void;
  /** Multi-master logs could not begin, and are tried again; or shipping has ended for good. */
  replicationFailed?(event: { readonly error: Error }): void;
  /** A log's files hold less than was acknowledged, or cannot be read: requests for it are refused. Once per log. */
  logDamaged?(event: LogDamage): void;
  /** A log's files ended in bytes that a crash left half written; they were copied aside and cut off. */
  logTornTail?(event: LogTornTail): void;
  /** What this node, leading a group, does or waits for to bring it in line with the node table. Once for each thing. */
  membersPlanned?(event: {
    readonly groupId: number;
    readonly type: 'change' | 'transfer' | 'wait';
    readonly why: string;
  }): void;
  /** A group cannot go on; the node refuses its requests from now on. */
  failed?(event: { readonly groupId: number; readonly error: Error }): void;
}
