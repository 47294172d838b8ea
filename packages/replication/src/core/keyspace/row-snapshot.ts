/**
 * How a copy begins with another's rows, or goes on with them where the log no longer reaches back far enough.
 *
 * Rows alone do not say what was deleted: a tombstone that all had is gone. So a page carries the *floor* of the copy it
 * comes from: its rows stand for every entry up to there. Whoever takes it over removes what it has below the floor and does
 * not find in the page, and lets entries below the floor change nothing afterwards. Apart from that merging is a union of
 * versions: in any order with entries and with other copies' pages, any number of times.
 *
 * Order: verdicts and held entries (`takeHead`), then pages from the first key to the last. Only then the streams may be
 * skipped to the positions that the other copy had *before* its first page.
 */
import type { EntryId } from '../entry-id.js';
import { earlierHlc, type Hlc } from '../hlc.js';
import { ReplicationError } from '../replication-error.js';
import { compareKeys, type KeyspaceFold } from './keyspace-fold.js';
import type { KeyEntry, KeyspaceStore, LastEntry, StoredVerdict } from './keyspace-store.js';
import type { LostVersion, Row } from './row.js';

/** A verdict as one copy tells it to another. */
export interface VerdictRecord {
  readonly id: EntryId;
  readonly key: Uint8Array;
  readonly verdict: StoredVerdict;
}

/** What goes before the rows. */
export interface SnapshotHead {
  readonly verdicts: readonly VerdictRecord[];
  readonly held: readonly KeyEntry[];
  readonly lost: readonly { readonly key: Uint8Array; readonly lost: LostVersion }[];
  readonly removed: readonly LastEntry[];
  readonly acceptedMs: number;
}

/** Rows of a range of keys. */
export interface RowPage {
  /** Inclusive; absent in the first page. */
  readonly from?: Uint8Array;
  /** Exclusive; absent in the last page. */
  readonly to?: Uint8Array;
  /** The giver's floor when it read the page. */
  readonly floor: Hlc;
  /** In the order of keys. */
  readonly rows: readonly { readonly key: Uint8Array; readonly row: Row }[];
}

/** Takes over what goes before the rows. Idempotent. */
export function takeHead(fold: KeyspaceFold, store: KeyspaceStore, head: SnapshotHead, nowMs: number): void {
  for (const last of head.removed) fold.removeOrigin(last);
  const state = store.state();
  if (head.acceptedMs > state.acceptedMs) store.setState({ ...state, acceptedMs: head.acceptedMs });
  for (const { id, key, verdict } of head.verdicts) fold.takeVerdict(id, key, verdict, nowMs);
  for (const entry of head.held) fold.fold(entry, nowMs);
  for (const { key, lost } of head.lost) store.addLost(key, lost);
}

/**
 * Takes over a page. `ownKeys`: the keys of this copy's rows within the page's range; nothing may be folded between looking
 * for them and this call. Pages that do not follow each other: `GAP`, begin again with the first.
 */
export function mergeRows(
  fold: KeyspaceFold,
  store: KeyspaceStore,
  page: RowPage,
  ownKeys: Iterable<Uint8Array>,
  nowMs: number,
): void {
  const { takeover } = store.state();
  const isFirst = page.from === undefined;
  if (!isFirst && (takeover === undefined || compareKeys(takeover.before, page.from) !== 0)) {
    throw new ReplicationError('GAP', 'a page of rows does not follow the one before; begin again with the first');
  }
  const theirs = new Set<string>();
  for (const { key, row } of page.rows) {
    theirs.add(textOf(key));
    fold.mergeRow(key, row, page.floor, nowMs);
  }
  for (const key of ownKeys) if (!theirs.has(textOf(key))) fold.mergeRow(key, undefined, page.floor, nowMs);
  // What is held here comes into the rows later, and must change them then.
  const { stable: reached } = fold.effective({ complete: page.floor, stable: page.floor });
  const floor = isFirst || takeover === undefined ? reached : earlierHlc(takeover.floor, reached);
  const { takeover: _done, ...state } = store.state();
  if (page.to !== undefined) store.setState({ ...state, takeover: { floor, before: page.to } });
  else {
    store.setState(state);
    fold.raiseFloor({ complete: floor, stable: floor });
  }
  fold.advance(nowMs);
}

function textOf(key: Uint8Array): string {
  let text = '';
  for (const byte of key) text += String.fromCharCode(byte);
  return text;
}
