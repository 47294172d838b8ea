import type { Logger, Metrics } from '@shanghai/telemetry';
import type { ClusterCondition } from '../health/core/cluster-sight.js';
import type { HealthListener } from '../health/health-ports.js';

const stateNumbers: Readonly<Record<ClusterCondition, number>> = { healthy: 0, degraded: 1, unavailable: 2 };

/** Health → metrics and log lines. A start is not told of before the cluster was healthy once: it comes up in steps. */
export function observeHealth(metrics: Metrics, logger: Logger): HealthListener {
  const state = metrics.gauge({
    name: 'cluster_state',
    help: 'The cluster as this node sees it: 0 healthy, 1 degraded, 2 unavailable.',
  });
  const checks = metrics.gauge({
    name: 'readiness_check',
    help: '1 while a condition of readiness holds.',
    labels: ['check'],
  });
  let wasHealthy = false;
  return {
    looked(event) {
      state.set(stateNumbers[event.state]);
      for (const { name, ok } of event.checks) checks.set(ok ? 1 : 0, { check: name });
    },
    clusterChanged(event) {
      const reasons = event.reasons.map(({ text }) => text);
      if (event.state !== 'healthy') {
        logger[wasHealthy ? 'warn' : 'debug']({ state: event.state, reasons }, 'the cluster is not healthy');
      } else {
        logger[wasHealthy ? 'info' : 'debug']({ state: event.state }, 'the cluster is healthy');
        wasHealthy = true;
      }
    },
  };
}
