/** Whether the clocks of the nodes agree. */
import type { Finding } from './finding.js';
import { ms } from './node-rules.js';
import type { NodeObservation, ObservedClock } from './observation.js';

/** Clocks may differ by so much before it is worth a word, and before it is wrong. */
export const clockLimits = { warnMs: 500, errorMs: 10_000 } as const;

/** A node's clock against the median of all: positive = ahead. */
export interface ComparedClock extends ObservedClock {
  readonly nodeId: number;
}

/** Compares; with two nodes the one with the lower id is the measure, as nobody can say which is right. */
export function comparedClocks(nodes: readonly NodeObservation[]): readonly ComparedClock[] {
  const read = nodes.flatMap(({ node, clock }) => (clock === undefined ? [] : { nodeId: node.nodeId, ...clock }));
  const inOrder = read.map(({ offsetMs }) => offsetMs).sort((a, b) => a - b);
  const median = read.length === 2 ? read[0]?.offsetMs : inOrder[Math.floor((inOrder.length - 1) / 2)];
  return read.map((clock) => ({ ...clock, offsetMs: clock.offsetMs - (median ?? 0) }));
}

/** A clock is off for certain by what the reading of it cannot explain. */
export function clockRules(nodes: readonly NodeObservation[]): readonly Finding[] {
  return comparedClocks(nodes).flatMap(({ nodeId, offsetMs, uncertaintyMs }): readonly Finding[] => {
    const certainMs = Math.abs(offsetMs) - uncertaintyMs;
    if (certainMs <= clockLimits.warnMs) return [];
    return [
      {
        severity: certainMs > clockLimits.errorMs ? 'error' : 'warning',
        code: 'CLOCK_OFFSET',
        nodeId,
        what: `the clock of node ${nodeId} is ${ms(Math.abs(offsetMs))} ${offsetMs > 0 ? 'ahead of' : 'behind'} the others (± ${ms(uncertaintyMs)})`,
        why: 'keys expire and entries are dated by the clock of the leader: with another leader time stands still, or leaps',
        todo: 'synchronise its clock: timedatectl, chronyc tracking',
      },
    ];
  });
}
