import { nodeClock } from '@shanghai/env';
import { createLogger, createMetrics } from '@shanghai/telemetry';
import { type ApiLimits, type ApiServices, defaultApiLimits } from '../src/api/api-services.js';
import { createListenerGuards, type ListenerLimits } from '../src/api/connections/listener-guards.js';
import { HealthMonitor } from '../src/health/health-monitor.js';
import { noHealthCalls } from '../src/health/health-ports.js';
import type { ProcessDiagnostics } from '../src/health/process-diagnostics.js';
import type { ShanghaiNode } from '../src/node.js';
import { createRequestMetrics } from '../src/observability/request-metrics.js';

/** Services over a node for tests: ids count up, log lines and shutdown requests are kept. */
export interface TestServices extends ApiServices {
  readonly lines: string[];
  readonly shutdowns: number[];
  /** Looks when a test starts it. */
  readonly health: HealthMonitor;
}

export function testServices(
  node: ShanghaiNode,
  limits: Partial<ApiLimits> = {},
  listeners: Partial<ListenerLimits> = {},
): TestServices {
  const lines: string[] = [];
  const shutdowns: number[] = [];
  const metrics = createMetrics();
  const monotonicMs = () => performance.now();
  let ids = 0;
  const health = new HealthMonitor({ node, calls: noHealthCalls, clock: nodeClock() });
  return {
    node,
    health,
    diagnostics: async () => noDiagnostics,
    lines,
    shutdowns,
    metrics,
    logger: createLogger({ level: 'debug', write: (line) => void lines.push(line) }),
    requests: createRequestMetrics(metrics, monotonicMs),
    version: '1.2.3',
    limits: { ...defaultApiLimits, ...limits },
    guards: createListenerGuards(
      metrics,
      {
        maxConnections: 1_000,
        maxReceivingBytes: 256 * 1024 * 1024,
        maxAnsweringBytes: 256 * 1024 * 1024,
        ...listeners,
      },
      monotonicMs,
    ),
    addresses: () => ({ http: '127.0.0.1:8080', grpc: '127.0.0.1:9090', peer: '' }),
    newCorrelationId: () => `id-${++ids}`,
    monotonicMs,
    nowMs: () => 1_700_000_060_000,
    requestShutdown: (drainMs) => void shutdowns.push(drainMs),
  };
}

const noDiagnostics: ProcessDiagnostics = {
  walSync: { count: 3, p50Ms: 1, p99Ms: 2, maxMs: 2 },
  fileSystem: { type: 'ext4', totalBytes: 1000, availableBytes: 500 },
  limits: { openFiles: 30, maxOpenFiles: 1024, residentBytes: 1, heapBytes: 1, maxHeapBytes: 2, eventLoopP99Ms: 0.5 },
  runtimeVersion: 'v1.2.3',
};
