/** Messages of the Log service ↔ the typed requests behind the API. */
import * as wire from '@shanghai/proto';
import type {
  Acknowledgement,
  LogAppend,
  LogAppended,
  LogDescription,
  LogEntry,
  LogGap,
  LogPack,
  LogPacked,
  LogPage,
  LogPosition,
  LogRead,
  LogScope,
  LogSettings,
  LogStart,
  LogTail,
  Producer,
} from '../../logs/log-requests.js';
import { ServerError } from '../../requests/server-error.js';
import { detailsJson } from './grpc-failure.js';
import { packedEntriesMessage, packedVersion } from './packed-codec.js';
import { asBuffer, safeNumber } from './wire-numbers.js';

/** Entries of a page where the request names no limit. */
const defaultReadLimit = 1_000;
/** More than this is never read at once, whatever the request says. */
const maxReadLimit = 10_000;
const defaultReadBytes = 1024 * 1024;
const maxReadBytes = 16 * 1024 * 1024;

/** Settings of a new log; what is not given takes the defaults of its mode. */
export function settingsOf(message: wire.LogSettings | undefined): LogSettings {
  const mode = modeOf(message?.mode ?? wire.LogMode.LOG_MODE_UNSPECIFIED);
  return {
    mode,
    acknowledgement: acknowledgementOf(message?.acknowledgement) ?? (mode === 'quorum' ? 'quorum' : 'local'),
    retentionMs: safeNumber(message?.retentionMs ?? 0n, 'retention_ms'),
    retentionBytes: safeNumber(message?.retentionBytes ?? 0n, 'retention_bytes'),
    cleanupPolicy: cleanupPolicyOf(message?.cleanupPolicy ?? wire.CleanupPolicy.CLEANUP_POLICY_UNSPECIFIED),
    ...limitOf('retentionEntries', message?.retentionEntries, 'retention_entries'),
    ...limitOf('tombstoneRetentionMs', message?.tombstoneRetentionMs, 'tombstone_retention_ms'),
  };
}

function limitOf<Name extends string>(
  name: Name,
  value: bigint | undefined,
  field: string,
): { [key in Name]?: number } {
  const limit = safeNumber(value ?? 0n, field);
  return limit === 0 ? {} : ({ [name]: limit } as { [key in Name]: number });
}

function modeOf(mode: wire.LogMode): LogSettings['mode'] {
  switch (mode) {
    case wire.LogMode.LOG_MODE_UNSPECIFIED:
    case wire.LogMode.LOG_MODE_QUORUM:
      return 'quorum';
    case wire.LogMode.LOG_MODE_MULTI_MASTER:
      return 'multi-master';
    default:
      throw new ServerError('INVALID_REQUEST', `log mode ${String(mode)} is not known`);
  }
}

function acknowledgementOf(level: wire.Acknowledgement | undefined): Acknowledgement | undefined {
  switch (level) {
    case undefined:
    case wire.Acknowledgement.ACKNOWLEDGEMENT_UNSPECIFIED:
      return undefined;
    case wire.Acknowledgement.ACKNOWLEDGEMENT_LOCAL:
      return 'local';
    case wire.Acknowledgement.ACKNOWLEDGEMENT_QUORUM:
      return 'quorum';
    case wire.Acknowledgement.ACKNOWLEDGEMENT_ALL:
      return 'all';
    default:
      throw new ServerError('INVALID_REQUEST', `acknowledgement ${String(level)} is not known`);
  }
}

function cleanupPolicyOf(policy: wire.CleanupPolicy): LogSettings['cleanupPolicy'] {
  switch (policy) {
    case wire.CleanupPolicy.CLEANUP_POLICY_UNSPECIFIED:
    case wire.CleanupPolicy.CLEANUP_POLICY_DELETE:
      return 'delete';
    case wire.CleanupPolicy.CLEANUP_POLICY_COMPACT:
      return 'compact';
    default:
      throw new ServerError('INVALID_REQUEST', `cleanup policy ${String(policy)} is not known`);
  }
}

/** How a level goes on the wire. */
export const acknowledgementNumbers: Readonly<Record<Acknowledgement, wire.Acknowledgement>> = {
  local: wire.Acknowledgement.ACKNOWLEDGEMENT_LOCAL,
  quorum: wire.Acknowledgement.ACKNOWLEDGEMENT_QUORUM,
  all: wire.Acknowledgement.ACKNOWLEDGEMENT_ALL,
};

/** A log as it is described to callers. */
export function descriptionMessage(log: LogDescription): wire.LogDescription {
  return {
    name: log.name,
    logId: BigInt(log.logId),
    createdAtMs: BigInt(log.createdAtMs),
    settings: settingsMessage(log.settings),
    origins: log.origins.map((origin) => ({
      origin: BigInt(origin.origin),
      epoch: BigInt(origin.epoch),
      firstSequence: BigInt(origin.firstSequence),
      lastSequence: BigInt(origin.lastSequence),
      bytes: BigInt(origin.bytes),
      segments: BigInt(origin.segments),
    })),
  };
}

/** What a log was made with. */
export function settingsMessage(settings: LogSettings): wire.LogSettings {
  return {
    mode: settings.mode === 'quorum' ? wire.LogMode.LOG_MODE_QUORUM : wire.LogMode.LOG_MODE_MULTI_MASTER,
    acknowledgement: acknowledgementNumbers[settings.acknowledgement],
    retentionMs: BigInt(settings.retentionMs),
    retentionBytes: BigInt(settings.retentionBytes),
    cleanupPolicy:
      settings.cleanupPolicy === 'delete'
        ? wire.CleanupPolicy.CLEANUP_POLICY_DELETE
        : wire.CleanupPolicy.CLEANUP_POLICY_COMPACT,
    retentionEntries: BigInt(settings.retentionEntries ?? 0),
    tombstoneRetentionMs: BigInt(settings.tombstoneRetentionMs ?? 0),
  };
}

/** Records to append. */
export function appendOf(message: wire.LogAppendRequest): LogAppend {
  const acknowledgement = acknowledgementOf(message.acknowledgement);
  const expected = message.expectedLastSequence;
  return {
    log: message.log,
    records: message.records,
    ...(acknowledgement === undefined ? {} : { acknowledgement }),
    ...(message.producer === undefined ? {} : { producer: producerOf(message.producer) }),
    ...(expected === undefined ? {} : { expectedLastSequence: safeNumber(expected, 'expected_last_sequence') }),
  };
}

function producerOf(message: wire.Producer): Producer {
  return {
    producerId: safeNumber(message.producerId, 'producer_id'),
    epoch: safeNumber(message.epoch, 'producer.epoch'),
    sequence: safeNumber(message.sequence, 'producer.sequence'),
  };
}

/** What became of an append. */
export function appendedMessage(appended: LogAppended): wire.LogAppendResponse {
  return {
    origin: BigInt(appended.origin),
    epoch: BigInt(appended.epoch),
    firstSequence: BigInt(appended.firstSequence),
    lastSequence: BigInt(appended.lastSequence),
    timeMs: BigInt(appended.timeMs),
    duplicate: appended.duplicate,
  };
}

/** A pack of appends. */
export function packOf({ log, records, counts, acknowledgement: level }: wire.LogAppendPack): LogPack {
  const acknowledgement = acknowledgementOf(level);
  return { log, records, counts, ...(acknowledgement === undefined ? {} : { acknowledgement }) };
}

/** What became of its appends. */
export function packedMessage({ origin, epoch, ranges }: LogPacked): wire.LogPackAnswer {
  return {
    origin: BigInt(origin),
    epoch: BigInt(epoch),
    ranges: ranges.map(({ appends, firstSequence, timeMs, error }) => ({
      appends,
      firstSequence: BigInt(firstSequence),
      timeMs: BigInt(timeMs),
      error: error === undefined ? undefined : errorDetail(error),
    })),
  };
}

function errorDetail({ code, message, details }: ServerError): wire.ErrorDetail {
  return { code, message, detailsJson: detailsJson(details) ?? '' };
}

/** One page to read; limits of 0 are the defaults. */
export function readOf(message: wire.LogReadRequest): LogRead {
  return {
    log: message.log,
    origin: safeNumber(message.origin, 'origin'),
    start: startOf(message.start),
    ...scopeOf(message),
    limit: Math.min(message.limit === 0 ? defaultReadLimit : message.limit, maxReadLimit),
    maxBytes: Math.min(message.maxBytes === 0 ? defaultReadBytes : message.maxBytes, maxReadBytes),
    takesPacked: (message.packedVersion ?? 0) >= packedVersion,
  };
}

/** Where to tail from. */
export function tailOf(message: wire.LogTailRequest): LogTail {
  const start = startOf(message.start);
  const takesPacked = (message.packedVersion ?? 0) >= packedVersion;
  return { log: message.log, origin: safeNumber(message.origin, 'origin'), start, ...scopeOf(message), takesPacked };
}

/** Whose entries, where the request says anything of it. */
function scopeOf({ epoch, allOrigins, positions, order }: wire.LogReadRequest | wire.LogTailRequest): {
  readonly scope?: LogScope;
} {
  if (epoch === undefined && allOrigins === undefined && positions === undefined && order === undefined) return {};
  return {
    scope: {
      allOrigins: allOrigins ?? false,
      epoch: safeNumber(epoch ?? 0n, 'epoch'),
      ...(positions === undefined ? {} : { positions: positions.positions.map(positionOf) }),
      order: orderOf(order ?? wire.LogOrder.LOG_ORDER_UNSPECIFIED),
    },
  };
}

function positionOf({ origin, epoch, sequence }: wire.LogPosition): LogPosition {
  return {
    origin: safeNumber(origin, 'positions.origin'),
    epoch: safeNumber(epoch, 'positions.epoch'),
    sequence: safeNumber(sequence, 'positions.sequence'),
  };
}

function orderOf(order: wire.LogOrder): LogScope['order'] {
  switch (order) {
    case wire.LogOrder.LOG_ORDER_UNSPECIFIED:
    case wire.LogOrder.LOG_ORDER_ARRIVAL:
      return 'arrival';
    case wire.LogOrder.LOG_ORDER_TIME:
      return 'time';
    default:
      throw new ServerError('INVALID_REQUEST', `log order ${String(order)} is not known`);
  }
}

/** Where a reader of several streams stands. */
function placeMessage({ positions, watermarkMs }: LogPage): Pick<wire.LogReadResponse, 'positions' | 'watermarkMs'> {
  return {
    ...(positions === undefined ? {} : { positions: { positions: positions.map(positionMessage) } }),
    ...(watermarkMs === undefined ? {} : { watermarkMs: BigInt(watermarkMs) }),
  };
}

function positionMessage({ origin, epoch, sequence }: LogPosition): wire.LogPosition {
  return { origin: BigInt(origin), epoch: BigInt(epoch), sequence: BigInt(sequence) };
}

function startOf(start: wire.LogReadRequest['start'] | wire.LogTailRequest['start']): LogStart {
  switch (start?.$case) {
    case undefined:
      return { from: 'sequence', sequence: 0 };
    case 'fromSequence':
      return { from: 'sequence', sequence: safeNumber(start.value, 'from_sequence') };
    case 'fromTimeMs':
      return { from: 'time', timeMs: safeNumber(start.value, 'from_time_ms') };
    case 'fromEnd':
      return start.value ? { from: 'end' } : { from: 'sequence', sequence: 0 };
    case 'fromLast':
      return { from: 'last', entries: safeNumber(start.value, 'from_last') };
  }
}

/** One page of entries. */
export function readMessage(page: LogPage): wire.LogReadResponse {
  return {
    entries: page.entries.map(entryMessage),
    nextSequence: BigInt(page.nextSequence),
    firstSequence: BigInt(page.firstSequence),
    lastSequence: BigInt(page.lastSequence),
    gaps: page.gaps.map(gapMessage),
    packed: (page.packed ?? []).map((packed) => packedEntriesMessage(packed, asBuffer(packed.bytes))),
    ...placeMessage(page),
  };
}

/** One message of a tail, without what is packed of it. */
export function tailMessage(page: LogPage): wire.LogTailResponse {
  return {
    entries: page.entries.map(entryMessage),
    nextSequence: BigInt(page.nextSequence),
    gaps: page.gaps.map(gapMessage),
    packed: [],
    ...placeMessage(page),
  };
}

function gapMessage(gap: LogGap): wire.LogGap {
  return {
    origin: BigInt(gap.origin),
    epoch: BigInt(gap.epoch),
    firstSequence: BigInt(gap.firstSequence),
    lastSequence: BigInt(gap.lastSequence),
  };
}

function entryMessage(entry: LogEntry): wire.LogEntry {
  const { producer } = entry;
  return {
    origin: BigInt(entry.origin),
    epoch: BigInt(entry.epoch),
    sequence: BigInt(entry.sequence),
    timeMs: BigInt(entry.timeMs),
    key: asBuffer(entry.key),
    value: asBuffer(entry.value),
    headers: entry.headers.map(({ name, value }) => ({ name, value: asBuffer(value) })),
    producer:
      producer === undefined
        ? undefined
        : {
            producerId: BigInt(producer.producerId),
            epoch: BigInt(producer.epoch),
            sequence: BigInt(producer.sequence),
          },
  };
}
