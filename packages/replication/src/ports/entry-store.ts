import type { StreamId } from '../core/entry-id.js';
import type { Run } from '../core/run.js';
import type { OriginMark, StreamPosition } from '../core/stream-position.js';

/**
 * Where a node keeps the entries of all multi-master logs, its own and those of others. `./testing` has one in memory and
 * the suite that every form must pass; `@shanghai/replication/wal` keeps them in one write-ahead log.
 *
 * Whatever this port says is there is durable: it has survived a sync. What a store says of itself falls only where its
 * directory was put back; it then writes in a new epoch (`ownEpoch`).
 */
export interface EntryStore {
  /** Id of this node, ≥ 1. */
  readonly ownOrigin: number;

  /** Every stream of which something was ever received, in no order. */
  positions(): readonly StreamPosition[];

  /** What is known of each origin; the own mark is among them once there is one. */
  marks(): readonly OriginMark[];

  /**
   * The epoch that this node's next entry gets. Promise of the store: an epoch's number is never used again by another
   * history of the node, be its directory lost, copied or put back, and its stamps are above all stamps and marks of earlier
   * ones. So an epoch ends no later than with the process, unless something outside of the directory says that the directory
   * is the one that was closed; and who gives out the numbers should know the time, too.
   */
  ownEpoch(): number;

  /**
   * Goes on in a new epoch, with a number and stamps above all that were given out and above all that this store has
   * seen, but for stamps that no right clock can have given; entries that are on their way may still be of the old one. Resolves to its number when that is durable.
   */
  beginEpoch(): Promise<number>;

  /**
   * Entries of a stream from `fromSequence` on: as many as follow, up to `maxEntries` and `maxBytes` of a run's bytes, but
   * one at least, however large. The bytes belong to whoever called, and are not changed any more. `trimmed` where that
   * entry was held and cannot be read; `nothing` where it was not received yet, or the log is gone.
   * Rejects where it cannot be read; it is tried again later, and other streams go on meanwhile.
   */
  read(stream: StreamId, fromSequence: number, maxEntries: number, maxBytes: number): Promise<ReadResult>;

  /**
   * Takes runs over. Resolves when they are durable and can be read. Calls may overlap; what they bring is taken in the
   * order of the calls, and none is done before those before it. Entries that are there already are cut off or passed over;
   * a run behind a gap rejects with `GAP` and nothing of this call is kept, nor of later ones that stand on it. Never
   * called with runs of the own origin's present epoch. Runs of a log that is not known yet are kept; runs of a log that was
   * removed are dropped.
   */
  receive(runs: readonly Run[]): Promise<void>;

  /**
   * What comes before `firstSequence` will not come any more: its source has trimmed it. The stream goes on there, and what
   * was held before it is let go of. Nothing happens where more is there already. Ordered with `receive`. Resolves when durable.
   */
  skip(stream: StreamId, firstSequence: number): Promise<void>;

  /** Whether the trimmed entries of a log are replaced by rows, whatever there is of it here. */
  hasRows(logId: number): boolean;

  /**
   * Stands for what was trimmed of a log, where the log is folded into rows: a page of them, as one array that only
   * `mergeRows` reads, and where the next one begins; `undefined` of a log that has no rows. The first `cursor` is empty. All
   * pages together hold whatever the trimmed entries said that nothing later undid.
   */
  rows(logId: number, cursor: Uint8Array, maxBytes: number): Promise<RowsPage | undefined>;

  /**
   * Merges a page: doing it again, or in another order, changes nothing. Ordered with `receive`. Resolves when durable. Pages
   * that come from several stores at once, and do not follow each other here, may be refused with `GAP`.
   */
  mergeRows(logId: number, rows: Uint8Array): Promise<void>;

  /** Keeps what is known of another origin; only ever called with more than before. Ordered with `receive`. Resolves when durable. */
  setMark(mark: OriginMark): Promise<void>;

  /**
   * Makes the own mark later: no entry of this node that is not there yet gets a stamp up to it, not after a restart either.
   * Resolves when that is durable. May do nothing where nobody needs it.
   */
  makeOwnMark(): Promise<void>;

  /** From here on tells of changes, until the function it gives is called. One observer at a time. */
  observe(observer: EntryStoreObserver): () => void;
}

/** What `read` finds. `trimmed`: the first entry that can be read, or that will be. */
export type ReadResult =
  | { readonly type: 'run'; readonly run: Run }
  | { readonly type: 'trimmed'; readonly firstSequence: number }
  | { readonly type: 'nothing' };

/** A page of rows. */
export interface RowsPage {
  readonly rows: Uint8Array;
  /** Absent: that was the last one. */
  readonly next?: Uint8Array;
  /** With the last one: how far the rows of all pages together reach in each stream of the log, where that is known. */
  readonly covered?: readonly CoveredStream[];
}

/** Rows stand for all entries of a stream before this one. */
export interface CoveredStream {
  readonly stream: StreamId;
  readonly firstSequence: number;
}

/**
 * Is told what changed, in the order in which it became durable, several changes together where that is cheaper; positions
 * before the marks that speak of them. Never called from within a method of the store. Must not throw.
 */
export interface EntryStoreObserver {
  /** These streams are now so. */
  onPositions(positions: readonly StreamPosition[]): void;
  onMarks(marks: readonly OriginMark[]): void;
  /** A log was removed, with all of its streams. */
  onLogRemoved(logId: number): void;
}
