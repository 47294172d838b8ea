/**
 * What a run of entries will write, and what the run itself reads back before it is written.
 *
 * All entries that became durable together are applied as one run and written as one batch; a later entry must see what
 * an earlier one of the same run did. Most entries never look (a put needs nothing of the old value), so the index over
 * the run's own writes is made only when somebody does, and only up to where the writes then stand.
 *
 * What the store holds is read before the pure step (`prefetch`), so that applying never waits and never blocks.
 */
import type { BatchOperation } from '@shanghai/bitcask';
import { invariant } from '@shanghai/env';
import type { StateStore } from './state-store.js';

/** A value found, or `undefined`. */
export interface Found {
  readonly value: Uint8Array;
  /** 0 = never. */
  readonly expiresAtMs: number;
}

/** The writes of one run over a store. Not shared between runs. */
export class WriteSet {
  readonly #store: StateStore;
  #operations: BatchOperation[] = [];
  readonly #newest = new Map<string, number>();
  #indexed = 0;
  readonly #fetched = new Map<string, Found | undefined>();

  constructor(store: StateStore) {
    this.#store = store;
  }

  /** The writes so far, in order. */
  get operations(): readonly BatchOperation[] {
    return this.#operations;
  }

  /** Reads keys that the run will ask for. Expired ones are fetched too: log time decides at the step. */
  async prefetch(keys: readonly Buffer[]): Promise<void> {
    const entries = await Promise.all(keys.map((key) => this.#store.getEntry(key, { horizonMs: 0 })));
    for (const [i, entry] of entries.entries()) this.#fetched.set((keys[i] as Buffer).toString('latin1'), entry);
  }

  put(key: Buffer, value: Uint8Array, expiresAtMs = 0): void {
    this.#operations.push(expiresAtMs === 0 ? { type: 'put', key, value } : { type: 'put', key, value, expiresAtMs });
  }

  delete(key: Buffer): void {
    this.#operations.push({ type: 'delete', key });
  }

  /** The value at this point of the run, live at `logTimeMs`. */
  find(key: Buffer, logTimeMs: number): Found | undefined {
    const name = key.toString('latin1');
    const own = this.#own(name);
    if (own !== undefined) {
      if (own.type === 'delete') return undefined;
      const { value, expiresAtMs = 0 } = own;
      return expiresAtMs !== 0 && expiresAtMs <= logTimeMs ? undefined : { value, expiresAtMs };
    }
    const found = this.#fetched.has(name) ? this.#fetched.get(name) : this.#store.getEntrySync(key, { horizonMs: 0 });
    if (found === undefined || (found.expiresAtMs !== 0 && found.expiresAtMs <= logTimeMs)) return undefined;
    return found;
  }

  /** Whether there is a live value at this point of the run. */
  has(key: Buffer, logTimeMs: number): boolean {
    const own = this.#own(key.toString('latin1'));
    if (own === undefined) return this.#store.has(key, { horizonMs: logTimeMs });
    if (own.type === 'delete') return false;
    const { expiresAtMs = 0 } = own;
    return expiresAtMs === 0 || expiresAtMs > logTimeMs;
  }

  /** A point to go back to. */
  mark(): number {
    return this.#operations.length;
  }

  /** Forgets what was written since the mark. */
  rollback(mark: number): void {
    invariant(mark <= this.#operations.length, `cannot go back to ${mark} of ${this.#operations.length} writes`);
    this.#operations.length = mark;
    if (this.#indexed <= mark) return;
    this.#newest.clear();
    this.#indexed = 0;
  }

  #own(name: string): BatchOperation | undefined {
    for (; this.#indexed < this.#operations.length; this.#indexed++) {
      const key = (this.#operations[this.#indexed] as BatchOperation).key as Buffer;
      this.#newest.set(key.toString('latin1'), this.#indexed);
    }
    const at = this.#newest.get(name);
    return at === undefined ? undefined : this.#operations[at];
  }
}
