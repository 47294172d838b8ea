import type { Metrics } from '@shanghai/telemetry';
import type { KeyspaceTotals } from '../keyspaces/keyspace-requests.js';

/** Gauges of the keyspaces that every node writes, read before every exposition. */
export function exposeKeyspaces(metrics: Metrics, totals: () => KeyspaceTotals): void {
  const conflicts = metrics.gauge({
    name: 'keyspace_conflicts_found',
    help: 'Writes of multi-master keyspaces found to have lost to one that had not seen them, since the start.',
  });
  const held = metrics.gauge({
    name: 'keyspace_held_entries',
    help: 'Entries of multi-master keyspaces that are too far ahead of the clock of this node.',
  });
  const unreadable = metrics.gauge({
    name: 'keyspace_unreadable_entries',
    help: 'Entries of multi-master keyspaces that this program could not read, since the start.',
  });
  metrics.beforeCollect(() => {
    const now = totals();
    conflicts.set(now.conflictsFound);
    held.set(now.held);
    unreadable.set(now.unreadable);
  });
}
