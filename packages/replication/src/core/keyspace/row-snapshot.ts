/**
 * How a copy begins with another's rows, or goes on with them where the log no longer reaches back far enough.
 *
 * Rows alone do not say what was deleted: a tombstone that all had is gone. So a page carries the *floor* of the copy it
 * comes from: its rows stand for every entry up to there. Whoever takes it over removes what it has below the floor and does
 * not find in the page, and lets entries below the floor change nothing afterwards. Apart from that merging is a union of
 * versions: in any order with entries and with other copies' pages, any number of times.
 *
 * Pages and tail are of one moment of the giver. Pages come from the first key to the last; with the last one, at once, the
 * tail (verdicts, held entries) and the step of all streams to the positions that the giver had. A takeover that is broken off
 * leaves versions of entries that this copy never received, and that may be lost with the giver. The next takeover removes
 * them as it goes through the keys; where there is none, `cleanRows` and `endTakeover` do. So a copy gives no rows while it
 * takes some over.
 */
import type { EntryId } from '../entry-id.js';
import { earlierHlc, type Hlc } from '../hlc.js';
import { ReplicationError } from '../replication-error.js';
import { compareKeys, type KeyspaceFold } from './keyspace-fold.js';
import type { GivingId, KeyEntry, KeyspaceStore, LastEntry, StoredVerdict } from './keyspace-store.js';
import type { LostVersion, Row } from './row.js';

/** A verdict as one copy tells it to another. */
export interface VerdictRecord {
  readonly id: EntryId;
  readonly key: Uint8Array;
  readonly verdict: StoredVerdict;
}

/** What goes behind the rows. */
export interface SnapshotTail {
  readonly verdicts: readonly VerdictRecord[];
  readonly held: readonly KeyEntry[];
  readonly lost: readonly { readonly key: Uint8Array; readonly lost: LostVersion }[];
  readonly removed: readonly LastEntry[];
  readonly acceptedMs: number;
}

/** Rows of a range of keys. */
export interface RowPage {
  readonly giving: GivingId;
  /** Inclusive; absent in the first page. */
  readonly from?: Uint8Array;
  /** Exclusive; absent in the last page. */
  readonly to?: Uint8Array;
  /** The giver's floor when it read the page. */
  readonly floor: Hlc;
  /** In the order of keys. */
  readonly rows: readonly { readonly key: Uint8Array; readonly row: Row }[];
}

/** Takes over what goes behind the rows. Idempotent. */
export function takeTail(fold: KeyspaceFold, store: KeyspaceStore, tail: SnapshotTail, nowMs: number): void {
  for (const last of tail.removed) fold.removeOrigin(last);
  const state = store.state();
  if (tail.acceptedMs > state.acceptedMs) store.setState({ ...state, acceptedMs: tail.acceptedMs });
  for (const { id, key, verdict } of tail.verdicts) fold.takeVerdict(id, key, verdict, nowMs);
  for (const entry of tail.held) fold.fold(entry, nowMs);
  for (const { key, lost } of tail.lost) store.addLost(key, lost);
}

/** What a copy has of its own, for a page. */
export interface OwnRows {
  /** The keys of this copy's rows within the page's range; nothing may be folded between looking for them and the call. */
  readonly keys: readonly Uint8Array[];
  /** Whether an entry lies within the positions of this copy's streams. */
  readonly isReceived: (id: EntryId) => boolean;
}

/** Whether `mergeRows` would take a page: the first one of a set, or the one behind the last that was taken. */
export function followsTakeover(store: KeyspaceStore, { from, giving }: RowPage): boolean {
  const { takeover } = store.state();
  if (from === undefined) return true;
  return takeover !== undefined && isSameGiving(takeover.giving, giving) && compareKeys(takeover.before, from) === 0;
}

/** Takes over a page. Pages that do not follow each other: `GAP`, begin again with the first. */
export function mergeRows(
  fold: KeyspaceFold,
  store: KeyspaceStore,
  page: RowPage,
  { keys: ownKeys, isReceived }: OwnRows,
  nowMs: number,
): void {
  if (!followsTakeover(store, page)) {
    throw new ReplicationError('GAP', 'a page of rows does not follow the one before; begin again with the first');
  }
  const { takeover } = store.state();
  const isFirst = page.from === undefined;
  const cleans = takeover !== undefined && (isFirst || takeover.cleans);
  if (cleans && isFirst) letGoOfUnreceived(store, isReceived);
  if (cleans) for (const key of ownKeys) fold.keepReceived(key, isReceived);
  const theirs = new Set<string>();
  for (const { key, row } of page.rows) {
    theirs.add(textOf(key));
    fold.mergeRow(key, row, page.floor, nowMs);
  }
  for (const key of ownKeys) if (!theirs.has(textOf(key))) fold.mergeRow(key, undefined, page.floor, nowMs);
  // What is held here comes into the rows later, and must change them then.
  const reached = fold.effective(page.floor);
  const floor = isFirst || takeover === undefined ? reached : earlierHlc(takeover.floor, reached);
  const { takeover: _done, ...state } = store.state();
  if (page.to !== undefined) {
    store.setState({ ...state, takeover: { floor, before: page.to, giving: page.giving, cleans } });
  } else {
    store.setState(state);
    fold.raiseFloor(floor);
  }
  fold.advance(nowMs);
}

function textOf(key: Uint8Array): string {
  let text = '';
  for (const byte of key) text += String.fromCharCode(byte);
  return text;
}

/** Removes from rows of this copy what came with a takeover that was broken off, and not as entries. */
export function cleanRows(fold: KeyspaceFold, store: KeyspaceStore, { keys, isReceived }: OwnRows): void {
  letGoOfUnreceived(store, isReceived);
  for (const key of keys) fold.keepReceived(key, isReceived);
}

/** Gives up a takeover all of whose rows are cleaned. */
export function endTakeover(store: KeyspaceStore): void {
  const { takeover: _given, ...state } = store.state();
  store.setState(state);
}

/** Whether two sets of rows are the same one. */
export function isSameGiving(a: GivingId, b: GivingId): boolean {
  return a.origin === b.origin && a.epoch === b.epoch && a.number === b.number;
}

function letGoOfUnreceived(store: KeyspaceStore, isReceived: (id: EntryId) => boolean): void {
  for (const { stamp } of store.held(Number.POSITIVE_INFINITY)) if (!isReceived(stamp)) store.letGo(stamp);
}
