/** Typed requests of the log plane → messages to a leader, and its answers back. */
import * as wire from '@shanghai/proto';
import { acknowledgementNumbers, settingsOf } from '../api/grpc/log-messages.js';
import { asBuffer } from '../api/grpc/wire-numbers.js';
import type { LogAppend, LogAppended, LogDescription } from '../logs/log-requests.js';
import { ServerError } from '../requests/server-error.js';

/** The log that was made. */
export function descriptionOf({ log }: wire.CreateLogResponse): LogDescription {
  if (log === undefined) throw new ServerError('OUTCOME_UNKNOWN', 'the leader answered without the log it made');
  return {
    name: log.name,
    logId: Number(log.logId),
    settings: settingsOf(log.settings),
    createdAtMs: Number(log.createdAtMs),
    origins: log.origins.map((origin) => ({
      origin: Number(origin.origin),
      epoch: Number(origin.epoch),
      firstSequence: Number(origin.firstSequence),
      lastSequence: Number(origin.lastSequence),
      bytes: Number(origin.bytes),
      segments: Number(origin.segments),
    })),
  };
}

/** Records to append. */
export function appendRequest(request: LogAppend): wire.LogAppendRequest {
  const { acknowledgement, expectedLastSequence, producer } = request;
  return {
    log: request.log,
    records: request.records.map(({ key, value, headers }) => ({
      key: asBuffer(key),
      value: asBuffer(value),
      headers: headers.map((header) => ({ name: header.name, value: asBuffer(header.value) })),
    })),
    acknowledgement:
      acknowledgement === undefined
        ? wire.Acknowledgement.ACKNOWLEDGEMENT_UNSPECIFIED
        : acknowledgementNumbers[acknowledgement],
    producer:
      producer === undefined
        ? undefined
        : {
            producerId: BigInt(producer.producerId),
            epoch: BigInt(producer.epoch),
            sequence: BigInt(producer.sequence),
          },
    expectedLastSequence: expectedLastSequence === undefined ? undefined : BigInt(expectedLastSequence),
  };
}

/** Where the records lie. */
export function appendedOf(response: wire.LogAppendResponse): LogAppended {
  return {
    origin: Number(response.origin),
    epoch: Number(response.epoch),
    firstSequence: Number(response.firstSequence),
    lastSequence: Number(response.lastSequence),
    timeMs: Number(response.timeMs),
    duplicate: response.duplicate,
  };
}
