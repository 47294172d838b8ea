import type { Metrics } from '@shanghai/telemetry';
import type { KeyspaceTotals } from '../keyspaces/keyspace-requests.js';

/** Gauges of the keyspaces that every node writes, read before every exposition. */
export function exposeKeyspaces(metrics: Metrics, totals: () => KeyspaceTotals): void {
  const gauge = (name: string, help: string) => metrics.gauge({ name, help });
  const folded = gauge(
    'keyspace_folded_entries',
    'Entries of multi-master keyspaces, of all nodes, folded here since the start.',
  );
  const conflicts = gauge(
    'keyspace_conflicts_found',
    'Writes of multi-master keyspaces found to have lost to one that had not seen them, since the start.',
  );
  const held = gauge(
    'keyspace_held_entries',
    'Entries of multi-master keyspaces that are too far ahead of the clock of this node.',
  );
  const unreadable = gauge(
    'keyspace_unreadable_entries',
    'Entries of multi-master keyspaces that this program could not read, since the start.',
  );
  const stable = gauge(
    'keyspace_stable_age_seconds',
    'How old a deletion must be to go, where that is most; absent while a member was not heard since the start.',
  );
  metrics.beforeCollect(() => {
    const now = totals();
    folded.set(now.folded);
    conflicts.set(now.conflictsFound);
    held.set(now.held);
    unreadable.set(now.unreadable);
    if (now.stableAgeMs === undefined) stable.remove({});
    else stable.set(now.stableAgeMs / 1000);
  });
}
