import type { ConfState } from '../core/configuration/configuration.js';
import type { Entry, HardState, Snapshot } from '../core/entry.js';
import type { LogGap, LogStorage } from '../core/log/log-storage.js';
import type { GroupLog } from '../ports/group-log.js';

/** What the core begins with. */
export interface InitialState {
  readonly hardState: HardState;
  readonly confState: ConfState;
}

/**
 * A group's log as the core sees it. The entry with index 1 is never there: the members a group began with are not told
 * by any entry, so who was not one of them must get a snapshot, not the log from its start.
 */
export class GroupStorage implements LogStorage {
  readonly #log: GroupLog;
  readonly #initial: InitialState;
  readonly #leastIndex: number;
  readonly #snapshot: () => Snapshot | 'unavailable';

  constructor(log: GroupLog, initial: InitialState, snapshot: () => Snapshot | 'unavailable') {
    this.#log = log;
    this.#initial = initial;
    this.#snapshot = snapshot;
    // A log that holds nothing has no first entry to hide: it waits for a snapshot.
    this.#leastIndex = log.lastIndex() === 0 ? 1 : 2;
  }

  initialState(): InitialState {
    return this.#initial;
  }

  entries(from: number, to: number, maxBytes: number): readonly Entry[] | LogGap {
    return from < this.#leastIndex ? 'compacted' : this.#log.entries(from, to, maxBytes);
  }

  term(index: number): number | LogGap {
    return index < this.#leastIndex - 1 ? 'compacted' : this.#log.term(index);
  }

  lastIndex(): number {
    return this.#log.lastIndex();
  }

  firstIndex(): number {
    return Math.max(this.#log.firstIndex(), this.#leastIndex);
  }

  snapshot(): Snapshot | 'unavailable' {
    return this.#snapshot();
  }
}
