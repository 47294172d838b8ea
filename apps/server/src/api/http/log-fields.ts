/** Named logs as JSON shows them. */
import type {
  LogDescription,
  LogEntry,
  LogGap,
  LogPosition,
  LogSettings,
  OriginDescription,
} from '../../logs/log-requests.js';
import { textOf } from './wire-text.js';

/** A log, what it was made with, and where each of its origins stands. */
export function logFields({ name, logId, settings, createdAtMs, origins }: LogDescription): Record<string, unknown> {
  return {
    ...{ name, id: logId, ...settingsFields(settings), created_at_ms: createdAtMs },
    origins: origins.map(originFields),
  };
}

function settingsFields(settings: LogSettings): Record<string, unknown> {
  const { mode, acknowledgement, retentionMs, retentionBytes, retentionEntries = 0, cleanupPolicy } = settings;
  return {
    ...{ mode, acknowledgement, retention_ms: retentionMs, retention_bytes: retentionBytes },
    ...{ retention_entries: retentionEntries, cleanup_policy: cleanupPolicy },
    ...(settings.tombstoneRetentionMs === undefined ? {} : { tombstone_retention_ms: settings.tombstoneRetentionMs }),
  };
}

function originFields(at: OriginDescription): Record<string, unknown> {
  const { origin, epoch, firstSequence, lastSequence, bytes, segments } = at;
  return { origin, epoch, first_sequence: firstSequence, last_sequence: lastSequence, bytes, segments };
}

/** An entry; a key, value or header that is no UTF-8 is base64, with a field that says so. A record without a key has none here. */
export function entryFields(entry: LogEntry): Record<string, unknown> {
  const { origin, epoch, sequence, timeMs, key, headers, producer } = entry;
  return {
    ...{ origin, epoch, sequence, time_ms: timeMs },
    ...(key.length === 0 ? {} : keyFields(key)),
    ...valueFields(entry.value),
    ...(headers.length === 0 ? {} : { headers: headers.map(({ name, value }) => ({ name, ...valueFields(value) })) }),
    ...(producer === undefined ? {} : { producer: producerFields(producer) }),
  };
}

function keyFields(key: Uint8Array): Record<string, unknown> {
  const { text, encoding } = textOf(key);
  return { key: text, ...(encoding === undefined ? {} : { key_encoding: encoding }) };
}

function valueFields(bytes: Uint8Array): Record<string, unknown> {
  const { text, encoding } = textOf(bytes);
  return { value: text, ...(encoding === undefined ? {} : { encoding }) };
}

function producerFields({ producerId, epoch, sequence }: NonNullable<LogEntry['producer']>): Record<string, unknown> {
  return { producer_id: producerId, epoch, sequence };
}

/** What compaction took away. */
export function gapFields({ origin, epoch, firstSequence, lastSequence }: LogGap): Record<string, unknown> {
  return { origin, epoch, first_sequence: firstSequence, last_sequence: lastSequence };
}

/** Places as parameter `positions` takes them. */
export function positionsText(positions: readonly LogPosition[]): string {
  return positions.map(({ origin, epoch, sequence }) => `${origin}.${epoch}.${sequence}`).join(',');
}
