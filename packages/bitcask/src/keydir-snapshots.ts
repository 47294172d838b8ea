import { invariant, type Timer } from '@shanghai/env';
import { KeydirImage } from './core/keydir/keydir-image.js';
import { PackedTree } from './core/keydir/packed-tree.js';
import type { CoveredSegment } from './core/keydir-snapshot-codec.js';
import { KeydirWalk } from './core/keydir-walk.js';
import type { ManifestEntry } from './core/manifest-codec.js';
import { keydirName } from './core/segment-names.js';
import type { Snapshot } from './core/snapshots.js';
import { KeydirSnapshotWriter } from './keydir-snapshot-writer.js';
import { ManifestUnchanged } from './manifest-file.js';
import { MergePace } from './merge-pace.js';
import type { SegmentLog } from './segment-log.js';
import type { StoreContext } from './store-context.js';
import type { Writer } from './writer.js';

/**
 * Keeps a snapshot of the key directory on the disk, so that the next opening need not build it anew.
 *
 * It is written for a moment between two turns of the writer at which every segment is sealed: then the directory is
 * the state of exactly these segments. From there on writes go on. The walk sees the directory as it was by the means
 * that iterators have (what is overwritten behind the walk's front is kept aside, within a bound); the tree is packed anew
 * page by page on the way to the file. Nothing but time is lost when it fails: then the file stays as it was, and
 * whoever opens tells from the manifest that it is out of date.
 *
 * Rejected: writing the pages as they are, kept by copy on write: a random write would copy 4 KiB where here it keeps
 * some eighty bytes, and every place that changes a page would have to tell.
 */

/** Keys between two turns of the event loop: half a millisecond while others work, two when the store closes. */
const keysAtATime = 2_048;
const keysAtCloseAtATime = 8_192;
/** A writer that never runs out of work is asked so often whether enough has changed. */
const checkIntervalMs = 10_000;
/** At close a snapshot that serves still is left when at most this part of the keys was written since. */
const toleratedPart = 1 / 32;
/** In the background the file is synced whenever it has grown by this. */
const syncBytes = 16 * 1024 * 1024;

/** Which state a snapshot on the disk holds. */
export interface CoveredState {
  readonly fileIds: ReadonlySet<number>;
  readonly visibleSequence: number;
}

/** The state to be written. */
interface Frozen {
  readonly snapshot: Snapshot;
  readonly segments: readonly CoveredSegment[];
  readonly keys: number;
  readonly keysByFirstByte: Float64Array;
}

/** Told to the listener as the reason, never thrown out of here. */
class GivenUp extends Error {}

/** Writes snapshots of the key directory: at close, and in the background when much has changed. */
export class KeydirSnapshots {
  readonly #store: StoreContext;
  readonly #writer: Writer;
  readonly #log: SegmentLog;
  readonly #stop = new AbortController();
  #covered: CoveredState | undefined;
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  /** Records that merges moved, and all work at the last attempt. */
  #relocated = 0;
  #workAtLast = 0;

  /** `covered`: the state of the snapshot that was loaded at opening. */
  constructor(store: StoreContext, writer: Writer, log: SegmentLog, covered: CoveredState | undefined) {
    this.#store = store;
    this.#writer = writer;
    this.#log = log;
    this.#covered = covered;
  }

  /** Looks now and then whether enough has changed, from now on. */
  start(): void {
    const { clock, keydirSnapshot } = this.#store.options;
    if (!keydirSnapshot.enabled || keydirSnapshot.everyOperations === 0) return;
    this.#timer = clock.setTimer(checkIntervalMs, () => {
      this.afterWrites();
      this.start();
    });
  }

  /** To be called when the writer has run out of work. */
  afterWrites(): void {
    const { options, index, health } = this.#store;
    const { enabled, minKeys, everyOperations } = options.keydirSnapshot;
    if (!enabled || everyOperations === 0 || this.#running !== undefined || this.#stop.signal.aborted) return;
    const keys = index.keydir.size;
    if (keys < minKeys || health.failure !== undefined) return;
    // A snapshot costs a walk over all keys: no more often than as many have changed.
    if (this.#work - this.#workAtLast < Math.max(everyOperations, keys)) return;
    this.#running = this.#inBackground().finally(() => {
      this.#running = undefined;
    });
  }

  /** To be called when a merge has moved so many records. */
  afterMerge(recordsMoved: number): void {
    this.#relocated += recordsMoved;
    this.afterWrites();
  }

  /** Breaks off what runs. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#stop.abort();
    await this.#running;
  }

  /** Writes the last state where that spares the next opening much. Everything is sealed and nothing runs any more. */
  async atClose(): Promise<void> {
    const { options, index, health } = this.#store;
    const { enabled, minKeys } = options.keydirSnapshot;
    const keys = index.keydir.size;
    if (!enabled || options.readOnly || health.failure !== undefined || keys < minKeys || keys === 0) return;
    const newer = index.visibleSequence - (this.#covered?.visibleSequence ?? 0);
    if (this.#isUsable() && newer <= keys * toleratedPart) return;
    const frozen = this.#freeze();
    if (frozen !== undefined) await this.#write(frozen, undefined);
  }

  get #work(): number {
    return this.#writer.operations + this.#relocated;
  }

  async #inBackground(): Promise<void> {
    this.#workAtLast = this.#work;
    try {
      const frozen = await this.#writer.exclusively(async () => {
        await this.#writer.seal();
        await this.#listSeals();
        return this.#freeze();
      });
      const { clock, merge } = this.#store.options;
      if (frozen !== undefined) await this.#write(frozen, new MergePace(clock, merge.bytesPerSecond));
    } catch (error) {
      this.#tellFailure(error);
    }
  }

  async #listSeals(): Promise<void> {
    try {
      await this.#log.listSeals(this.#writer.writtenSequence);
    } catch (error) {
      if (!(error instanceof ManifestUnchanged)) this.#store.health.poison(error as Error);
      throw error;
    }
  }

  /** Notes the state as it is; `undefined` where the segments are not what the manifest lists (while a merge is installed). */
  #freeze(): Frozen | undefined {
    const { index, manifest } = this.#store;
    const { entries } = manifest.current;
    if (entries.length !== index.segments.size || !entries.every((entry) => this.#isAsListed(entry))) return undefined;
    if (index.visibleSequence < this.#writer.writtenSequence) return undefined;
    const { dumps, visibleSequence, keydir } = index;
    return {
      snapshot: dumps.open(visibleSequence, { low: undefined, high: undefined, reverse: false }),
      segments: [...index.segments.values()].map((segment) => ({ ...segment })),
      keys: keydir.size,
      keysByFirstByte: index.keysByFirstByte.slice(),
    };
  }

  #isAsListed({ fileId, sealedBytes }: ManifestEntry): boolean {
    const segment = this.#store.index.segments.get(fileId);
    return segment?.sealed === true && segment.bytes === sealedBytes;
  }

  /** Whether the snapshot on the disk can be loaded. */
  #isUsable(): boolean {
    return this.#covered !== undefined && this.#areListed(this.#covered.fileIds);
  }

  #areListed(fileIds: ReadonlySet<number>): boolean {
    const { entries } = this.#store.manifest.current;
    let found = 0;
    for (const { fileId } of entries) if (fileIds.has(fileId)) found++;
    return found === fileIds.size;
  }

  /** Never rejects. `pace` undefined: as fast as possible. */
  async #write(frozen: Frozen, pace: MergePace | undefined): Promise<void> {
    const { options, index, manifest } = this.#store;
    const { disk, directory, random, clock, listener } = options;
    const startedMs = clock.monotonicMs();
    const { snapshot, segments } = frozen;
    let writer: KeydirSnapshotWriter | undefined;
    try {
      const header = {
        storeId: manifest.current.storeId,
        snapshotId: Math.floor(random.float() * Number.MAX_SAFE_INTEGER) + 1,
        pageBytes: KeydirImage.pageBytes,
        visibleSequence: snapshot.sequence,
      };
      writer = await KeydirSnapshotWriter.create(disk, directory, header, segments);
      const root = await this.#dump(frozen, writer, pace);
      const fileIds = new Set(segments.map((segment) => segment.fileId));
      if (!this.#areListed(fileIds)) throw new GivenUp('a merge has taken segments meanwhile');
      const { keys, keysByFirstByte } = frozen;
      await writer.finish({ root, keys, keysByFirstByte });
      this.#covered = { fileIds, visibleSequence: snapshot.sequence };
      const durationMs = clock.monotonicMs() - startedMs;
      listener.keydirSnapshot?.({ file: `${directory}/${keydirName}`, keys, bytes: writer.bytes, durationMs });
    } catch (error) {
      await writer?.abandon();
      this.#tellFailure(error);
    } finally {
      index.dumps.close(snapshot);
    }
  }

  /** Writes every key of the frozen state; returns the root page. */
  async #dump(frozen: Frozen, writer: KeydirSnapshotWriter, pace: MergePace | undefined): Promise<number> {
    const { snapshot } = frozen;
    const packed = new PackedTree(writer);
    const live = new Map(frozen.segments.map(({ fileId }) => [fileId, 0]));
    const walk = new KeydirWalk(this.#store.index.keydir, snapshot);
    let syncedBytes = 0;
    for (let more = true; more; ) {
      more = walk.step(pace === undefined ? keysAtCloseAtATime : keysAtATime, (key, keyBytes, position) => {
        const bytes = live.get(position.fileId);
        if (bytes === undefined) throw new GivenUp('a merge moved records meanwhile');
        live.set(position.fileId, bytes + position.recordBytes);
        packed.add(key, keyBytes, position);
      });
      const written = await writer.flush();
      if (written === 0) await writer.breathe();
      if (pace !== undefined) {
        this.#stop.signal.throwIfAborted();
        if (writer.bytes - syncedBytes >= syncBytes) {
          await writer.sync();
          syncedBytes = writer.bytes;
        }
        await pace.spend(written, this.#stop.signal);
      }
      if (snapshot.tooOld) throw new GivenUp('too much was overwritten meanwhile');
    }
    const root = packed.finish();
    invariant(packed.size === frozen.keys, `the walk gave ${packed.size} of ${frozen.keys} keys`);
    for (const { fileId, liveBytes } of frozen.segments)
      invariant(
        live.get(fileId) === liveBytes,
        `segment ${fileId} has ${live.get(fileId)} live bytes, not ${liveBytes}`,
      );
    return root;
  }

  #tellFailure(error: unknown): void {
    const file = `${this.#store.options.directory}/${keydirName}`;
    if (error === this.#stop.signal.reason) return;
    this.#store.options.listener.keydirSnapshotFailed?.({ file, error: error as Error });
  }
}
