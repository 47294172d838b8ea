import { invariant } from '@shanghai/env';
import { type ConfState, emptyConfState } from '../core/configuration/configuration.js';
import {
  type Entry,
  emptyHardState,
  type HardState,
  limitEntries,
  noData,
  payloadBytes,
  type Snapshot,
} from '../core/entry.js';
import type { LogGap, LogStorage } from '../core/log/log-storage.js';

/** A log in memory, with the calls that write it. Nothing is ever lost, whatever is synced. */
export class MemoryLogStorage implements LogStorage {
  #hardState: HardState = emptyHardState;
  #snapshot: Snapshot = { metadata: { index: 0, term: 0, confState: emptyConfState }, data: noData };
  /** Behind the compacted part; `#entries[0]` has index `#offset + 1`. */
  #entries: Entry[] = [];
  #offset = 0;
  #offsetTerm = 0;
  #dataBytes = 0;

  /** Of the entries' data. */
  get dataBytes(): number {
    return this.#dataBytes;
  }

  initialState(): { readonly hardState: HardState; readonly confState: ConfState } {
    return { hardState: this.#hardState, confState: this.#snapshot.metadata.confState };
  }

  entries(from: number, to: number, maxBytes: number): readonly Entry[] | LogGap {
    if (from <= this.#offset) return 'compacted';
    invariant(to <= this.lastIndex() + 1, `entries up to ${to} of a log up to ${this.lastIndex()}`);
    if (this.#entries.length === 0) return 'unavailable';
    return limitEntries(this.#entries.slice(from - this.#offset - 1, to - this.#offset - 1), maxBytes);
  }

  term(index: number): number | LogGap {
    if (index < this.#offset) return 'compacted';
    if (index === this.#offset) return this.#offsetTerm;
    return this.#entries[index - this.#offset - 1]?.term ?? 'unavailable';
  }

  lastIndex(): number {
    return this.#offset + this.#entries.length;
  }

  firstIndex(): number {
    return this.#offset + 1;
  }

  /** The snapshot set last; empty where there was none. */
  snapshot(): Snapshot {
    return this.#snapshot;
  }

  setHardState(hardState: HardState): void {
    this.#hardState = hardState;
  }

  /** Appends; what is there at or behind the first of them goes. Entries in the compacted part are left out. */
  append(entries: readonly Entry[]): void {
    const added = entries.filter(({ index }) => index > this.#offset);
    const first = added[0];
    if (first === undefined) return;
    const kept = first.index - this.#offset - 1;
    invariant(kept <= this.#entries.length, `entry ${first.index} leaves a gap behind ${this.lastIndex()}`);
    this.#dataBytes += payloadBytes(added) - payloadBytes(this.#entries.slice(kept));
    this.#entries.length = kept;
    for (const entry of added) this.#entries.push(entry);
  }

  /** Puts a snapshot in the place of the whole log. An older one than there is changes nothing. */
  applySnapshot(snapshot: Snapshot): void {
    if (snapshot.metadata.index > this.#snapshot.metadata.index) this.reset(snapshot);
  }

  /** Puts a snapshot in the place of the whole log, whatever there is. */
  reset(snapshot: Snapshot): void {
    const { index, term } = snapshot.metadata;
    this.#snapshot = snapshot;
    this.#entries = [];
    this.#dataBytes = 0;
    this.#offset = index;
    this.#offsetTerm = term;
  }

  /** Keeps a snapshot to send, without touching the log. */
  createSnapshot(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
  }

  /** Gives up the entries up to `index`. */
  compact(index: number): void {
    invariant(index <= this.lastIndex(), `compacting up to ${index} of a log up to ${this.lastIndex()}`);
    if (index <= this.#offset) return;
    const term = this.term(index);
    invariant(typeof term === 'number', `the term of ${index} is ${term}`);
    this.#dataBytes -= payloadBytes(this.#entries.splice(0, index - this.#offset));
    this.#offset = index;
    this.#offsetTerm = term;
  }
}
