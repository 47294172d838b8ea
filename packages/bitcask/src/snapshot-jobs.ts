import type { SnapshotOptions, SnapshotResult } from './bitcask.js';
import { BitcaskError } from './bitcask-error.js';
import type { Manifest, ManifestEntry } from './core/manifest-codec.js';
import type { Snapshot } from './core/snapshots.js';
import { ManifestUnchanged } from './manifest-file.js';
import { diskFull } from './poisoning.js';
import type { SegmentLog } from './segment-log.js';
import type { StoreContext } from './store-context.js';
import { snapshotManifest, writeSnapshot } from './store-snapshot.js';
import type { Writer } from './writer.js';

/** No key lies in it: an open snapshot of this range keeps files, and no positions. */
const nothing = { low: undefined, high: new Uint8Array(0), reverse: false };

/**
 * Snapshots of an open store, one at a time. The active segment is sealed between two turns of the writer; from then on
 * the listed files are final, and writes go on. What a merge replaces meanwhile stays as for an iterator, because a
 * snapshot number is held.
 */
export class SnapshotJobs {
  readonly #store: StoreContext;
  readonly #writer: Writer;
  readonly #log: SegmentLog;
  readonly #stop = new AbortController();
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: StoreContext, writer: Writer, log: SegmentLog) {
    this.#store = store;
    this.#writer = writer;
    this.#log = log;
  }

  run(target: string, options: SnapshotOptions): Promise<SnapshotResult> {
    const mine = this.#last.then(() => this.#run(target, options));
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  /** Breaks a running one off and waits for it. */
  async close(): Promise<void> {
    this.#stop.abort(new BitcaskError('CLOSED', 'the store was closed before this was done; open it again'));
    await this.#last;
  }

  async #run(target: string, options: SnapshotOptions): Promise<SnapshotResult> {
    const { disk, directory } = this.#store.options;
    const signals = options.signal === undefined ? [this.#stop.signal] : [this.#stop.signal, options.signal];
    const signal = AbortSignal.any(signals);
    signal.throwIfAborted();
    const { manifest, held } = await this.#writer.exclusively(() => this.#seal());
    try {
      await this.#listSeals();
      return await writeSnapshot({ disk, directory, manifest }, target, { ...options, signal });
    } finally {
      this.#store.index.snapshots.close(held);
    }
  }

  async #seal(): Promise<{ readonly manifest: Manifest; readonly held: Snapshot }> {
    const { health, manifest, index } = this.#store;
    if (health.failure !== undefined) throw health.failure;
    await this.#writer.seal();
    const sequence = this.#writer.writtenSequence;
    const entries = manifest.current.entries.map((entry) => this.#sealed(entry));
    return {
      manifest: snapshotManifest(manifest.current, entries, sequence),
      held: index.snapshots.open(sequence, nothing),
    };
  }

  /** The manifest may not know yet of a seal that just happened; the index does. */
  #sealed(entry: ManifestEntry): ManifestEntry {
    if (entry.sealedBytes > 0) return entry;
    return { ...entry, sealedBytes: this.#store.index.segment(entry.fileId).bytes };
  }

  /** A shared file must be listed as final first: recovery cuts the tail of one that is not, where it is damaged. */
  async #listSeals(): Promise<void> {
    try {
      await this.#log.listSeals(this.#writer.writtenSequence);
    } catch (error) {
      if (error instanceof ManifestUnchanged) throw diskFull(error);
      this.#store.health.poison(error as Error);
      throw this.#store.health.failure ?? error;
    }
  }
}
