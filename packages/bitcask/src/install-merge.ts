import type { ManifestEntry } from './core/manifest-codec.js';
import type { Segment } from './core/segment.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import { openHint } from './hint-reader.js';
import type { MergedSegments } from './merge-run.js';
import type { StoreContext } from './store-context.js';
import type { Writer } from './writer.js';

/**
 * Puts a merge's outputs in the place of its inputs. What superseded the records that were left out is made durable
 * first; then the manifest, the commit point; then the key directory follows, key by key, unless newer writes have
 * come. Until that is done both sets of files are there, so readers never wait.
 *
 * Rejects before the commit with the store as it was; after it only where the outputs cannot be read back.
 */
export async function installMerge(
  store: StoreContext,
  writer: Writer,
  inputs: readonly Segment[],
  merged: MergedSegments,
): Promise<void> {
  const { index, manifest } = store;
  await writer.sync();
  const removed = new Set(inputs.map((segment) => segment.fileId));
  const tombstonesUnknown = merged.progressed ? doubtedTombstones(store, inputs) : new Set<number>();
  await manifest.replace({ added: merged.outputs.map(entryOf), removed, tombstonesUnknown }, writer.writtenSequence);
  for (const fileId of tombstonesUnknown) index.segment(fileId).tombstonesNeeded = false;
  for (const segment of merged.outputs) index.segments.set(segment.fileId, segment);
  for (const segment of merged.outputs) await relocate(store, segment);
  for (const segment of inputs) {
    index.segments.delete(segment.fileId);
    index.retired.set(segment.fileId, segment);
  }
}

/** Segments whose tombstones may have been needed only for records that are gone now. */
function doubtedTombstones(store: StoreContext, inputs: readonly Segment[]): Set<number> {
  const oldest = Math.min(...inputs.map((segment) => segment.minSequence));
  const doubted = [...store.index.segments.values()].filter(
    (segment) => segment.tombstonesNeeded && segment.maxSequence > oldest && !inputs.includes(segment),
  );
  return new Set(doubted.map((segment) => segment.fileId));
}

async function relocate(store: StoreContext, segment: Segment): Promise<void> {
  const hint = await openHint(store.options.disk, store.options.directory, segment);
  if (hint === undefined)
    throw new Error(`the hint of '${store.pool.pathOf(segment.fileId)}', just written, cannot be read`);
  const position = emptyPosition();
  position.fileId = segment.fileId;
  const { entry } = hint;
  try {
    while (await hint.load()) {
      while (hint.advance()) {
        if (entry.tombstone) continue;
        position.offset = entry.offset;
        position.recordBytes = entry.recordBytes;
        position.sequence = entry.sequence;
        position.expires = entry.expires;
        store.index.relocate(hint.key(), position);
      }
    }
  } finally {
    await hint.close();
  }
}

function entryOf(segment: Segment): ManifestEntry {
  const { fileId, segmentId, tombstonesNeeded, bytes } = segment;
  return { fileId, segmentId, merged: true, tombstonesNeeded, sealedBytes: bytes };
}
