import type { AppliedRun } from './apply/state-machine.js';

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
  /** A group cannot go on; the node refuses its requests from now on. */
  failed?(event: { readonly groupId: number; readonly error: Error }): void;
}
