/** Typed requests about trims and consumers → messages to a leader, and its answers back. */
import type * as wire from '@shanghai/proto';
import { positionMessage, positionOf } from '../api/grpc/log-upkeep-messages.js';
import type { ConsumerPlace, ConsumerSeek, LogTrim, PositionCommit } from '../logs/log-upkeep-requests.js';

/** What to trim. */
export function trimRequest(trim: LogTrim): wire.TrimLogRequest {
  const { log, origin, firstSequence, positions = [], beforeMs, force = false } = trim;
  return {
    log,
    origin: BigInt(origin),
    firstSequence: BigInt(firstSequence),
    positions: positions.map(positionMessage),
    ...(beforeMs === undefined ? {} : { beforeMs: BigInt(beforeMs) }),
    force,
  };
}

/** How far a consumer has come. */
export function commitRequest({ log, consumer, generation, positions }: PositionCommit): wire.CommitPositionRequest {
  return { log, consumer, generation: BigInt(generation), positions: positions.map(positionMessage) };
}

/** Where a consumer is to go. */
export function seekRequest({ log, consumer, to, dryRun }: ConsumerSeek): wire.SeekConsumerRequest {
  return { log, consumer, dryRun, to: destination(to) };
}

function destination(to: ConsumerSeek['to']): wire.SeekConsumerRequest['to'] {
  switch (to.at) {
    case 'start':
      return undefined;
    case 'end':
      return { $case: 'end', value: true };
    case 'time':
      return { $case: 'timeMs', value: BigInt(to.timeMs) };
    case 'positions':
      return { $case: 'positions', value: { positions: to.positions.map(positionMessage) } };
  }
}

/** Where a consumer is now. */
export function placeOf(answer: wire.CommitPositionResponse | wire.SeekConsumerResponse): ConsumerPlace {
  const earlier = 'earlierPositions' in answer ? answer.earlierPositions : [];
  return {
    generation: Number(answer.generation),
    positions: answer.positions.map(positionOf),
    earlierPositions: earlier.map(positionOf),
  };
}
