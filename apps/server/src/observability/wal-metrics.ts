import type { Logger, Metrics } from '@shanghai/telemetry';
import { doublingBuckets, sizeBucketsBytes } from '@shanghai/telemetry';
import type { WalListener } from '@shanghai/wal';

/**
 * Events of the write-ahead log → metrics and log lines. `onFailed` is called when it can acknowledge nothing more,
 * `onSynced` with the duration of each sync.
 */
export function observeWal(
  metrics: Metrics,
  logger: Logger,
  onFailed: (error: Error) => void,
  onSynced: (syncMs: number) => void = () => undefined,
): WalListener {
  const write = metrics.histogram({ name: 'wal_write_seconds', help: 'Writes of the log to its file.' }).series();
  const sync = metrics.histogram({ name: 'wal_sync_seconds', help: 'Syncs of the log.' }).series();
  const records = metrics
    .histogram({ name: 'wal_sync_records', help: 'Records one sync covered.', buckets: doublingBuckets(1, 15) })
    .series();
  const bytes = metrics
    .histogram({ name: 'wal_sync_bytes', help: 'Bytes one sync covered.', buckets: sizeBucketsBytes })
    .series();
  const opened = metrics.counter({
    name: 'wal_segments_opened_total',
    help: 'Segments begun, by whether their file was recycled.',
    labels: ['recycled'],
  });
  const sealed = metrics.counter({ name: 'wal_segments_sealed_total', help: 'Segments sealed.' }).series();
  const released = metrics.counter({ name: 'wal_segments_released_total', help: 'Segments nobody needs.' }).series();
  const refused = metrics.counter({ name: 'wal_queue_full_total', help: 'Appends refused by a full queue.' }).series();
  return {
    synced(event) {
      write.observe(event.writeMs / 1000);
      sync.observe(event.syncMs / 1000);
      onSynced(event.syncMs);
      records.observe(event.records);
      bytes.observe(event.bytes);
    },
    segmentOpened({ segment, recycled }) {
      opened.series({ recycled: String(recycled) }).add();
      logger.debug({ segment, recycled }, 'log segment begun');
    },
    segmentSealed({ segment, lastLsn }) {
      sealed.add();
      logger.debug({ segment, lastLsn }, 'log segment sealed');
    },
    segmentReleased: () => released.add(),
    tornTail: (event) => logger.warn({ ...event }, 'a torn tail of the log was cut off and copied aside'),
    poisoned({ error }) {
      logger.fatal({ err: error }, 'the log failed to write or sync; it acknowledges nothing more');
      onFailed(error);
    },
    queueFull: () => refused.add(),
  };
}
