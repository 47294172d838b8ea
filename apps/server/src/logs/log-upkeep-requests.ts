import type { LogPosition } from '../apply/consumer-table.js';
import type { RequestContext } from '../requests/request-context.js';

export type { LogPosition } from '../apply/consumer-table.js';

/**
 * What is asked of logs beside their entries: trims, producers, consumers. Errors are `ServerError`s: `NOT_FOUND`,
 * `CONFLICT` (details: generation; of a trim: heldByAll), `OUT_OF_RANGE` (details: firstSequence, lastSequence), `UNSUPPORTED` while the cluster
 * works in a version without it.
 */
export interface LogUpkeepRequests {
  /** Gives up the entries before `firstSequence`; resolves to what is kept then. */
  trim(request: LogTrim, context: RequestContext): Promise<KeptRange>;
  /** `undefined` where the producer is not remembered. */
  producer(request: ProducerQuestion, context: RequestContext): Promise<ProducerState | undefined>;
  commit(request: PositionCommit, context: RequestContext): Promise<ConsumerPlace>;
  /** `NOT_FOUND` where the consumer never committed anything. */
  consumer(log: string, consumer: string, context: RequestContext): Promise<ConsumerView>;
  /** Of those whose name begins with `prefix`, in order of their names. */
  consumers(log: string, prefix: string, context: RequestContext): Promise<readonly ConsumerView[]>;
  seek(request: ConsumerSeek, context: RequestContext): Promise<ConsumerPlace>;
  /** Succeeds where there is none. */
  deleteConsumer(log: string, consumer: string, context: RequestContext): Promise<void>;
}

/** What to trim. */
export interface LogTrim {
  readonly log: string;
  /** 0 = the only one. */
  readonly origin: number;
  /** 0 where it is said otherwise. */
  readonly firstSequence: number;
  /** Mode multi-master: the last entries to give up; epoch 0 = the last one that is known. */
  readonly positions?: readonly LogPosition[];
  /** Gives up what is older. */
  readonly beforeMs?: number;
  /** Mode multi-master: also what members are not known to hold. */
  readonly force?: boolean;
}

/** What is kept of a stream. */
export interface KeptOrigin extends KeptRange {
  readonly origin: number;
  readonly epoch: number;
}

/** First and last sequence of what is kept; the first is one behind the last where nothing is. */
export interface KeptRange {
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** Mode multi-master, where the others are 0: of each stream at this node. */
  readonly origins?: readonly KeptOrigin[];
}

/** Which producer is asked for. */
export interface ProducerQuestion {
  readonly log: string;
  readonly origin: number;
  readonly producerId: number;
}

/** Where a producer is to go on. */
export interface ProducerState {
  readonly epoch: number;
  /** The last record accepted in that epoch. */
  readonly lastSequence: number;
  /** Where it lies in the log. */
  readonly logSequence: number;
  readonly timeMs: number;
}

/** How far a consumer has come. Of a position epoch 0 stands for the present one. */
export interface PositionCommit {
  readonly log: string;
  readonly consumer: string;
  /** 0 = whichever it is. */
  readonly generation: number;
  readonly positions: readonly LogPosition[];
}

/** Where a consumer is to go. */
export interface ConsumerSeek {
  readonly log: string;
  readonly consumer: string;
  readonly to:
    | { readonly at: 'start' }
    | { readonly at: 'end' }
    /** The first entry of this time or later comes next. */
    | { readonly at: 'time'; readonly timeMs: number }
    | { readonly at: 'positions'; readonly positions: readonly LogPosition[] };
  /** Says where it would be, and changes nothing. */
  readonly dryRun: boolean;
}

/** Where a consumer is now. */
export interface ConsumerPlace {
  readonly generation: number;
  readonly positions: readonly LogPosition[];
  /** What it had before; empty where it was not known. */
  readonly earlierPositions: readonly LogPosition[];
}

/** A consumer and how far it is behind. */
export interface ConsumerView {
  readonly name: string;
  readonly generation: number;
  readonly positions: readonly LogPosition[];
  /** Log time of the last commit or seek. */
  readonly committedAtMs: number;
  readonly lags: readonly ConsumerLag[];
}

/** How far a consumer is behind the end of an origin's log. What is absent is not known. */
export interface ConsumerLag {
  readonly origin: number;
  readonly epoch: number;
  /** Entries it has still to read. */
  readonly entries?: number;
  /** How long the first of them has been there; 0 where there is none. */
  readonly milliseconds?: number;
  /** Entries that were trimmed before it had read them. */
  readonly lostEntries?: number;
}
