import { createLogger, createMetrics } from '@shanghai/telemetry';
import { type ApiLimits, type ApiServices, defaultApiLimits } from '../src/api/api-services.js';
import { createListenerGuards } from '../src/api/connections/listener-guards.js';
import type { ShanghaiNode } from '../src/node.js';
import { createRequestMetrics } from '../src/observability/request-metrics.js';

/** Services over a node for tests: ids count up, log lines and shutdown requests are kept. */
export interface TestServices extends ApiServices {
  readonly lines: string[];
  readonly shutdowns: number[];
}

export function testServices(
  node: ShanghaiNode,
  limits: Partial<ApiLimits> = {},
  maxConnections = 1_000,
): TestServices {
  const lines: string[] = [];
  const shutdowns: number[] = [];
  const metrics = createMetrics();
  const monotonicMs = () => performance.now();
  let ids = 0;
  return {
    node,
    lines,
    shutdowns,
    metrics,
    logger: createLogger({ level: 'debug', write: (line) => void lines.push(line) }),
    requests: createRequestMetrics(metrics, monotonicMs),
    version: '1.2.3',
    limits: { ...defaultApiLimits, ...limits },
    guards: createListenerGuards(metrics, maxConnections, monotonicMs),
    addresses: () => ({ http: '127.0.0.1:8080', grpc: '127.0.0.1:9090', peer: '' }),
    newCorrelationId: () => `id-${++ids}`,
    monotonicMs,
    nowMs: () => 1_700_000_060_000,
    requestShutdown: (drainMs) => void shutdowns.push(drainMs),
  };
}
