/**
 * The end of the log that is not known to be durable: entries, and perhaps a snapshot that takes the place of all before
 * them. What was handed to storage is *in progress*: it is not handed out again, and stays here until storage says that
 * it is durable.
 */
import { invariant } from '@shanghai/env';
import type { Entry, EntryId, Snapshot } from '../entry.js';
import type { TraceListener } from '../trace.js';

/** Entries and a snapshot on their way to storage. `entries[i]` has index `offset + i`. */
export class UnstableLog {
  snapshot: Snapshot | undefined;
  snapshotInProgress = false;
  /** Its own array: what is handed out are copies. */
  readonly entries: Entry[] = [];
  offset: number;
  /** Entries before this index are in progress. Within [offset, offset + entries.length]. */
  offsetInProgress: number;

  readonly #trace: TraceListener | undefined;

  constructor(offset: number, trace?: TraceListener) {
    this.offset = offset;
    this.offsetInProgress = offset;
    this.#trace = trace;
  }

  /** The first index there can be, where a snapshot says so. */
  firstIndex(): number | undefined {
    return this.snapshot === undefined ? undefined : this.snapshot.metadata.index + 1;
  }

  lastIndex(): number | undefined {
    if (this.entries.length > 0) return this.offset + this.entries.length - 1;
    return this.snapshot?.metadata.index;
  }

  /** The term at an index, where it is known here. */
  term(index: number): number | undefined {
    if (index < this.offset) {
      return this.snapshot?.metadata.index === index ? this.snapshot.metadata.term : undefined;
    }
    return this.entries[index - this.offset]?.term;
  }

  /** Entries not handed to storage yet. */
  nextEntries(): readonly Entry[] {
    return this.entries.slice(this.offsetInProgress - this.offset);
  }

  get hasNextEntries(): boolean {
    return this.offsetInProgress - this.offset < this.entries.length;
  }

  /** The snapshot, unless it was handed to storage. */
  nextSnapshot(): Snapshot | undefined {
    return this.snapshotInProgress ? undefined : this.snapshot;
  }

  /** Everything here has been handed to storage. */
  acceptInProgress(): void {
    const last = this.entries.at(-1);
    if (last !== undefined) this.offsetInProgress = last.index + 1;
    if (this.snapshot !== undefined) this.snapshotInProgress = true;
  }

  /**
   * Entries up to this one are durable. Ignored where the entry is not here, or not with this term: it was overwritten
   * while storage was at work, and what overwrote it is not durable yet.
   */
  stableTo({ index, term }: EntryId): void {
    const own = this.term(index);
    if (own === undefined || index < this.offset || own !== term) {
      this.#trace?.('info', () => describeUnstable(this, { index, term }));
      return;
    }
    this.entries.splice(0, index + 1 - this.offset);
    this.offset = index + 1;
    this.offsetInProgress = Math.max(this.offsetInProgress, this.offset);
  }

  /** The snapshot at this index is durable. */
  stableSnapshotTo(index: number): void {
    if (this.snapshot?.metadata.index !== index) return;
    this.snapshot = undefined;
    this.snapshotInProgress = false;
  }

  /** A snapshot takes the place of everything. */
  restore(snapshot: Snapshot): void {
    this.offset = snapshot.metadata.index + 1;
    this.offsetInProgress = this.offset;
    this.entries.length = 0;
    this.snapshot = snapshot;
    this.snapshotInProgress = false;
  }

  /** Adds entries; those at or behind the first of them that are here are overwritten, and have to be written again. */
  truncateAndAppend(added: readonly Entry[]): void {
    const from = (added[0] as Entry).index;
    const kept = from - this.offset;
    invariant(
      kept <= this.entries.length,
      `entry ${from} would leave a gap behind ${this.offset + this.entries.length - 1}`,
    );
    if (kept < this.entries.length) this.#overwrite(from);
    this.entries.length = Math.max(kept, 0);
    for (const entry of added) this.entries.push(entry);
  }

  /** What is to be written at or behind `from` is not in progress any more. */
  #overwrite(from: number): void {
    if (from <= this.offset) {
      this.#trace?.('info', () => `replace the unstable entries from index ${from}`);
      this.offset = from;
      this.offsetInProgress = from;
    } else {
      this.#trace?.('info', () => `truncate the unstable entries before index ${from}`);
      this.offsetInProgress = Math.min(this.offsetInProgress, from);
    }
  }

  /** Entries [from, to), which must be here. */
  slice(from: number, to: number): readonly Entry[] {
    invariant(
      this.offset <= from && from <= to && to <= this.offset + this.entries.length,
      `entries [${from}, ${to}) are not among [${this.offset}, ${this.offset + this.entries.length})`,
    );
    return this.entries.slice(from - this.offset, to - this.offset);
  }
}

/** Why an acknowledgement of storage says nothing about what is here. */
function describeUnstable(unstable: UnstableLog, { index, term }: EntryId): string {
  const own = unstable.term(index);
  if (own === undefined) return `entry at index ${index} missing from unstable log; ignoring`;
  if (index < unstable.offset) return `entry at index ${index} matched unstable snapshot; ignoring`;
  return `entry at (index,term)=(${index},${term}) mismatched with entry at (${index},${own}) in unstable log; ignoring`;
}
