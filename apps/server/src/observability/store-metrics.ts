import type { BitcaskListener } from '@shanghai/bitcask';
import type { Logger, Metrics } from '@shanghai/telemetry';

/** Events of the key-value stores → metrics and log lines. `onFailed` is called when one takes no more writes. */
export function observeStores(metrics: Metrics, logger: Logger, onFailed: (error: Error) => void): BitcaskListener {
  const sync = metrics.histogram({ name: 'store_sync_seconds', help: 'Syncs of data files.' }).series();
  const sealed = metrics.counter({ name: 'store_segments_sealed_total', help: 'Data files sealed.' }).series();
  const merges = metrics.counter({
    name: 'store_merges_total',
    help: 'Merges, by how they ended.',
    labels: ['outcome'],
  });
  const mergeSeconds = metrics.histogram({ name: 'store_merge_seconds', help: 'Duration of merges.' }).series();
  const reclaimed = metrics
    .counter({ name: 'store_merge_reclaimed_bytes_total', help: 'Bytes that merges gave back.' })
    .series();
  const checkpoints = metrics.histogram({ name: 'store_checkpoint_seconds', help: 'Checkpoints of stores.' }).series();
  return {
    synced: ({ syncMs }) => sync.observe(syncMs / 1000),
    segmentSealed: ({ file, bytes }) => {
      sealed.add();
      logger.debug({ file, bytes }, 'data file sealed');
    },
    merged(event) {
      merges.series({ outcome: 'done' }).add();
      mergeSeconds.observe(event.durationMs / 1000);
      reclaimed.add(Math.max(0, event.bytesBefore - event.bytesAfter));
      logger.info({ ...event }, 'merged dead records away');
    },
    mergeFailed({ error }) {
      merges.series({ outcome: 'failed' }).add();
      logger.error({ err: error }, 'a merge failed; nothing is lost, it is tried again');
    },
    recovered: (event) => logger.debug({ ...event }, 'data file read'),
    tornTail: (event) => logger.warn({ ...event }, 'a torn tail of a data file was cut off and copied aside'),
    checkpoint: ({ durationMs }) => checkpoints.observe(durationMs / 1000),
    poisoned({ error }) {
      logger.fatal({ err: error }, 'a store failed to write or sync; it takes no more writes');
      onFailed(error);
    },
  };
}
