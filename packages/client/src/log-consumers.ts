import type { CallOptions } from './key-value-store.js';

/** A place in an origin's log: everything up to `sequence` is behind its owner. */
export interface LogPosition {
  /** Default 0, the only one of a log in mode `quorum`. */
  readonly origin?: number;
  /** Default: the present one. */
  readonly epoch?: number;
  /** 0 = before the first. */
  readonly sequence: number;
}

/** A consumer of a log, as the log keeps it. */
export interface LogConsumer {
  readonly name: string;
  /** Raised by every seek. */
  readonly generation: number;
  readonly positions: readonly Required<LogPosition>[];
  /** Log time of the last commit or seek. */
  readonly committedAtMs: number;
  readonly lags: readonly ConsumerLag[];
}

/** How far a consumer is behind the end of an origin's log. `undefined`: not known, which is not 0. */
export interface ConsumerLag {
  readonly origin: number;
  readonly epoch: number;
  /** Entries it has still to read. */
  readonly entries: number | undefined;
  /** How long the first of them has been there, in milliseconds. */
  readonly milliseconds: number | undefined;
  /** Entries that were trimmed before it had read them. */
  readonly lostEntries: number | undefined;
}

/** What a commit takes. */
export interface CommitOptions extends CallOptions {
  /** The generation that the consumer believes to be in: fails with `CONFLICT` in another one. Default: whichever it is. */
  readonly generation?: number;
}

/** Where a consumer is to go: the first entry kept, behind the last, to the first entry of a time, to positions. */
export type SeekTarget = 'start' | 'end' | { readonly timeMs: number } | { readonly positions: readonly LogPosition[] };

/** What a seek takes. */
export interface SeekOptions extends CallOptions {
  /** Says where it would be, and changes nothing. */
  readonly dryRun?: boolean;
}

/** Where a consumer is after a commit or a seek. */
export interface ConsumerPlace {
  readonly generation: number;
  readonly positions: readonly Required<LogPosition>[];
}

/** Where a consumer is after a seek, and was before: empty where it was not known. */
export interface SoughtPlace extends ConsumerPlace {
  readonly earlierPositions: readonly Required<LogPosition>[];
}

/**
 * The consumers of named logs: who has come how far, kept with the log. Of a log of mode `multi-master` every node keeps them by
 * itself, and hears from the others what they were told: the node that answers may be behind the one that took a commit.
 */
export interface LogConsumers {
  /**
   * Stores how far a consumer has come: the last entry it has worked on, of a log with one origin as its sequence alone.
   * Within a generation the higher position of each origin wins, so commits may come late, twice, and in any order.
   */
  commit(
    log: string,
    consumer: string,
    position: number | readonly LogPosition[],
    options?: CommitOptions,
  ): Promise<ConsumerPlace>;
  /** A consumer, or `undefined` where it never committed anything. */
  get(log: string, consumer: string, options?: CallOptions): Promise<LogConsumer | undefined>;
  /** Consumers whose name begins with `prefix`, in order of their names. */
  list(log: string, prefix?: string, options?: CallOptions): Promise<readonly LogConsumer[]>;
  /** Puts a consumer elsewhere, in a new generation: commits of those who have not heard of it fail with `CONFLICT`. */
  seek(log: string, consumer: string, to: SeekTarget, options?: SeekOptions): Promise<SoughtPlace>;
  /** Forgets a consumer. Succeeds where there is none. */
  delete(log: string, consumer: string, options?: CallOptions): Promise<void>;
}
