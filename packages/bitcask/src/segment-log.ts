import { type DiskFile, isErrno, writeFully } from '@shanghai/env';
import { ActiveSegment } from './active-segment.js';
import { segmentSeedOf } from './core/record.js';
import { createSegment, type Segment } from './core/segment.js';
import { encodeSegmentHeader, type SegmentKind } from './core/segment-header.js';
import type { HintJobs } from './hint-jobs.js';
import { ManifestUnchanged } from './manifest-file.js';
import { NoSpace } from './no-space.js';
import type { StoreContext } from './store-context.js';

/**
 * Which segment is being written: makes new ones, seals full ones. A segment is synced, made, headed, synced, named
 * durably and listed in the manifest, in this order, before its first record; see docs/formats/bitcask.md, section 5.
 */
export class SegmentLog {
  readonly #store: StoreContext;
  readonly #hints: HintJobs;
  #active: ActiveSegment | undefined;
  /** Final lengths of sealed segments that the manifest does not know yet. */
  readonly #unlistedSeals = new Map<number, number>();

  constructor(store: StoreContext, hints: HintJobs) {
    this.#store = store;
    this.#hints = hints;
  }

  get active(): ActiveSegment | undefined {
    return this.#active;
  }

  /** The active segment, made where there is none. Rejects with `NoSpace`, or with an error that must poison the store. */
  async ensureActive(lastSequence: number): Promise<ActiveSegment> {
    if (this.#active !== undefined) return this.#active;
    const { index, pool, options } = this.#store;
    const made = await createSegmentFile(this.#store, 'log', lastSequence);
    try {
      await this.#list(made.segment, lastSequence);
    } catch (error) {
      await made.file.close();
      // The manifest does not list it, and each attempt makes one: they would take the space that is missing.
      if (error instanceof NoSpace) await options.disk.remove(made.file.path).catch(() => undefined);
      throw error;
    }
    index.segments.set(made.segment.fileId, made.segment);
    pool.hold(made.segment.fileId, made.file);
    this.#active = new ActiveSegment(made.segment, made.file, options.segmentBytes, options.clock, options.listener);
    return this.#active;
  }

  /**
   * Syncs the active segment, calls `onSynced`, and ends it in the same stretch. The manifest learns of it with the
   * next change, or from `listSeals`.
   */
  async seal(onSynced: () => void): Promise<void> {
    const active = this.#active;
    if (active === undefined) return;
    await active.finish();
    onSynced();
    const { segment } = active;
    segment.sealed = true;
    this.#active = undefined;
    this.#unlistedSeals.set(segment.fileId, segment.bytes);
    this.#store.pool.release(segment.fileId);
    await active.close();
    this.#store.options.listener.segmentSealed?.({
      file: this.#store.pool.pathOf(segment.fileId),
      bytes: segment.bytes,
    });
    this.#hints.request(segment);
  }

  /** Tells the manifest of every seal it does not know. */
  async listSeals(lastSequence: number): Promise<void> {
    if (this.#unlistedSeals.size === 0) return;
    const sealed = new Map(this.#unlistedSeals);
    await this.#store.manifest.replace({ sealed }, lastSequence);
    for (const fileId of sealed.keys()) this.#unlistedSeals.delete(fileId);
  }

  /** Closes the active file as it is: the store is poisoned. */
  async abandon(): Promise<void> {
    const active = this.#active;
    this.#active = undefined;
    if (active === undefined) return;
    this.#store.pool.release(active.segment.fileId);
    await active.close();
  }

  async #list(segment: Segment, lastSequence: number): Promise<void> {
    const sealed = new Map(this.#unlistedSeals);
    const entry = {
      fileId: segment.fileId,
      segmentId: segment.segmentId,
      merged: false,
      tombstonesNeeded: false,
      sealedBytes: 0,
    };
    try {
      await this.#store.manifest.replace({ sealed, added: [entry] }, lastSequence);
    } catch (error) {
      throw error instanceof ManifestUnchanged ? new NoSpace(error.message, { cause: error }) : error;
    }
    for (const fileId of sealed.keys()) this.#unlistedSeals.delete(fileId);
  }
}

/** A new segment file with a durable header and name. Rejects with `NoSpace` where it could not be made for want of space. */
export async function createSegmentFile(
  store: StoreContext,
  kind: SegmentKind,
  baseSequence: number,
): Promise<{ segment: Segment; file: DiskFile }> {
  const { disk, directory, random, clock } = store.options;
  const fileId = store.manifest.allocateFileId();
  const segmentId = Math.floor(random.float() * Number.MAX_SAFE_INTEGER) + 1;
  const path = store.pool.pathOf(fileId);
  let file: DiskFile | undefined;
  try {
    file = await disk.open(path, 'create');
    await writeFully(
      file,
      encodeSegmentHeader({ segmentId, fileId, kind, baseSequence, createdMs: Math.max(0, clock.nowMs()) }),
      0,
    );
    await file.sync();
    await disk.syncDirectory(directory);
  } catch (error) {
    await file?.close().catch(() => undefined);
    if (!isErrno(error, 'ENOSPC')) throw error;
    await disk.remove(path).catch(() => undefined);
    throw new NoSpace(`no space for '${path}'`, { cause: error });
  }
  return { segment: createSegment({ fileId, segmentId, seed: segmentSeedOf(segmentId), kind }), file };
}
