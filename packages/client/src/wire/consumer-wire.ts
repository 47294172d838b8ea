import type { ConsumerDescription, LogPosition as LogPositionMessage, SeekConsumerRequest } from '@shanghai/proto';
import type { LogConsumer, LogPosition, SeekTarget } from '../log-consumers.js';
import { toNumber, toUint64 } from './wire-values.js';

/** A position as a message. Throws `RangeError`. */
export function positionMessage({ origin, epoch, sequence }: LogPosition): LogPositionMessage {
  return {
    origin: toUint64(origin, 'origin'),
    epoch: toUint64(epoch, 'epoch'),
    sequence: toUint64(sequence, 'sequence'),
  };
}

/** A position out of a message. */
export function positionOf({ origin, epoch, sequence }: LogPositionMessage): Required<LogPosition> {
  return { origin: toNumber(origin), epoch: toNumber(epoch), sequence: toNumber(sequence) };
}

/** Where a consumer is to go, as a message. Throws `RangeError`. */
export function seekMessage(to: SeekTarget): SeekConsumerRequest['to'] {
  if (to === 'start') return undefined;
  if (to === 'end') return { $case: 'end', value: true };
  if ('timeMs' in to) return { $case: 'timeMs', value: toUint64(to.timeMs, 'timeMs') };
  return { $case: 'positions', value: { positions: to.positions.map(positionMessage) } };
}

/** A consumer. */
export function consumerOf(message: ConsumerDescription): LogConsumer {
  return {
    name: message.name,
    generation: toNumber(message.generation),
    positions: message.positions.map(positionOf),
    committedAtMs: toNumber(message.committedAtMs),
    lags: message.lags.map(({ origin, epoch, entries, milliseconds, lostEntries }) => ({
      origin: toNumber(origin),
      epoch: toNumber(epoch),
      entries: optionalNumber(entries),
      milliseconds: optionalNumber(milliseconds),
      lostEntries: optionalNumber(lostEntries),
    })),
  };
}

function optionalNumber(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : toNumber(value);
}
