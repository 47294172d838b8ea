/** Messages about trims, producers and consumers ↔ the typed requests behind the API. */
import type * as wire from '@shanghai/proto';
import type {
  ConsumerLag,
  ConsumerPlace,
  ConsumerSeek,
  ConsumerView,
  KeptRange,
  LogPosition,
  LogTrim,
  PositionCommit,
  ProducerQuestion,
  ProducerState,
} from '../../logs/log-upkeep-requests.js';
import { safeNumber } from './wire-numbers.js';

/** What to trim. */
export function trimOf(message: wire.TrimLogRequest): LogTrim {
  return {
    log: message.log,
    origin: safeNumber(message.origin, 'origin'),
    firstSequence: safeNumber(message.firstSequence, 'first_sequence'),
    positions: message.positions.map(positionOf),
    ...(message.beforeMs === undefined ? {} : { beforeMs: safeNumber(message.beforeMs, 'before_ms') }),
    force: message.force,
  };
}

/** What is kept behind a trim. */
export function keptMessage({ firstSequence, lastSequence, origins = [] }: KeptRange): wire.TrimLogResponse {
  return {
    firstSequence: BigInt(firstSequence),
    lastSequence: BigInt(lastSequence),
    origins: origins.map((kept) => ({
      origin: BigInt(kept.origin),
      epoch: BigInt(kept.epoch),
      firstSequence: BigInt(kept.firstSequence),
      lastSequence: BigInt(kept.lastSequence),
    })),
  };
}

/** Which producer is asked for. */
export function producerQuestionOf(message: wire.DescribeProducerRequest): ProducerQuestion {
  return {
    log: message.log,
    origin: safeNumber(message.origin, 'origin'),
    producerId: safeNumber(message.producerId, 'producer_id'),
  };
}

/** Where a producer is to go on. */
export function producerMessage(state: ProducerState | undefined): wire.DescribeProducerResponse {
  return {
    found: state !== undefined,
    epoch: BigInt(state?.epoch ?? 0),
    lastSequence: BigInt(state?.lastSequence ?? 0),
    logSequence: BigInt(state?.logSequence ?? 0),
    timeMs: BigInt(state?.timeMs ?? 0),
  };
}

/** How far a consumer has come. */
export function commitOf(message: wire.CommitPositionRequest): PositionCommit {
  return {
    log: message.log,
    consumer: message.consumer,
    generation: safeNumber(message.generation, 'generation'),
    positions: message.positions.map(positionOf),
  };
}

/** Where a consumer is to go. */
export function seekOf(message: wire.SeekConsumerRequest): ConsumerSeek {
  return { log: message.log, consumer: message.consumer, to: destinationOf(message.to), dryRun: message.dryRun };
}

function destinationOf(to: wire.SeekConsumerRequest['to']): ConsumerSeek['to'] {
  switch (to?.$case) {
    case undefined:
      return { at: 'start' };
    case 'end':
      return to.value ? { at: 'end' } : { at: 'start' };
    case 'timeMs':
      return { at: 'time', timeMs: safeNumber(to.value, 'time_ms') };
    case 'positions':
      return { at: 'positions', positions: to.value.positions.map(positionOf) };
  }
}

/** A place in an origin's log. */
export function positionOf(message: wire.LogPosition): LogPosition {
  return {
    origin: safeNumber(message.origin, 'position.origin'),
    epoch: safeNumber(message.epoch, 'position.epoch'),
    sequence: safeNumber(message.sequence, 'position.sequence'),
  };
}

/** Likewise, as a message. */
export function positionMessage({ origin, epoch, sequence }: LogPosition): wire.LogPosition {
  return { origin: BigInt(origin), epoch: BigInt(epoch), sequence: BigInt(sequence) };
}

/** Where a consumer is after a commit. */
export function committedMessage({ generation, positions }: ConsumerPlace): wire.CommitPositionResponse {
  return { generation: BigInt(generation), positions: positions.map(positionMessage) };
}

/** Where a consumer is after a seek, and was before. */
export function soughtMessage(place: ConsumerPlace): wire.SeekConsumerResponse {
  return { ...committedMessage(place), earlierPositions: place.earlierPositions.map(positionMessage) };
}

/** A consumer and how far it is behind. */
export function consumerMessage(view: ConsumerView): wire.ConsumerDescription {
  return {
    name: view.name,
    generation: BigInt(view.generation),
    positions: view.positions.map(positionMessage),
    committedAtMs: BigInt(view.committedAtMs),
    lags: view.lags.map(lagMessage),
  };
}

function lagMessage({ origin, epoch, entries, milliseconds, lostEntries }: ConsumerLag): wire.ConsumerLag {
  return {
    origin: BigInt(origin),
    epoch: BigInt(epoch),
    entries: entries === undefined ? undefined : BigInt(entries),
    milliseconds: milliseconds === undefined ? undefined : BigInt(Math.round(milliseconds)),
    lostEntries: lostEntries === undefined ? undefined : BigInt(lostEntries),
  };
}
