import { invariant } from '@shanghai/env';
import { type ConfState, emptyConfState } from '../core/configuration/configuration.js';
import { type Entry, type EntryId, entryBytes } from '../core/entry.js';
import type { LogGap } from '../core/log/log-storage.js';
import { EntryPlaces } from './entry-places.js';

/** Where a log begins, and as of there who is in the group. */
export interface LogStart extends EntryId {
  readonly confState: ConfState;
}

/** A log that begins with entry 1, of nobody. */
export const noStart: LogStart = { index: 0, term: 0, confState: emptyConfState };

/** A group's log in memory: what the core reads. */
export class LogView {
  /** Which records hold the entries that are durable. */
  readonly places: EntryPlaces;
  #start: LogStart;
  /** `#entries[0]` has index `#start.index + 1`. */
  readonly #entries: Entry[];
  #bytes = 0;

  /** The entries, which follow `start` without gaps, are taken over, and their places. */
  constructor(start: LogStart, entries: Entry[] = [], places = new EntryPlaces()) {
    this.places = places;
    this.#start = start;
    this.#entries = entries;
    this.#bytes = dataBytes(entries);
  }

  get start(): LogStart {
    return this.#start;
  }

  get lastIndex(): number {
    return this.#start.index + this.#entries.length;
  }

  /** Of the entries' data. */
  get bytes(): number {
    return this.#bytes;
  }

  term(index: number): number | LogGap {
    if (index < this.#start.index) return 'compacted';
    if (index === this.#start.index) return this.#start.term;
    return this.#entries[index - this.#start.index - 1]?.term ?? 'unavailable';
  }

  /** Entries [from, to) as far as they have together at most `maxBytes`; at least one. */
  entries(from: number, to: number, maxBytes: number): readonly Entry[] | LogGap {
    const first = from - this.#start.index - 1;
    if (first < 0) return 'compacted';
    if (first >= this.#entries.length) return 'unavailable';
    const end = to - this.#start.index - 1;
    invariant(end <= this.#entries.length, `entries up to ${to} of a log up to ${this.lastIndex}`);
    if (maxBytes === Number.POSITIVE_INFINITY) return this.#entries.slice(first, end);
    let bytes = entryBytes(this.#entries[first] as Entry);
    let stop = first + 1;
    for (; stop < end; stop++) {
      bytes += entryBytes(this.#entries[stop] as Entry);
      if (bytes > maxBytes) break;
    }
    return this.#entries.slice(first, stop);
  }

  /** All that is kept. */
  all(): readonly Entry[] {
    return this.#entries;
  }

  /** Puts entries at their places. Returns those that had to go. The first is behind the start, and leaves no gap. */
  append(entries: readonly Entry[]): readonly Entry[] {
    const first = entries[0];
    if (first === undefined) return [];
    invariant(first.index > this.#start.index, `entry ${first.index} of a log that begins behind ${this.#start.index}`);
    invariant(first.index <= this.lastIndex + 1, `entry ${first.index} leaves a gap behind ${this.lastIndex}`);
    const removed = this.cut(first.index);
    for (const entry of entries) this.#entries.push(entry);
    this.#bytes += dataBytes(entries);
    return removed;
  }

  /** Takes away the entries from `index` on, and returns them. */
  cut(index: number): readonly Entry[] {
    const kept = index - this.#start.index - 1;
    if (kept >= this.#entries.length) return [];
    const removed = this.#entries.splice(kept);
    this.#bytes -= dataBytes(removed);
    return removed;
  }

  /** Gives up the entries up to `start`, which is one of them or where the log begins. */
  compact(start: LogStart): void {
    const { index } = start;
    invariant(index >= this.#start.index, `compacting up to ${index} what begins behind ${this.#start.index}`);
    invariant(index <= this.lastIndex, `compacting up to ${index} of a log up to ${this.lastIndex}`);
    this.#bytes -= dataBytes(this.#entries.splice(0, index - this.#start.index));
    this.#start = start;
    this.places.drop(index + 1);
  }
}

function dataBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const { data } of entries) bytes += data.length;
  return bytes;
}
