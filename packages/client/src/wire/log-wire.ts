import { invariant } from '@shanghai/env';
import {
  Acknowledgement as AcknowledgementMessage,
  CleanupPolicy,
  type LogAppendResponse,
  type LogDescription as LogDescriptionMessage,
  type LogEntry as LogEntryMessage,
  type LogGap as LogGapMessage,
  LogMode,
  LogOrder,
  type LogPosition as LogPositionMessage,
  type LogReadRequest,
  type LogRecord,
  type LogSettings as LogSettingsMessage,
  type Producer as ProducerMessage,
} from '@shanghai/proto';
import type { LogPosition } from '../log-consumers.js';
import type {
  Acknowledgement,
  LogAppended,
  LogDescription,
  LogEntry,
  LogGap,
  LogRecordInput,
  LogScope,
  LogSettings,
  LogStart,
  Producer,
} from '../named-logs.js';
import { toBuffer, toNumber, toOptionalBuffer, toUint64 } from './wire-values.js';

const acknowledgements = {
  local: AcknowledgementMessage.ACKNOWLEDGEMENT_LOCAL,
  quorum: AcknowledgementMessage.ACKNOWLEDGEMENT_QUORUM,
  all: AcknowledgementMessage.ACKNOWLEDGEMENT_ALL,
} as const;

const orders = { arrival: LogOrder.LOG_ORDER_ARRIVAL, time: LogOrder.LOG_ORDER_TIME } as const;

const modes = { quorum: LogMode.LOG_MODE_QUORUM, 'multi-master': LogMode.LOG_MODE_MULTI_MASTER } as const;

const policies = {
  delete: CleanupPolicy.CLEANUP_POLICY_DELETE,
  compact: CleanupPolicy.CLEANUP_POLICY_COMPACT,
} as const;

/** A level of acknowledgement as a message; nothing stands for the log's default. Throws `TypeError` for another word. */
export function acknowledgementMessage(level: Acknowledgement | undefined): AcknowledgementMessage {
  if (level === undefined) return AcknowledgementMessage.ACKNOWLEDGEMENT_UNSPECIFIED;
  return oneOf(acknowledgements, level, 'acknowledgement');
}

/** Settings as a message; what is absent stands for the server's default. Throws `TypeError` and `RangeError`. */
export function settingsMessage(settings: Partial<LogSettings>): LogSettingsMessage {
  return {
    mode: settings.mode === undefined ? LogMode.LOG_MODE_UNSPECIFIED : oneOf(modes, settings.mode, 'mode'),
    acknowledgement: acknowledgementMessage(settings.acknowledgement),
    retentionMs: toUint64(settings.retentionMs, 'retentionMs'),
    retentionBytes: toUint64(settings.retentionBytes, 'retentionBytes'),
    cleanupPolicy:
      settings.cleanupPolicy === undefined
        ? CleanupPolicy.CLEANUP_POLICY_UNSPECIFIED
        : oneOf(policies, settings.cleanupPolicy, 'cleanupPolicy'),
    retentionEntries: toUint64(settings.retentionEntries, 'retentionEntries'),
    tombstoneRetentionMs: toUint64(settings.tombstoneRetentionMs, 'tombstoneRetentionMs'),
  };
}

/** A record as a message. */
export function recordMessage(record: LogRecordInput): LogRecord {
  if (typeof record === 'string' || record instanceof Uint8Array) {
    return { key: toOptionalBuffer(undefined, 'key'), value: toBuffer(record, 'value'), headers: [] };
  }
  return {
    key: toOptionalBuffer(record.key, 'key'),
    value: toBuffer(record.value, 'value'),
    headers: (record.headers ?? []).map(({ name, value }) => ({ name, value: toBuffer(value, 'header value') })),
  };
}

/** A producer's numbering as a message. */
export function producerMessage(producer: Producer | undefined): ProducerMessage | undefined {
  if (producer === undefined) return undefined;
  return {
    producerId: toUint64(producer.producerId, 'producerId', 1),
    epoch: toUint64(producer.epoch, 'epoch'),
    sequence: toUint64(producer.sequence, 'sequence', 1),
  };
}

/** Where reading begins, as a message. */
export function startMessage(start: LogStart): Extract<NonNullable<LogReadRequest['start']>, NumberStart> {
  if (typeof start === 'number') return { $case: 'fromSequence', value: toUint64(start, 'from') };
  if ('last' in start) return { $case: 'fromLast', value: toUint64(start.last, 'from.last') };
  return { $case: 'fromTimeMs', value: toUint64(start.timeMs, 'from.timeMs') };
}

/** Whose entries, as fields of a message; none where nothing is said. */
export function scopeMessage({
  allOrigins,
  epoch,
  positions,
  order,
}: LogScope): Pick<LogReadRequest, 'allOrigins' | 'epoch' | 'positions' | 'order'> {
  return {
    ...(allOrigins === undefined ? {} : { allOrigins }),
    ...(epoch === undefined ? {} : { epoch: toUint64(epoch, 'epoch') }),
    ...(positions === undefined ? {} : { positions: { positions: positions.map(positionMessage) } }),
    ...(order === undefined ? {} : { order: oneOf(orders, order, 'order') }),
  };
}

function positionMessage({ origin, epoch, sequence }: LogPosition): LogPositionMessage {
  return {
    origin: toUint64(origin, 'origin', 1),
    epoch: toUint64(epoch, 'epoch', 1),
    sequence: toUint64(sequence, 'sequence'),
  };
}

/** A place in an origin's part of a log. */
export function positionOf(message: LogPositionMessage): LogPosition {
  return {
    origin: toNumber(message.origin),
    epoch: toNumber(message.epoch),
    sequence: toNumber(message.sequence),
  };
}

type NumberStart = { readonly $case: 'fromSequence' | 'fromTimeMs' | 'fromLast' };

/** Sequence numbers that compaction took away. */
export function gapOf(message: LogGapMessage): LogGap {
  return {
    origin: toNumber(message.origin),
    epoch: toNumber(message.epoch),
    firstSequence: toNumber(message.firstSequence),
    lastSequence: toNumber(message.lastSequence),
  };
}

/** The name of a log. Throws `RangeError`. */
export function toLogName(name: string): string {
  if (typeof name === 'string' && /^(?!\.\.?$)[A-Za-z0-9._-]{1,255}$/.test(name)) return name;
  throw new RangeError(`log name ${JSON.stringify(name)} is not 1 to 255 of [A-Za-z0-9._-] other than "." and ".."`);
}

/** A described log. */
export function descriptionOf(message: LogDescriptionMessage | undefined): LogDescription {
  invariant(message !== undefined, 'the server answered without a description of the log');
  const { settings } = message;
  return {
    name: message.name,
    logId: toNumber(message.logId),
    settings: {
      mode: settings?.mode === LogMode.LOG_MODE_MULTI_MASTER ? 'multi-master' : 'quorum',
      acknowledgement: acknowledgementOf(settings?.acknowledgement),
      retentionMs: toNumber(settings?.retentionMs ?? 0n),
      retentionBytes: toNumber(settings?.retentionBytes ?? 0n),
      cleanupPolicy: settings?.cleanupPolicy === CleanupPolicy.CLEANUP_POLICY_COMPACT ? 'compact' : 'delete',
      retentionEntries: toNumber(settings?.retentionEntries ?? 0n),
      tombstoneRetentionMs: toNumber(settings?.tombstoneRetentionMs ?? 0n),
    },
    createdAtMs: toNumber(message.createdAtMs),
    origins: message.origins.map((origin) => ({
      origin: toNumber(origin.origin),
      epoch: toNumber(origin.epoch),
      firstSequence: toNumber(origin.firstSequence),
      lastSequence: toNumber(origin.lastSequence),
      bytes: toNumber(origin.bytes),
      segments: toNumber(origin.segments),
    })),
  };
}

/** Where records came to lie. */
export function appendedOf(response: LogAppendResponse): LogAppended {
  return {
    origin: toNumber(response.origin),
    epoch: toNumber(response.epoch),
    firstSequence: toNumber(response.firstSequence),
    lastSequence: toNumber(response.lastSequence),
    timeMs: toNumber(response.timeMs),
    duplicate: response.duplicate,
  };
}

/** An entry read. */
export function logEntryOf(message: LogEntryMessage): LogEntry {
  const entry = {
    origin: toNumber(message.origin),
    epoch: toNumber(message.epoch),
    sequence: toNumber(message.sequence),
    timeMs: toNumber(message.timeMs),
    key: message.key,
    value: message.value,
    headers: message.headers,
  };
  if (message.producer === undefined) return entry;
  const { producerId, epoch, sequence } = message.producer;
  return {
    ...entry,
    producer: { producerId: toNumber(producerId), epoch: toNumber(epoch), sequence: toNumber(sequence) },
  };
}

function acknowledgementOf(message: AcknowledgementMessage | undefined): Acknowledgement {
  switch (message) {
    case AcknowledgementMessage.ACKNOWLEDGEMENT_LOCAL:
      return 'local';
    case AcknowledgementMessage.ACKNOWLEDGEMENT_ALL:
      return 'all';
    case AcknowledgementMessage.ACKNOWLEDGEMENT_QUORUM:
    case AcknowledgementMessage.ACKNOWLEDGEMENT_UNSPECIFIED:
    case undefined:
      return 'quorum';
  }
}

function oneOf<Word extends string, Value>(table: Readonly<Record<Word, Value>>, word: Word, what: string): Value {
  if (Object.hasOwn(table, word)) return table[word];
  throw new TypeError(`${what} '${word}' is not one of ${Object.keys(table).join(', ')}`);
}
