import type { Hlc } from '@shanghai/replication';
import type { RequestContext } from '../requests/request-context.js';
import type { ServerError } from '../requests/server-error.js';
import type { PackedEntries } from './packed-entries.js';

/** The log plane as the API calls it. Errors are `ServerError`s: `NOT_FOUND`, `ALREADY_EXISTS`, `OUT_OF_RANGE` (details: firstSequence, lastSequence), `CONFLICT`. */
export interface LogRequests {
  /** Succeeds where the log exists with the same settings. */
  create(name: string, settings: LogSettings, context: RequestContext): Promise<LogDescription>;
  list(prefix: string, context: RequestContext): Promise<readonly LogDescription[]>;
  describe(name: string, context: RequestContext): Promise<LogDescription>;
  delete(name: string, context: RequestContext): Promise<void>;
  append(request: LogAppend, context: RequestContext): Promise<LogAppended>;
  /** Appends of many callers as one; rejects where none of them could be. */
  appendPack(pack: LogPack, context: RequestContext): Promise<LogPacked>;
  read(request: LogRead, context: RequestContext): Promise<LogPage>;
  /** Pages as the consumer asks for them; ends when the context's signal aborts. */
  tail(request: LogTail, context: RequestContext): AsyncIterable<LogPage>;
}

/** What a log was made with; fixed from then on. */
export interface LogSettings {
  readonly mode: 'quorum' | 'multi-master';
  readonly acknowledgement: Acknowledgement;
  /** 0 = unlimited. */
  readonly retentionMs: number;
  /** 0 = unlimited. */
  readonly retentionBytes: number;
  readonly cleanupPolicy: 'delete' | 'compact';
  /** Entries kept at least; absent = unlimited. Never 0. */
  readonly retentionEntries?: number;
  /** Policy `compact`: how long the deletion of a key stays readable; absent = 24 hours. Never 0. */
  readonly tombstoneRetentionMs?: number;
}

/** When an append is answered: after the sync of the accepting node, of a majority, of every replica. */
export type Acknowledgement = 'local' | 'quorum' | 'all';

/** A log and where each of its origins stands now. */
export interface LogDescription {
  readonly name: string;
  readonly logId: number;
  readonly settings: LogSettings;
  readonly createdAtMs: number;
  readonly origins: readonly OriginDescription[];
}

/** `lastSequence` 0 = empty. */
export interface OriginDescription {
  readonly origin: number;
  readonly epoch: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly bytes: number;
  readonly segments: number;
}

/** One record to append. `key` and `value` may be empty. */
export interface LogRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly headers: readonly { readonly name: string; readonly value: Uint8Array }[];
}

/** A producer's numbering; `sequence` is that of the first record. */
export interface Producer {
  readonly producerId: number;
  readonly epoch: number;
  readonly sequence: number;
}

/** An append: its records are kept or lost together. */
export interface LogAppend {
  readonly log: string;
  readonly records: readonly LogRecord[];
  /** Absent: the log's default. */
  readonly acknowledgement?: Acknowledgement;
  readonly producer?: Producer;
  readonly expectedLastSequence?: number;
}

/** Plain appends of many callers to one log. Each is kept or refused by itself; they reach the log in their order. */
export interface LogPack {
  readonly log: string;
  /** As `encodeLogRecords` writes them. */
  readonly records: Uint8Array;
  /** Records of each append; none: each has one. */
  readonly counts: readonly number[];
  /** Absent: the log's default. */
  readonly acknowledgement?: Acknowledgement;
}

/** What became of the appends of a pack, all of them in their order. */
export interface LogPacked {
  readonly origin: number;
  readonly epoch: number;
  readonly ranges: readonly LogPackRange[];
}

/** Appends of a pack that follow each other: their records lie from `firstSequence` on without a gap, or all were refused. */
export interface LogPackRange {
  readonly appends: number;
  readonly firstSequence: number;
  readonly timeMs: number;
  readonly error?: ServerError;
}

/** Where the records of an append lie. `duplicate`: the producer had sent them before, nothing was appended. */
export interface LogAppended {
  readonly origin: number;
  readonly epoch: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly timeMs: number;
  readonly duplicate: boolean;
}

/** One record read, with its place and log time. */
export interface LogEntry extends LogRecord {
  readonly origin: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly timeMs: number;
  readonly producer?: Producer;
  /** Only in mode multi-master: its stamp. */
  readonly hlc?: Hlc;
}

/** Where reading begins: a sequence number (0 = the first kept), the first entry of a time or later, or behind the last. */
export type LogStart =
  | { readonly from: 'sequence'; readonly sequence: number }
  | { readonly from: 'time'; readonly timeMs: number }
  | { readonly from: 'end' }
  /** So many sequence numbers before the end, or the first kept where there are fewer. */
  | { readonly from: 'last'; readonly entries: number };

/** The last entry of a stream that was read; sequence 0 = none. */
export interface LogPosition {
  readonly origin: number;
  readonly epoch: number;
  readonly sequence: number;
}

/** Whose entries of a log of mode multi-master are read, and from where. Of other logs it is refused. */
export interface LogScope {
  /** Of all origins; else of `origin`, where 0 stands for the node that answers. */
  readonly allOrigins: boolean;
  /** Of a start by sequence; 0 = the origin's last. */
  readonly epoch: number;
  /** In the place of a start; what is not named begins with its first entry. */
  readonly positions?: readonly LogPosition[];
  /** `time`: by stamps, as far as nothing earlier can come. */
  readonly order: 'arrival' | 'time';
}

/** One page to read. */
export interface LogRead {
  readonly log: string;
  readonly origin: number;
  /** Absent: of the one origin. */
  readonly scope?: LogScope;
  readonly start: LogStart;
  /** ≥ 1. */
  readonly limit: number;
  /** ≥ 1; at least one entry is returned all the same. */
  readonly maxBytes: number;
  /** The page may be packed. Default false. */
  readonly takesPacked?: boolean;
}

/** Where a live read begins. */
export interface LogTail {
  readonly log: string;
  readonly origin: number;
  /** Absent: of the one origin. */
  readonly scope?: LogScope;
  readonly start: LogStart;
  /** Pages may be packed. Default false. */
  readonly takesPacked?: boolean;
}

/** Entries in sequence order, where to go on, and which sequence numbers are kept now. */
export interface LogPage {
  /** Empty where they are packed. */
  readonly entries: readonly LogEntry[];
  /** In the order of time these are still to be merged. Of a tail their bytes are there until the next page is asked for. */
  readonly packed?: readonly PackedEntries[];
  readonly nextSequence: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
  /** What compaction took away between the place asked for and `nextSequence`, in order. */
  readonly gaps: readonly LogGap[];
  /** Mode multi-master: where to go on. */
  readonly positions?: readonly LogPosition[];
  /** Mode multi-master: all entries up to this time, of every origin, are here. */
  readonly watermarkMs?: number;
}

/** Sequence numbers of an origin whose entries are not there any more. */
export interface LogGap {
  readonly origin: number;
  readonly epoch: number;
  readonly firstSequence: number;
  readonly lastSequence: number;
}
