/**
 * The keyspaces of mode multi-master in an own group: what its commands bring to the log of one is folded into its rows, in
 * the same batch that makes it the group's. Time is the group's log time, so a replay folds as it was folded.
 */
import {
  cleanRows,
  compareKeys,
  decodeOperation,
  decodeRowPage,
  type EntryId,
  endTakeover,
  followsTakeover,
  type GivenPage,
  isSameGiving,
  KeyspaceFold,
  mergeRows,
  ReplicationError,
  takeTail,
} from '@shanghai/replication';
import { type ApplyResult, done, failed } from './apply-result.js';
import type { CommandBody } from './command.js';
import { FoldStore } from './fold-store.js';
import { readHlc } from './hlc-field.js';
import type {
  KeyspaceCleanCommand,
  KeyspacePurgeCommand,
  KeyspaceRowsCommand,
  KeyspaceSettleCommand,
} from './keyspace-command.js';
import { isRowOf, keyOfRow, keyspaceOfKey, rowKey } from './keyspace-keys.js';
import { keyspaceLogId, keyspaceOfLog } from './keyspace-log.js';
import { readLogRecord } from './log-record-codec.js';
import { statePrefix } from './state-keys.js';
import { readStatePart } from './state-part.js';
import type { StateStore } from './state-store.js';
import { type StreamRun, splitRun } from './stream-run.js';
import type { StreamTable } from './stream-table.js';
import type { WriteSet } from './write-set.js';

/** Commands that look at rows. */
type RowsRead = KeyspaceSettleCommand | KeyspaceRowsCommand | KeyspaceCleanCommand;

/** Whether what a command looks at is to be fetched for it. */
export function looksAtRows(body: CommandBody): body is RowsRead {
  return body.kind === 'keyspaceSettle' || body.kind === 'keyspaceRows' || body.kind === 'keyspaceClean';
}

/** Bytes of an entry of a stream before its record: version, flags, stamp. Entries of keyspaces have no producer. */
const entryHeadBytes = 10;

const noBytes = new Uint8Array(0);

/** All keyspaces of an own group. */
export class KeyspaceFolds {
  readonly #stores = new Map<number, FoldStore>();
  /** Those that a run has begun to change. */
  readonly #open = new Set<FoldStore>();
  readonly #stored = new Map<KeyspaceRowsCommand, readonly Uint8Array[]>();
  /** Entries that were no operations: of a newer program, or none of ours. */
  unreadable = 0;
  /** Entries that were folded, or held, since the start. */
  folded = 0;

  async load(store: StateStore): Promise<void> {
    for (const { key, value } of await readStatePart(store, statePrefix.keyspace)) {
      this.#storeOf(keyspaceOfKey(key)).loadState(value);
    }
    for (const record of await readStatePart(store, statePrefix.keyspaceHeld)) {
      this.#storeOf(keyspaceOfKey(record.key)).loadHeld(record);
    }
    for (const record of await readStatePart(store, statePrefix.keyspaceVerdict)) {
      this.#storeOf(keyspaceOfKey(record.key)).loadVerdict(record);
    }
    for (const record of await readStatePart(store, statePrefix.keyspaceLost)) {
      this.#storeOf(keyspaceOfKey(record.key)).loadLost(record);
    }
  }

  /** What is known of a keyspace beside its rows. */
  get(keyspaceId: number): FoldStore | undefined {
    return this.#stores.get(keyspaceId);
  }

  ids(): number[] {
    return [...this.#stores.keys()];
  }

  /** Rows that a command looks at. Those of a page's range that are in the store are remembered until the run ends. */
  async keysRead(command: RowsRead, store: StateStore): Promise<Buffer[]> {
    const { keyspaceId } = command;
    if (command.kind !== 'keyspaceRows') return command.keys.map((key) => rowKey(keyspaceId, key));
    const page = decodeRowPage(command.page);
    const stored: Uint8Array[] = [];
    for await (const { key } of store.range({ ...rangeOf(keyspaceId, page), keysOnly: true, horizonMs: 0 })) {
      stored.push(Uint8Array.from(keyOfRow(key)));
    }
    this.#stored.set(command, stored);
    return [...page.rows.map(({ key }) => key), ...stored].map((key) => rowKey(keyspaceId, key));
  }

  /** Folds the entries of a run from the `skip`-th on, where it is a keyspace's. `self`: this node. */
  fold({ stream, firstSequence, count, bytes }: StreamRun, skip: number, self: number, at: FoldTime): void {
    const keyspaceId = keyspaceOfLog(stream.logId);
    if (keyspaceId === undefined) return;
    const fold = this.#foldOf(keyspaceId, self, at.writes);
    const { origin, epoch } = stream;
    for (const [i, entry] of splitRun({ bytes, count }, skip).entries()) {
      const stamp = { hlc: readHlc(entry, 2), origin, epoch, sequence: firstSequence + skip + i };
      const operation = this.#operationOf(entry);
      if (operation === undefined) continue;
      fold.fold({ stamp, operation }, at.nowMs);
      this.folded++;
    }
  }

  /** Folds what was held until now. */
  advance(self: number, at: FoldTime): void {
    for (const [keyspaceId, store] of this.#stores) {
      if (store.firstHeld() !== undefined) this.#foldOf(keyspaceId, self, at.writes).advance(at.nowMs);
    }
  }

  settle({ keyspaceId, stable, keys }: KeyspaceSettleCommand, streams: StreamTable, { writes }: FoldTime): void {
    if (streams.isDropped(keyspaceLogId(keyspaceId))) return;
    const fold = this.#foldOf(keyspaceId, streams.own.origin, writes);
    fold.raiseFloor(stable);
    fold.settle(keys, stable);
  }

  /** Merges a page of another node's rows. */
  takeRows(command: KeyspaceRowsCommand, streams: StreamTable, at: FoldTime): ApplyResult {
    const { keyspaceId } = command;
    const logId = keyspaceLogId(keyspaceId);
    if (streams.isDropped(logId)) return done;
    const page = decodeRowPage(command.page);
    const fold = this.#foldOf(keyspaceId, streams.own.origin, at.writes);
    const store = this.#storeOf(keyspaceId);
    if (!followsTakeover(store, page)) {
      return failed('CONFLICT', `rows of keyspace ${keyspaceId} do not follow those before; begin with the first`);
    }
    const keys = this.#ownKeys(command, page, store);
    mergeRows(fold, store, page, { keys, isReceived: receivedIn(logId, streams) }, at.nowMs);
    if (page.end === undefined) return done;
    takeTail(fold, store, page.end.tail, at.nowMs);
    for (const { origin, epoch, sequence, hlc } of page.end.positions) {
      streams.skip({ logId, origin, epoch }, sequence + 1, hlc);
    }
    return done;
  }

  /** Removes what a set of rows left that was broken off, unless another one has come since. */
  clean({ keyspaceId, giving, isLast, keys }: KeyspaceCleanCommand, streams: StreamTable, { writes }: FoldTime): void {
    const { takeover } = this.#stores.get(keyspaceId)?.state() ?? {};
    if (takeover === undefined || !isSameGiving(takeover.giving, giving)) return;
    const fold = this.#foldOf(keyspaceId, streams.own.origin, writes);
    const store = this.#storeOf(keyspaceId);
    cleanRows(fold, store, { keys, isReceived: receivedIn(keyspaceLogId(keyspaceId), streams) });
    if (isLast) endTakeover(store);
  }

  /** What is known of a keyspace whose log is dropped goes, but for its rows: those are many, and go by `purge`. */
  drop(logId: number, writes: WriteSet): void {
    const keyspaceId = keyspaceOfLog(logId);
    const store = keyspaceId === undefined ? undefined : this.#stores.get(keyspaceId);
    if (keyspaceId === undefined || store === undefined) return;
    if (!this.#open.has(store)) store.begin(writes);
    store.clear();
    this.#open.delete(store);
    this.#stores.delete(keyspaceId);
  }

  /** Takes rows of a dropped keyspace away. */
  purge({ keyspaceId, keys }: KeyspacePurgeCommand, streams: StreamTable, writes: WriteSet): void {
    if (!streams.isDropped(keyspaceLogId(keyspaceId))) return;
    for (const key of keys) if (isRowOf(keyspaceId, key)) writes.delete(Buffer.from(key));
  }

  /** Ends a run: what is written once a run goes into its writes. */
  end(): void {
    for (const store of this.#open) store.end();
    this.#open.clear();
    this.#stored.clear();
  }

  /** Keys of rows in the page's range: those in the store when the run began, and those that it has made since. */
  #ownKeys(command: KeyspaceRowsCommand, { from, to }: GivenPage, store: FoldStore): Uint8Array[] {
    const isIn = (key: Uint8Array) =>
      (from === undefined || compareKeys(key, from) >= 0) && (to === undefined || compareKeys(key, to) < 0);
    const all = [...(this.#stored.get(command) ?? []), ...store.rowsOfRun().filter(isIn)];
    const named = new Map(all.map((key) => [Buffer.from(key).toString('latin1'), key]));
    return [...named.values()].sort(compareKeys);
  }

  #operationOf(entry: Uint8Array) {
    try {
      return decodeOperation(readLogRecord(entry.subarray(entryHeadBytes)).value);
    } catch (error) {
      if (!(error instanceof ReplicationError || error instanceof RangeError)) throw error;
      this.unreadable++;
      return undefined;
    }
  }

  #foldOf(keyspaceId: number, self: number, writes: WriteSet): KeyspaceFold {
    const store = this.#storeOf(keyspaceId);
    if (!this.#open.has(store)) {
      store.begin(writes);
      this.#open.add(store);
    }
    return new KeyspaceFold({ self, store });
  }

  #storeOf(keyspaceId: number): FoldStore {
    let store = this.#stores.get(keyspaceId);
    if (store === undefined) {
      store = new FoldStore(keyspaceId);
      this.#stores.set(keyspaceId, store);
    }
    return store;
  }
}

function receivedIn(logId: number, streams: StreamTable): (id: EntryId) => boolean {
  return ({ origin, epoch, sequence }) => (streams.get({ logId, origin, epoch })?.lastSequence ?? 0) >= sequence;
}

function rangeOf(
  keyspaceId: number,
  { from, to }: GivenPage,
): { readonly start: Uint8Array; readonly end: Uint8Array } {
  const start = rowKey(keyspaceId, from ?? noBytes);
  return { start, end: to === undefined ? rowKey(keyspaceId + 1, noBytes) : rowKey(keyspaceId, to) };
}

/** When something is folded, and where its changes go. */
export interface FoldTime {
  readonly writes: WriteSet;
  /** The group's log time. */
  readonly nowMs: number;
}
