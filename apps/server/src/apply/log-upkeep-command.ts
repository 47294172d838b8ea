import type { LogPosition } from './consumer-table.js';

/** How far a consumer of a log has come. */
export interface ConsumerCommitCommand {
  readonly kind: 'consumerCommit';
  readonly logId: number;
  readonly consumer: string;
  /** 0 = the present one. */
  readonly generation: number;
  readonly positions: readonly LogPosition[];
}

/** Puts a consumer elsewhere, in a new generation. */
export interface ConsumerSeekCommand {
  readonly kind: 'consumerSeek';
  readonly logId: number;
  readonly consumer: string;
  readonly positions: readonly LogPosition[];
}

/** Forgets a consumer. */
export interface ConsumerDeleteCommand {
  readonly kind: 'consumerDelete';
  readonly logId: number;
  readonly consumer: string;
}

/** Sequence numbers [index × 4,096, (index + 1) × 4,096): bit i (from the lowest of byte 0 on) is the i-th of them. */
export interface HiddenChunk {
  readonly index: number;
  /** 512 bytes. */
  readonly bits: Uint8Array;
}

/** Entries of a log are no longer readable: later ones of their keys took their place. */
export interface LogHideCommand {
  readonly kind: 'logHide';
  readonly logId: number;
  /** Compaction has looked at everything up to here. 0 = no further than before. */
  readonly compactedTo: number;
  readonly chunks: readonly HiddenChunk[];
}

/** Commands that came in cluster version 3. */
export type LogUpkeepCommand = ConsumerCommitCommand | ConsumerSeekCommand | ConsumerDeleteCommand | LogHideCommand;
