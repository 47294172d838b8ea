import type { LogPosition } from '../apply/consumer-table.js';
import { checkCount, invalidRequest } from '../requests/request-checks.js';
import type { LogDescription } from './log-requests.js';

/** Positions with the last epoch of their origin in the place of 0. */
export function resolvedPositions(
  { name, origins }: Pick<LogDescription, 'name' | 'origins'>,
  positions: readonly LogPosition[],
): LogPosition[] {
  return positions.map(({ origin, epoch, sequence }) => {
    checkCount('origin', origin, 1);
    checkCount('sequence', sequence, 0);
    if (epoch !== 0) return { origin, epoch, sequence };
    const epochs = origins.filter((each) => each.origin === origin).map((each) => each.epoch);
    if (epochs.length === 0) throw invalidRequest(`log '${name}' has nothing of origin ${origin} here; name its epoch`);
    return { origin, epoch: Math.max(...epochs), sequence };
  });
}
