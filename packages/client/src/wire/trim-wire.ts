/** Trims ↔ their messages. */
import type { TrimLogRequest, TrimLogResponse } from '@shanghai/proto';
import type { KeptRange, LogTrimOptions, TrimTarget } from '../named-logs.js';
import { positionMessage } from './consumer-wire.js';
import { toNumber, toUint64 } from './wire-values.js';

/** What to trim. */
export function trimMessage(log: string, to: TrimTarget, options: LogTrimOptions): TrimLogRequest {
  const { origin, force = false } = options;
  const message = { log, origin: toUint64(origin, 'origin'), firstSequence: 0n, positions: [], force };
  if (typeof to === 'number') return { ...message, firstSequence: toUint64(to, 'firstSequence', 1) };
  if ('beforeMs' in to) return { ...message, beforeMs: toUint64(to.beforeMs, 'beforeMs') };
  if (to.positions.length === 0) throw new RangeError('a trim needs at least one position');
  return { ...message, positions: to.positions.map(positionMessage) };
}

/** What is kept. */
export function keptOf({ firstSequence, lastSequence, origins }: TrimLogResponse): KeptRange {
  const range = { firstSequence: toNumber(firstSequence), lastSequence: toNumber(lastSequence) };
  if (origins.length === 0) return range;
  const kept = origins.map((one) => ({
    origin: toNumber(one.origin),
    epoch: toNumber(one.epoch),
    firstSequence: toNumber(one.firstSequence),
    lastSequence: toNumber(one.lastSequence),
  }));
  return { ...range, origins: kept };
}
