import type { BitcaskStats } from './bitcask.js';
import { deadBytes } from './core/segment.js';
import type { StoreParts } from './store.js';

/** The numbers of a store at this moment; costs a walk over the segments. */
export function storeStats(parts: StoreParts): BitcaskStats {
  const { context, writer, cache, checkpoints, merger, compressor } = parts;
  const { index, options, pool } = context;
  let live = 0;
  let dead = 0;
  for (const segment of index.segments.values()) {
    live += segment.liveBytes;
    dead += deadBytes(segment);
  }
  return {
    keys: index.keydir.size,
    keysByFirstByte: index.keysByFirstByte.slice(),
    segments: index.segments.size,
    liveBytes: live,
    deadBytes: dead,
    staleRatio: live + dead === 0 ? 0 : dead / (live + dead),
    keydirBytes: index.keydir.bytes,
    lastSequence: index.visibleSequence,
    durableSequence: writer.durableSequence,
    durability: options.durability,
    lastCheckpointMs: checkpoints.lastMs,
    cache: cache.counts,
    openFiles: pool.openFiles,
    merge: merger.stats(),
    compression: compressor.stats(),
    bytesWritten: writer.bytesWritten,
    opened: context.opened,
  };
}
