/**
 * The log of a node: what storage has, and behind it what is not durable yet. Four marks move through it:
 *
 *   applied ≤ applying ≤ committed ≤ lastIndex
 *
 * `committed` will never be taken back; `applying` was handed to the state machine; `applied` was reported done.
 */
import { invariant } from '@shanghai/env';
import { type Entry, type EntryId, entriesBytes, limitEntries, type Snapshot } from '../entry.js';
import type { TraceListener } from '../trace.js';
import type { LogGap, LogStorage } from './log-storage.js';
import { UnstableLog } from './unstable-log.js';

/** The log of one node. */
export class RaftLog {
  readonly unstable: UnstableLog;
  committed: number;
  applying: number;
  applied: number;
  readonly #storage: LogStorage;
  readonly #maxApplyingBytes: number;
  readonly #trace: TraceListener | undefined;
  #applyingBytes = 0;
  /** The state machine has as much to do as it may have. */
  #isApplyingPaused = false;

  /** `maxApplyingBytes`: of entries handed to the state machine and not reported done. */
  constructor(storage: LogStorage, maxApplyingBytes: number, trace?: TraceListener) {
    this.#storage = storage;
    this.#trace = trace;
    this.#maxApplyingBytes = maxApplyingBytes;
    const firstIndex = storage.firstIndex();
    this.unstable = new UnstableLog(storage.lastIndex() + 1, trace);
    this.committed = firstIndex - 1;
    this.applying = firstIndex - 1;
    this.applied = firstIndex - 1;
  }

  firstIndex(): number {
    return this.unstable.firstIndex() ?? this.#storage.firstIndex();
  }

  lastIndex(): number {
    return this.unstable.lastIndex() ?? this.#storage.lastIndex();
  }

  lastEntryId(): EntryId {
    const index = this.lastIndex();
    const term = this.term(index);
    invariant(typeof term === 'number', `the term of the last entry ${index} is ${term}`);
    return { index, term };
  }

  /** The term of an entry, also of the one that the log begins behind. */
  term(index: number): number | LogGap {
    const unstable = this.unstable.term(index);
    if (unstable !== undefined) return unstable;
    if (index + 1 < this.firstIndex()) return 'compacted';
    if (index > this.lastIndex()) return 'unavailable';
    return this.#storage.term(index);
  }

  matches({ index, term }: EntryId): boolean {
    return this.term(index) === term;
  }

  /** Whether a log that ends there holds at least as much as this one (Raft paper, 5.4.1). */
  isUpToDate(other: EntryId): boolean {
    const own = this.lastEntryId();
    return other.term > own.term || (other.term === own.term && other.index >= own.index);
  }

  /**
   * Adds a leader's entries behind `previous`, overwriting what conflicts, and commits up to `commit` as far as they
   * reach. Returns the last index that matches the leader's log now, or `undefined` where `previous` is not in this log.
   */
  maybeAppend(previous: EntryId, entries: readonly Entry[], commit: number): number | undefined {
    if (!this.matches(previous)) return undefined;
    const lastIndex = previous.index + entries.length;
    const conflict = entries.findIndex((entry) => !this.matches(entry));
    if (conflict !== -1) {
      const { index, term } = entries[conflict] as Entry;
      if (index <= this.lastIndex()) {
        this.#trace?.(
          'info',
          () => `found conflict at index ${index} [existing term: ${this.term(index)}, conflicting term: ${term}]`,
        );
      }
      invariant(index > this.committed, `entry ${index} conflicts with a committed one (${this.committed})`);
      this.append(conflict === 0 ? entries : entries.slice(conflict));
    }
    this.commitTo(Math.min(commit, lastIndex));
    return lastIndex;
  }

  /** Adds entries; they may overwrite what is not committed. */
  append(entries: readonly Entry[]): void {
    const first = entries[0];
    if (first === undefined) return;
    invariant(first.index > this.committed, `entry ${first.index} would overwrite a committed one (${this.committed})`);
    this.unstable.truncateAndAppend(entries);
  }

  /**
   * The highest entry at or before `index` whose term is at most `term`: where another log, which has `term` at `index`,
   * may agree with this one. Term 0 says that this log does not know.
   */
  findConflictByTerm(index: number, term: number): EntryId {
    for (let at = index; at > 0; at--) {
      const own = this.term(at);
      if (typeof own !== 'number') return { index: at, term: 0 };
      if (own <= term) return { index: at, term: own };
    }
    return { index: 0, term: 0 };
  }

  /** Commits up to an entry, if it is new and of that term: only what the leader of a term wrote counts by replicas (5.4.2). */
  maybeCommit({ index, term }: EntryId): boolean {
    if (term === 0 || index <= this.committed || !this.matches({ index, term })) return false;
    this.commitTo(index);
    return true;
  }

  commitTo(index: number): void {
    if (index <= this.committed) return;
    const lastIndex = this.lastIndex();
    invariant(index <= lastIndex, `entry ${index} is committed, but the log ends at ${lastIndex}: it was lost`);
    this.committed = index;
  }

  /** Committed entries for the state machine, within its bounds. `allowUnstable`: also those not durable here yet. */
  nextCommitted(allowUnstable: boolean): readonly Entry[] {
    if (!this.hasNextCommitted(allowUnstable)) return [];
    const from = this.applying + 1;
    const to = this.#appliableIndex(allowUnstable) + 1;
    const entries = this.slice(from, to, this.#maxApplyingBytes - this.#applyingBytes);
    invariant(typeof entries !== 'string', `committed entries from ${from} on are ${entries}`);
    return entries;
  }

  hasNextCommitted(allowUnstable: boolean): boolean {
    // A snapshot comes before entries behind it.
    if (this.#isApplyingPaused || this.hasUnstableSnapshot) return false;
    return this.applying < this.#appliableIndex(allowUnstable);
  }

  /** Entries up to `index`, of so many bytes, were handed to the state machine. */
  acceptApplying(index: number, bytes: number, allowUnstable: boolean): void {
    invariant(index <= this.committed && index >= this.applying, `applying ${index} out of order`);
    this.applying = index;
    this.#applyingBytes += bytes;
    // Also where not everything was handed out: then the next entry would have crossed the bound.
    this.#isApplyingPaused =
      this.#applyingBytes >= this.#maxApplyingBytes || index < this.#appliableIndex(allowUnstable);
  }

  /** The state machine is done with entries up to `index`, of so many bytes. */
  appliedTo(index: number, bytes: number): void {
    invariant(
      index <= this.committed && index >= this.applied,
      `applied ${index} after ${this.applied} of ${this.committed}`,
    );
    this.applied = index;
    this.applying = Math.max(this.applying, index);
    this.#applyingBytes = Math.max(this.#applyingBytes - bytes, 0);
    this.#isApplyingPaused = this.#applyingBytes >= this.#maxApplyingBytes;
  }

  get hasUnstableSnapshot(): boolean {
    return this.unstable.snapshot !== undefined;
  }

  /** A snapshot to send. */
  snapshot(): Snapshot | 'unavailable' {
    return this.unstable.snapshot ?? this.#storage.snapshot();
  }

  /** A snapshot takes the place of the whole log. */
  restore(snapshot: Snapshot): void {
    this.committed = snapshot.metadata.index;
    this.unstable.restore(snapshot);
  }

  /** Entries from `from` to the end, within `maxBytes`. */
  entries(from: number, maxBytes: number): readonly Entry[] | LogGap {
    return from > this.lastIndex() ? [] : this.slice(from, this.lastIndex() + 1, maxBytes);
  }

  /** Entries [from, to), within `maxBytes`, at least one. */
  slice(from: number, to: number, maxBytes: number): readonly Entry[] | LogGap {
    if (from < this.firstIndex()) return 'compacted';
    invariant(from <= to && to <= this.lastIndex() + 1, `entries [${from}, ${to}) of a log up to ${this.lastIndex()}`);
    if (from === to) return [];
    const { offset } = this.unstable;
    if (from >= offset) return limitEntries(this.unstable.slice(from, to), maxBytes);
    const cut = Math.min(to, offset);
    const stored = this.#storage.entries(from, cut, maxBytes);
    if (typeof stored === 'string' || stored.length < cut - from || cut === to) return stored;
    const bytes = entriesBytes(stored);
    if (bytes >= maxBytes) return stored;
    // At least one is no rule here: one has been found already.
    const rest = limitEntries(this.unstable.slice(offset, to), maxBytes - bytes);
    if (rest.length === 1 && bytes + entriesBytes(rest) > maxBytes) return stored;
    return [...stored, ...rest];
  }

  #appliableIndex(allowUnstable: boolean): number {
    return allowUnstable ? this.committed : Math.min(this.committed, this.unstable.offset - 1);
  }
}
