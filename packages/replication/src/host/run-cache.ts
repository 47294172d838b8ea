import { type StreamId, streamKey } from '../core/entry-id.js';
import type { Run } from '../core/run.js';
import type { EntryStore, ReadResult } from '../ports/entry-store.js';

/** Beside its bytes, what a cached run costs. */
const overheadBytes = 256;

/**
 * Runs that were read last, bounded by bytes: followers that keep up ask for the same ones, one after the other. A run that
 * is larger than what is asked for is not cut, since nobody here knows the stamps of the entries within; it is read again.
 * One that was trimmed since may still be given: entries are not wrong for being old.
 */
export class RunCache {
  readonly #store: EntryStore;
  readonly #maxBytes: number;
  /** In the order of their reading. */
  readonly #runs = new Map<string, Run>();
  #bytes = 0;

  constructor(store: EntryStore, maxBytes: number) {
    this.#store = store;
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** As the store's `read`. */
  async read(stream: StreamId, from: number, maxEntries: number, maxBytes: number): Promise<ReadResult> {
    const key = `${streamKey(stream)}#${from}`;
    const cached = this.#runs.get(key);
    if (cached !== undefined && cached.count <= maxEntries && cached.bytes.length <= maxBytes) {
      return { type: 'run', run: cached };
    }
    const result = await this.#store.read(stream, from, maxEntries, maxBytes);
    if (result.type === 'run') this.#keep(key, result.run);
    return result;
  }

  #keep(key: string, run: Run): void {
    const cost = run.bytes.length + overheadBytes;
    const old = this.#runs.get(key);
    if (old !== undefined) this.#drop(key, old);
    if (cost > this.#maxBytes) return;
    this.#runs.set(key, run);
    this.#bytes += cost;
    for (const [oldest, oldestRun] of this.#runs) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#drop(oldest, oldestRun);
    }
  }

  #drop(key: string, run: Run): void {
    this.#runs.delete(key);
    this.#bytes -= run.bytes.length + overheadBytes;
  }
}
