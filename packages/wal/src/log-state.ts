import { ReplacedStreams } from './core/replaced-streams.js';
import type { Segment } from './segment.js';
import type { WalDurability } from './wal.js';

/** What all parts of an open log share: its segments, how far it is written, synced and readable, and how it ended. */
export class LogState {
  readonly directory: string;
  readonly logId: string;
  readonly durability: WalDurability;
  /** Oldest first, never empty; the last is the active one unless it is sealed. */
  readonly segments: Segment[];
  writtenLsn: number;
  durableLsn: number;
  /** Streams replaced, as readers see it. */
  readonly replaced = new ReplacedStreams();
  /** The same, as far as completed syncs cover it: what segments may be released for. */
  readonly durablyReplaced = new ReplacedStreams();
  failure: Error | undefined;
  closed = false;
  #waiters: (() => void)[] = [];

  constructor(directory: string, logId: string, durability: WalDurability, segments: Segment[]) {
    this.directory = directory;
    this.logId = logId;
    this.durability = durability;
    this.segments = segments;
    for (const segment of segments) {
      this.replaced.noteAll(segment.replaced);
      this.durablyReplaced.noteAll(segment.replaced);
    }
    this.writtenLsn = this.last.lastLsn;
    this.durableLsn = this.last.lastLsn;
  }

  get last(): Segment {
    return this.segments[this.segments.length - 1] as Segment;
  }

  /** First LSN still kept, or the next one where there is none. */
  get firstLsn(): number {
    return (this.segments[0] as Segment).header.baseLsn;
  }

  /** Last LSN that readers may see. */
  get readableLsn(): number {
    return this.durability === 'always' ? this.durableLsn : this.writtenLsn;
  }

  /** Whether reading is still possible. */
  get readable(): boolean {
    return !this.closed;
  }

  /** The segment that holds or will hold `lsn`, or `undefined` where it is no longer kept. */
  find(lsn: number): Segment | undefined {
    let low = 0;
    let high = this.segments.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.segments[middle] as Segment).header.baseLsn <= lsn) low = middle + 1;
      else high = middle;
    }
    return this.segments[low - 1];
  }

  /** Calls `waiter` once, when more is readable or the log closes. Returns a function that takes it back. */
  onChange(waiter: () => void): () => void {
    this.#waiters.push(waiter);
    return () => {
      const at = this.#waiters.indexOf(waiter);
      if (at >= 0) this.#waiters.splice(at, 1);
    };
  }

  /** Wakes those who wait in `onChange`. */
  changed(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}
