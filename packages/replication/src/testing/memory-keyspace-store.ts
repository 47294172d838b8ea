import { compareStamps, type EntryId, type EntryStamp } from '../core/entry-id.js';
import { compareHlc, type Hlc } from '../core/hlc.js';
import { compareKeys } from '../core/keyspace/keyspace-fold.js';
import {
  emptyFoldState,
  type FoldState,
  type GivingId,
  type KeyEntry,
  type KeyspaceStore,
  type StoredVerdict,
} from '../core/keyspace/keyspace-store.js';
import { entryKey } from '../core/keyspace/operation.js';
import { type LostVersion, type Row, settlementOf } from '../core/keyspace/row.js';
import { decodeRow, encodeRow } from '../core/keyspace/row-codec.js';
import type { RowPage, SnapshotTail, VerdictRecord } from '../core/keyspace/row-snapshot.js';

/** A `KeyspaceStore` in memory. Rows are kept as bytes: what is compared is what a disk would hold. */
export class MemoryKeyspaceStore implements KeyspaceStore {
  #state: FoldState = emptyFoldState;
  readonly #rows = new Map<string, Uint8Array>();
  readonly #held: KeyEntry[] = [];
  readonly #verdicts = new Map<string, VerdictRecord>();
  readonly #lost = new Map<string, { readonly key: Uint8Array; readonly lost: LostVersion }>();

  state(): FoldState {
    return this.#state;
  }

  setState(state: FoldState): void {
    this.#state = state;
  }

  row(key: Uint8Array): Row | undefined {
    const bytes = this.#rows.get(textOf(key));
    return bytes === undefined ? undefined : decodeRow(bytes);
  }

  setRow(key: Uint8Array, row: Row | undefined): void {
    if (row === undefined) this.#rows.delete(textOf(key));
    else this.#rows.set(textOf(key), encodeRow(row));
  }

  held(upToMs: number): readonly KeyEntry[] {
    return this.#held.filter(({ stamp }) => stamp.hlc.ms <= upToMs);
  }

  heldEntry(id: EntryId): KeyEntry | undefined {
    return this.#held.find(({ stamp }) => entryKey(stamp) === entryKey(id));
  }

  firstHeld(): EntryStamp | undefined {
    return this.#held[0]?.stamp;
  }

  hold(entry: KeyEntry): void {
    if (this.heldEntry(entry.stamp) !== undefined) return;
    this.#held.push(entry);
    this.#held.sort((a, b) => compareStamps(a.stamp, b.stamp));
  }

  letGo(stamp: EntryStamp): void {
    const at = this.#held.findIndex((entry) => entryKey(entry.stamp) === entryKey(stamp));
    if (at >= 0) this.#held.splice(at, 1);
  }

  verdict(id: EntryId): StoredVerdict | undefined {
    return this.#verdicts.get(entryKey(id))?.verdict;
  }

  setVerdict(id: EntryId, key: Uint8Array, verdict: StoredVerdict): void {
    this.#verdicts.set(entryKey(id), { id, key, verdict });
  }

  addLost(key: Uint8Array, lost: LostVersion): void {
    this.#lost.set(`${textOf(key)}@${entryKey(lost.loser.stamp)}`, { key, lost });
  }

  removeLost(key: Uint8Array, loser: EntryStamp): void {
    this.#lost.delete(`${textOf(key)}@${entryKey(loser)}`);
  }

  /** Keys with a row, in order. */
  keys(): Uint8Array[] {
    return [...this.#rows.keys()].sort().map(bytesOf);
  }

  /** Keys whose rows may be settled. */
  dueKeys(stable: Hlc): Uint8Array[] {
    return this.keys().filter((key) => {
      const due = settlementOf(this.row(key) as Row);
      return due !== undefined && compareHlc(due, stable) <= 0;
    });
  }

  /** What a copy tells another behind its rows. */
  tail(): SnapshotTail {
    const { removed, acceptedMs } = this.#state;
    const [verdicts, lost] = [[...this.#verdicts.values()], [...this.#lost.values()]];
    return { verdicts, held: [...this.#held], lost, removed, acceptedMs };
  }

  /** Keys in `[from, to)`. */
  keysIn({ from, to }: Pick<RowPage, 'from' | 'to'>): Uint8Array[] {
    const isIn = (key: Uint8Array) =>
      (from === undefined || compareKeys(key, from) >= 0) && (to === undefined || compareKeys(key, to) < 0);
    return this.keys().filter(isIn);
  }

  /** A page of at most `limit` rows from a key on, of a set that the caller names. */
  page(from: Uint8Array | undefined, limit: number, giving: GivingId): RowPage {
    const keys = this.keysIn(from === undefined ? {} : { from });
    const to = keys[limit];
    const rows = keys.slice(0, limit).map((key) => ({ key, row: this.row(key) as Row }));
    const range = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
    return { ...range, giving, floor: this.#state.floor, rows };
  }

  /** Rows as text, one a line, equal where the rows are equal byte for byte. */
  dump(): string {
    const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return this.keys()
      .map((key) => `${hex(key)} ${hex(this.#rows.get(textOf(key)) as Uint8Array)}`)
      .join('\n');
  }

  /**
   * Values that lost, one a line, in order. Not what deletes and what has expired: a row may have gone for good before the
   * write comes that had not seen it.
   */
  dumpLost(): string {
    const lasting = [...this.#lost].filter(
      ([, { lost }]) => lost.loser.value !== undefined && lost.loser.expiresAtMs === 0,
    );
    const lines = lasting.map(([name, { lost }]) => `${name} to ${entryKey(lost.winner.stamp)}`);
    return lines.sort().join('\n');
  }
}

function textOf(key: Uint8Array): string {
  return String.fromCharCode(...key);
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
