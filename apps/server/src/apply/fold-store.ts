/**
 * What one keyspace's fold knows, in the store of an own group: rows there, the rest in memory, too, since it is little: held
 * entries, verdicts, the list of what lost. Changes go into the write set of the run that makes them; the few numbers once
 * a run.
 */

import { invariant } from '@shanghai/env';
import {
  compareHlc,
  compareStamps,
  decodeOperation,
  decodeRow,
  type EntryId,
  type EntryStamp,
  emptyFoldState,
  encodeOperation,
  encodeRow,
  entryKey,
  type FoldState,
  type KeyEntry,
  type KeyspaceStore,
  type LostVersion,
  type Row,
  type SnapshotTail,
  type StoredVerdict,
  settlementOf,
  type Takeover,
  zeroHlc,
} from '@shanghai/replication';
import { dueKey, foldStateKey, rowKey, stampedKey, stampOf } from './keyspace-keys.js';
import { decodeLoss, encodeLoss, type ListedLoss, listedLoss } from './lost-record.js';
import type { WriteSet } from './write-set.js';

/** Versions that lost a keyspace lists; of more, the oldest are forgotten. */
export const maxListedLosses = 1000;

/** A record of the store. */
interface StoredRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

interface VerdictRecord {
  readonly key: string;
  readonly verdict: StoredVerdict;
}

/** Is told of a row before and after a change. */
export type RowWatcher = (key: Uint8Array, before: Row | undefined, after: Row | undefined) => void;

type StoredState = Omit<FoldState, 'takeover'> & {
  readonly takeover?: Omit<Takeover, 'before'> & { readonly before: string };
};

const noBytes = new Uint8Array(0);

/** The store of one keyspace's fold. Between `begin` and `end` only. */
export class FoldStore implements KeyspaceStore {
  readonly #keyspaceId: number;
  #writes: WriteSet | undefined;
  #state: FoldState = emptyFoldState;
  #isStateChanged = false;
  /** By their stamps. */
  readonly #held: KeyEntry[] = [];
  readonly #verdicts = new Map<string, VerdictRecord>();
  readonly #lost = new Map<string, ListedLoss>();
  readonly #rows = new Map<string, Row | undefined>();
  readonly #watchers = new Set<RowWatcher>();
  /** Found since the start; a version that was found to have lost to another one after all counts again. */
  lossesFound = 0;

  constructor(keyspaceId: number) {
    this.#keyspaceId = keyspaceId;
  }

  loadState(value: Uint8Array): void {
    const { takeover, ...state } = JSON.parse(Buffer.from(value).toString('utf8')) as StoredState;
    if (takeover === undefined) this.#state = state;
    else this.#state = { ...state, takeover: { ...takeover, before: Buffer.from(takeover.before, 'base64') } };
  }

  loadHeld({ key, value }: StoredRecord): void {
    const operation = decodeOperation(value);
    invariant(operation.type !== 'verdict', 'a verdict is held');
    this.#held.push({ stamp: stampOf(key), operation });
  }

  loadVerdict({ key, value }: StoredRecord): void {
    this.#verdicts.set(entryKey(stampOf(key)), JSON.parse(Buffer.from(value).toString('utf8')) as VerdictRecord);
  }

  loadLost({ key, value }: StoredRecord): void {
    this.#lost.set(entryKey(stampOf(key)), decodeLoss(value));
  }

  /** Everything from here to `end` goes into these writes. */
  begin(writes: WriteSet): void {
    this.#writes = writes;
  }

  /** Writes what is written once a run. */
  end(): void {
    if (this.#isStateChanged) this.#toWrite.put(foldStateKey(this.#keyspaceId), encodeState(this.#state));
    this.#isStateChanged = false;
    this.#rows.clear();
    this.#writes = undefined;
  }

  state(): FoldState {
    return this.#state;
  }

  setState(state: FoldState): void {
    this.#state = state;
    this.#isStateChanged = true;
  }

  row(key: Uint8Array): Row | undefined {
    const name = nameOf(key);
    if (this.#rows.has(name)) return this.#rows.get(name);
    const found = this.#toWrite.find(rowKey(this.#keyspaceId, key), 0);
    const row = found === undefined ? undefined : decodeRow(found.value);
    this.#rows.set(name, row);
    return row;
  }

  setRow(key: Uint8Array, row: Row | undefined): void {
    const before = this.row(key);
    const due = before === undefined ? undefined : settlementOf(before);
    const nextDue = row === undefined ? undefined : settlementOf(row);
    const writes = this.#toWrite;
    const isMoved = due === undefined || nextDue === undefined || compareHlc(due, nextDue) !== 0;
    if (due !== undefined && isMoved) writes.delete(dueKey(this.#keyspaceId, due, key));
    if (nextDue !== undefined && isMoved) writes.put(dueKey(this.#keyspaceId, nextDue, key), noBytes);
    const stored = rowKey(this.#keyspaceId, key);
    if (row === undefined) writes.delete(stored);
    else writes.put(stored, encodeRow(row));
    this.#rows.set(nameOf(key), row);
    for (const watcher of this.#watchers) watcher(key, before, row);
  }

  /** Everything but the rows goes. */
  clear(): void {
    for (const { stamp } of [...this.#held]) this.letGo(stamp);
    for (const { id } of this.allVerdicts()) {
      this.#toWrite.delete(stampedKey('keyspaceVerdict', this.#keyspaceId, { ...id, hlc: zeroHlc }));
    }
    for (const { key, lost } of this.losses()) this.removeLost(key, lost.loser.stamp);
    this.#verdicts.clear();
    this.#toWrite.delete(foldStateKey(this.#keyspaceId));
    this.#state = emptyFoldState;
    this.#isStateChanged = false;
  }

  /** Tells of every row that changes, from the next run on, until the function it gives is called. Must not throw. */
  watch(watcher: RowWatcher): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Keys whose rows this run has looked at or changed and that have one now. */
  rowsOfRun(): Uint8Array[] {
    const known = [...this.#rows].filter(([, row]) => row !== undefined);
    return known.map(([name]) => Buffer.from(name, 'latin1'));
  }

  held(upToMs: number): readonly KeyEntry[] {
    let end = 0;
    while (end < this.#held.length && (this.#held[end] as KeyEntry).stamp.hlc.ms <= upToMs) end++;
    return this.#held.slice(0, end);
  }

  heldEntry(id: EntryId): KeyEntry | undefined {
    return this.#held.find(({ stamp }) => isSame(stamp, id));
  }

  firstHeld(): EntryStamp | undefined {
    return this.#held[0]?.stamp;
  }

  hold(entry: KeyEntry): void {
    if (this.heldEntry(entry.stamp) !== undefined) return;
    let at = this.#held.length;
    while (at > 0 && compareStamps((this.#held[at - 1] as KeyEntry).stamp, entry.stamp) > 0) at--;
    const bytes = encodeOperation(entry.operation);
    const operation = decodeOperation(bytes);
    invariant(operation.type !== 'verdict', 'a verdict is held');
    this.#held.splice(at, 0, { stamp: entry.stamp, operation });
    this.#toWrite.put(stampedKey('keyspaceHeld', this.#keyspaceId, entry.stamp), bytes);
  }

  letGo(stamp: EntryStamp): void {
    const at = this.#held.findIndex((entry) => isSame(entry.stamp, stamp));
    if (at < 0) return;
    this.#held.splice(at, 1);
    this.#toWrite.delete(stampedKey('keyspaceHeld', this.#keyspaceId, stamp));
  }

  verdict(id: EntryId): StoredVerdict | undefined {
    return this.#verdicts.size === 0 ? undefined : this.#verdicts.get(entryKey(id))?.verdict;
  }

  setVerdict(id: EntryId, key: Uint8Array, verdict: StoredVerdict): void {
    const record = { key: Buffer.from(key).toString('base64'), verdict };
    this.#verdicts.set(entryKey(id), record);
    const stored = stampedKey('keyspaceVerdict', this.#keyspaceId, { ...id, hlc: zeroHlc });
    this.#toWrite.put(stored, Buffer.from(JSON.stringify(record)));
  }

  addLost(key: Uint8Array, lost: LostVersion): void {
    const { stamp } = lost.loser;
    const loss = decodeLoss(encodeLoss(listedLoss(key, lost)));
    this.#lost.set(entryKey(stamp), loss);
    this.#toWrite.put(stampedKey('keyspaceLost', this.#keyspaceId, stamp), encodeLoss(loss));
    this.lossesFound++;
    if (this.#lost.size > maxListedLosses) this.#forgetOldestLoss();
  }

  removeLost(_key: Uint8Array, loser: EntryStamp): void {
    if (this.#lost.delete(entryKey(loser))) {
      this.#toWrite.delete(stampedKey('keyspaceLost', this.#keyspaceId, loser));
    }
  }

  /** What verdicts said, of all entries that have one. */
  allVerdicts(): SnapshotTail['verdicts'] {
    return [...this.#verdicts].map(([name, { key, verdict }]) => {
      const [origin = 0, epoch = 0, sequence = 0] = name.split(/[./]/).map(Number);
      return { id: { origin, epoch, sequence }, key: Buffer.from(key, 'base64'), verdict };
    });
  }

  /** What lost, the latest first. */
  losses(): ListedLoss[] {
    return [...this.#lost.values()].sort((a, b) => compareStamps(b.lost.loser.stamp, a.lost.loser.stamp));
  }

  /** Held entries, the earliest first. */
  allHeld(): readonly KeyEntry[] {
    return this.#held;
  }

  get #toWrite(): WriteSet {
    invariant(this.#writes !== undefined, 'a fold outside of a run');
    return this.#writes;
  }

  #forgetOldestLoss(): void {
    const oldest = this.losses().at(-1);
    if (oldest !== undefined) this.removeLost(oldest.key, oldest.lost.loser.stamp);
  }
}

function encodeState({ takeover, ...state }: FoldState): Buffer {
  if (takeover === undefined) return Buffer.from(JSON.stringify(state));
  const before = Buffer.from(takeover.before).toString('base64');
  return Buffer.from(JSON.stringify({ ...state, takeover: { ...takeover, before } }));
}

function isSame(a: EntryId, b: EntryId): boolean {
  return a.origin === b.origin && a.epoch === b.epoch && a.sequence === b.sequence;
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}
