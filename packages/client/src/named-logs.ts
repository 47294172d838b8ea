import type { BytesInput, CallOptions } from './key-value-store.js';
import type { LogConsumers, LogPosition } from './log-consumers.js';
import type { LogProducer, LogProducerOptions } from './log-producer.js';

/** When an append is answered: synced on the accepting node, on a majority, on every replica. */
export type Acknowledgement = 'local' | 'quorum' | 'all';

/** How a log behaves; fixed when it is made. */
export interface LogSettings {
  /** `quorum`: one total order by consensus. `multi-master`: every node accepts, order per origin. */
  readonly mode: 'quorum' | 'multi-master';
  readonly acknowledgement: Acknowledgement;
  /** Entries older than this may go, in milliseconds; 0 = never. */
  readonly retentionMs: number;
  /** The oldest go beyond so many bytes; 0 = never. */
  readonly retentionBytes: number;
  /** What goes: whole segments, or all but the last entry of every key. */
  readonly cleanupPolicy: 'delete' | 'compact';
  /** Entries kept at least; the oldest beyond them may go; 0 = never. */
  readonly retentionEntries: number;
  /** Policy `compact`: how long the deletion of a key stays readable, in milliseconds; 0 = 24 hours. */
  readonly tombstoneRetentionMs: number;
}

/** A log: its settings and what each origin holds. */
export interface LogDescription {
  readonly name: string;
  readonly logId: number;
  readonly settings: LogSettings;
  readonly createdAtMs: number;
  /** In mode `quorum` one, origin 0. */
  readonly origins: readonly LogOrigin[];
}

/** One origin's part of a log. `lastSequence` 0 = empty. */
export interface LogOrigin {
  readonly origin: number;
  readonly epoch: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly bytes: number;
  readonly segments: number;
}

/** A record to append; a string or bytes alone are its value. */
export type LogRecordInput =
  | BytesInput
  | {
      readonly value: BytesInput;
      readonly key?: BytesInput;
      readonly headers?: readonly { readonly name: string; readonly value: BytesInput }[];
    };

/** A producer's numbering. The server appends records of one (id, epoch, sequence) once, however often they are sent. */
export interface Producer {
  readonly producerId: number;
  readonly epoch: number;
  /** Of the first record of the append, from 1. */
  readonly sequence: number;
}

/** What an append takes. */
export interface LogAppendOptions extends CallOptions {
  /** Default: the log's. */
  readonly acknowledgement?: Acknowledgement;
  /**
   * Default: whoever leads; where the log is of mode `multi-master` and there is no producer, the first of the endpoints, else
   * of all nodes, that can be reached.
   */
  readonly at?: LogNode;
  /** With it the client may send the append again when its answer is lost. */
  readonly producer?: Producer;
  /** Fails with `CONFLICT` unless this is the log's last sequence number. */
  readonly expectedLastSequence?: number;
}

/** Where records came to lie. */
export interface LogAppended {
  readonly origin: number;
  readonly epoch: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly timeMs: number;
  /** The producer had sent them before. */
  readonly duplicate: boolean;
}

/**
 * An entry of a log. Key, value and headers are parts of the page that it came in, of some 256 KiB, which stays in memory for as
 * long as one of them does: copy what is kept for long.
 */
export interface LogEntry {
  readonly origin: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly timeMs: number;
  /** Empty where the record had none. */
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly headers: readonly { readonly name: string; readonly value: Uint8Array }[];
  readonly producer?: Producer;
}

/**
 * Where reading begins: a sequence number (0 = the first kept), the first entry of a time or later, or so many sequence
 * numbers before the end.
 */
export type LogStart = number | { readonly timeMs: number } | { readonly last: number };

/** Which node is asked. `leader`: whoever leads. `contact`: the first of the endpoints that can be reached, which in mode `multi-master` takes appends and answers from what it has. */
export type LogNode = 'leader' | 'contact';

/** Whose entries of a log of mode `multi-master` are read. */
export interface LogScope {
  /** Of all origins; then without `origin`. */
  readonly allOrigins?: boolean;
  /** Of a start by sequence number: whose number it is. Default: the origin's last epoch. */
  readonly epoch?: number;
  /** The last entries read, in the place of `from`; what is not named begins with its first entry. */
  readonly positions?: readonly LogPosition[];
  /** `time`: by stamps, the same on every node, as far as nothing earlier can come. Default `arrival`. */
  readonly order?: 'arrival' | 'time';
}

/** What a read takes. */
export interface LogReadOptions extends CallOptions, LogScope {
  /** Default `leader`. */
  readonly at?: LogNode;
  /** Default 0, the first entry kept. */
  readonly from?: LogStart;
  readonly origin?: number;
  /** Entries, default 1,000. */
  readonly limit?: number;
  /** Bytes of entries, at least one entry; default 1 MiB. */
  readonly maxBytes?: number;
}

/** One page of a log. */
export interface LogPage {
  readonly entries: readonly LogEntry[];
  /** Where to go on. */
  readonly nextSequence: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** What compaction took away between the place asked for and `nextSequence`, in order. */
  readonly gaps: readonly LogGap[];
  /** Mode `multi-master`: where to go on. */
  readonly positions?: readonly LogPosition[];
  /** Mode `multi-master`: all entries up to this time, of every origin, are on the node that answered. */
  readonly watermarkMs?: number;
}

/** Sequence numbers of an origin whose entries are not there any more. */
export interface LogGap {
  readonly origin: number;
  readonly epoch: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
}

/** What a trim takes. */
export interface LogTrimOptions extends CallOptions {
  /** Mode `multi-master`: whose entries are meant by a number. */
  readonly origin?: number;
  /** Mode `multi-master`: also what a member may lack; it never gets it. Default: fails with `CONFLICT`. */
  readonly force?: boolean;
}

/**
 * What a trim gives up: a number is the first entry to keep, of a log with one origin or of the one that is named; positions are the
 * last entries to give up, of one or more origins; a time is that of the first entry to keep, of all origins.
 */
export type TrimTarget = number | { readonly positions: readonly LogPosition[] } | { readonly beforeMs: number };

/** First and last sequence of what is kept; the first is one behind the last where nothing is. */
export interface KeptRange {
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** Mode `multi-master`, where the others are 0: of every origin and epoch, at the node that answered. */
  readonly origins?: readonly KeptOrigin[];
}

/** What is kept of an origin's log. */
export interface KeptOrigin {
  readonly origin: number;
  readonly epoch: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
}

/** What a log remembers of a producer. */
export interface ProducerProgress {
  readonly epoch: number;
  /** The last record accepted in that epoch; the next one is one more. */
  readonly lastSequence: number;
  /** Where it lies in the log, and its log time. */
  readonly logSequence: number;
  readonly timeMs: number;
}

/** What a tail takes. */
export interface LogTailOptions extends LogScope {
  /** Default: whatever node has little to do. */
  readonly at?: 'contact';
  /** Default 0, the first entry kept. `'end'`: only what is appended from now on. */
  readonly from?: LogStart | 'end';
  readonly origin?: number;
  /** Ends the tail: the iteration throws `CANCELLED`. */
  readonly signal?: AbortSignal;
}

/** The named logs of a server. Failures are `ClientError`s: `NOT_FOUND`, `OUT_OF_RANGE`, `CONFLICT` … */
export interface NamedLogs {
  /** Makes a log; succeeds where it is there with the same settings, else `ALREADY_EXISTS`. Default mode `quorum`. */
  create(name: string, settings?: Partial<LogSettings>, options?: CallOptions): Promise<LogDescription>;
  /** Logs whose name begins with `prefix`, in order of their names. */
  list(prefix?: string, options?: CallOptions): Promise<readonly LogDescription[]>;
  describe(name: string, options?: CallOptions): Promise<LogDescription>;
  /** Takes a log and its entries away. */
  delete(name: string, options?: CallOptions): Promise<void>;
  /** Appends records, kept or lost together, in order. At least one. */
  append(
    name: string,
    records: LogRecordInput | readonly LogRecordInput[],
    options?: LogAppendOptions,
  ): Promise<LogAppended>;
  /** Gives entries up; resolves to what is kept then. The number behind the last gives up all there are. */
  trim(name: string, to: TrimTarget, options?: LogTrimOptions): Promise<KeptRange>;
  /** Where a producer is to go on; `undefined` where the log does not remember it. */
  producer(name: string, producerId: number, options?: CallOptions): Promise<ProducerProgress | undefined>;
  /** A producer that numbers its records, so that each is appended once however often it is sent. */
  openProducer(name: string, options: LogProducerOptions): Promise<LogProducer>;
  /** Who reads the logs and has come how far. */
  readonly consumers: LogConsumers;
  /** One page of entries. */
  read(name: string, options?: LogReadOptions): Promise<LogPage>;
  /** Entries from a position on and then what is appended, without gap or duplicate also over broken connections. */
  tail(name: string, options?: LogTailOptions): AsyncIterable<LogEntry>;
}
