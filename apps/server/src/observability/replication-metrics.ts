import type { Metrics } from '@shanghai/telemetry';
import type { NodeReplication } from '../node.js';

const labels = ['origin', 'node'] as const;

/** Shipping of multi-master logs → metrics: what each follower lacks of each origin, as this node sees it. */
export function showReplication(metrics: Metrics, replication: Pick<NodeReplication, 'status'> | undefined): void {
  if (replication === undefined) return;
  const gauge = (name: string, help: string) => metrics.gauge({ name, help, labels });
  const entries = gauge('replication_lag_entries', 'Entries of an origin that a follower lacks, as this node sees it.');
  const seconds = gauge('replication_lag_seconds', 'For how long it has lacked something; 0 where it lacks nothing.');
  const healthy = gauge('replication_healthy', '1 where a follower keeps up with an origin.');
  let shown: readonly Readonly<Record<string, string>>[] = [];
  metrics.beforeCollect(() => {
    for (const one of shown) for (const metric of [entries, seconds, healthy]) metric.remove(one);
    const followers = replication.status()?.followers ?? [];
    shown = followers.map(({ origin, follower, lagEntries, lagMs, state }) => {
      const label = { origin: String(origin), node: String(follower) };
      entries.set(lagEntries, label);
      seconds.set(lagMs / 1000, label);
      healthy.set(state === 'healthy' ? 1 : 0, label);
      return label;
    });
  });
}
