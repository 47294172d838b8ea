import type { ManifestEntry } from './core/manifest-codec.js';
import type { Segment } from './core/segment.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import type { MergeCopied } from './merge-job.js';
import type { StoreContext } from './store-context.js';
import { walkHint } from './walk-hint.js';
import type { Writer } from './writer.js';

/**
 * Puts a merge's outputs in the place of its inputs. What superseded the records that were left out is made durable
 * first; then the manifest, the commit point; then the key directory follows, key by key, unless newer writes have
 * come, and expired keys leave it. Until that is done both sets of files are there, so readers never wait.
 *
 * Expired keys must not leave the directory before the commit: if the merge then failed, a later one would take their
 * records for superseded and drop them without a tombstone, and older records would come back.
 *
 * Rejects before the commit with the store as it was; after it only where the outputs cannot be read back.
 */
export async function installMerge(
  store: StoreContext,
  writer: Writer,
  inputs: readonly Segment[],
  copied: MergeCopied,
): Promise<void> {
  const { index, manifest } = store;
  await writer.sync();
  const removed = new Set(inputs.map((segment) => segment.fileId));
  const tombstonesUnknown = copied.progressed ? doubtedTombstones(store, inputs) : new Set<number>();
  await manifest.replace({ added: copied.outputs.map(entryOf), removed, tombstonesUnknown }, writer.writtenSequence);
  for (const fileId of tombstonesUnknown) index.segment(fileId).tombstonesNeeded = false;
  for (const segment of copied.outputs) index.segments.set(segment.fileId, segment);
  for (const segment of copied.outputs) await relocate(store, segment);
  if (copied.recordsExpired > 0) for (const segment of inputs) await forgetExpired(store, segment);
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

/** Points the directory to what was copied into `segment`. */
function relocate(store: StoreContext, segment: Segment): Promise<void> {
  const position = emptyPosition();
  position.fileId = segment.fileId;
  return walkHint(store, segment, ({ entry, key }) => {
    if (entry.tombstone) return;
    position.offset = entry.offset;
    position.recordBytes = entry.recordBytes;
    position.sequence = entry.sequence;
    position.expires = entry.expires;
    store.index.relocate(key(), position);
  });
}

/** Takes keys out of the directory whose newest record is one of this input that was not copied. */
function forgetExpired(store: StoreContext, input: Segment): Promise<void> {
  const { index } = store;
  const position = emptyPosition();
  return walkHint(store, input, ({ entry, key }) => {
    if (!entry.expires || entry.tombstone) return;
    const bytes = key();
    if (index.keydir.get(bytes, position) && position.fileId === input.fileId) index.delete(bytes);
  });
}

function entryOf(segment: Segment): ManifestEntry {
  const { fileId, segmentId, tombstonesNeeded, bytes } = segment;
  return { fileId, segmentId, merged: true, tombstonesNeeded, sealedBytes: bytes };
}
