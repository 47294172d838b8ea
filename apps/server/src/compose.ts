/**
 * Where real parts are put together: configuration → node, metrics, logs, listeners. Nothing else in the server makes
 * an adapter.
 */
import { nodeClock } from '@shanghai/env';
import { createLogger, createMetrics, type Logger, type Metrics } from '@shanghai/telemetry';
import type { ApiServices, ListenAddresses } from './api/api-services.js';
import { createListenerGuards } from './api/connections/listener-guards.js';
import { createCorrelationIds } from './api/correlation.js';
import { type GrpcApi, openGrpcApi } from './api/grpc/grpc-api.js';
import { type HttpApi, openHttpApi } from './api/http/http-api.js';
import type { Config } from './config/config-options.js';
import { apiLimitsOf, hostAndPort, nodeOptionsOf } from './config/node-settings.js';
import { grpcHealthCalls } from './health/grpc-health-calls.js';
import { HealthMonitor } from './health/health-monitor.js';
import { type DiagnosticsSource, processDiagnostics } from './health/process-diagnostics.js';
import { RecentLatencies } from './health/recent-latencies.js';
import { listenError } from './listen-error.js';
import type { ShanghaiNode } from './node.js';
import { observeHealth } from './observability/health-metrics.js';
import { exposeKeyspaces } from './observability/keyspace-metrics.js';
import { observeMembership } from './observability/membership-metrics.js';
import { exposeStatus, observeNode } from './observability/node-metrics.js';
import { observePeers } from './observability/peer-metrics.js';
import { observeRaft } from './observability/raft-metrics.js';
import { observeReplication, showReplication } from './observability/replication-metrics.js';
import { createRequestMetrics } from './observability/request-metrics.js';
import { observeStores } from './observability/store-metrics.js';
import { observeWal } from './observability/wal-metrics.js';
import { openNode } from './open-node.js';
import { closeServer, Shutdown } from './shutdown.js';

/** A server that answers. */
export interface RunningServer {
  readonly addresses: ListenAddresses;
  readonly node: ShanghaiNode;
  /** Asked for by a signal, by an API, or because the node cannot go on. */
  readonly shutdown: Shutdown;
  /** Drains, flushes and closes everything. Idempotent. */
  close(drainMs: number): Promise<void>;
}

/** The logger that a configuration asks for. */
export function loggerOf(config: Config): Logger {
  return createLogger({ level: config.logLevel, format: config.logFormat });
}

/** Opens the node, then the listeners. What was opened is closed again when a step fails. */
export async function startServer(
  config: Config,
  version: string,
  logger: Logger,
  metrics: Metrics = createMetrics({ processMetrics: true }),
): Promise<RunningServer> {
  const shutdown = new Shutdown();
  const onFailed = (failure: Error) => shutdown.request({ drainMs: 0, failure });
  const options = nodeOptionsOf(config);
  const walSyncs = new RecentLatencies();
  const node = await openNode({
    ...options,
    program: version,
    peers: { ...options.peers, listener: observePeers(metrics, logger) },
    membership: { ...options.membership, listener: observeMembership(metrics, logger) },
    walListener: observeWal(metrics, logger, onFailed, (syncMs) => walSyncs.add(syncMs, performance.now())),
    bitcaskListener: observeStores(metrics, logger, onFailed),
    listener: observeNode(metrics, logger, onFailed),
    raftListener: observeRaft(metrics, logger),
    replication: { ...options.replication, listener: observeReplication(metrics, logger) },
  });
  exposeStatus(metrics, version, () => node.status());
  showReplication(metrics, node.replication);
  const { keyspaces } = node;
  if (keyspaces !== undefined) exposeKeyspaces(metrics, () => keyspaces.totals());
  const addresses = { http: '', grpc: '', peer: node.peerAddress ?? '' };
  const health = monitorOf(node, metrics, logger);
  const diagnostics = processDiagnostics(config.dataDir, walSyncs);
  const services = servicesOf(config, version, { node, health, diagnostics, logger, metrics, shutdown, addresses });
  let http: HttpApi | undefined;
  let grpc: GrpcApi | undefined;
  let closing: Promise<void> | undefined;
  const close = (drainMs: number) => {
    closing ??= closeServer({ node, http, grpc, health, diagnostics, metrics, logger }, drainMs);
    return closing;
  };
  try {
    http = await openHttpApi(services, config.host, config.httpPort).catch((error: unknown) => {
      throw listenError('HTTP', config.host, config.httpPort, error);
    });
    grpc = await openGrpcApi(services, config.host, config.grpcPort).catch((error: unknown) => {
      throw listenError('gRPC', config.host, config.grpcPort, error);
    });
  } catch (error) {
    await close(0);
    throw error;
  }
  addresses.http = hostAndPort(config.host, http.port);
  addresses.grpc = hostAndPort(config.host, grpc.port);
  node.announce?.({ host: config.host, grpcPort: grpc.port, httpPort: http.port });
  health.start();
  return { addresses, node, shutdown, close };
}

function monitorOf(node: ShanghaiNode, metrics: Metrics, logger: Logger): HealthMonitor {
  const { clusterId, nodeId } = node.status();
  const calls = grpcHealthCalls({ clusterId, nodeId });
  return new HealthMonitor({ node, calls, clock: nodeClock(), listener: observeHealth(metrics, logger) });
}

interface Parts {
  readonly node: ShanghaiNode;
  readonly health: HealthMonitor;
  readonly diagnostics: DiagnosticsSource;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly shutdown: Shutdown;
  readonly addresses: ListenAddresses;
}

function servicesOf(config: Config, version: string, parts: Parts): ApiServices {
  const monotonicMs = () => performance.now();
  return {
    node: parts.node,
    health: parts.health,
    diagnostics: () => parts.diagnostics.gather(),
    logger: parts.logger,
    metrics: parts.metrics,
    requests: createRequestMetrics(parts.metrics, monotonicMs),
    version,
    limits: apiLimitsOf(config),
    guards: createListenerGuards(parts.metrics, config, monotonicMs),
    addresses: () => parts.addresses,
    newCorrelationId: createCorrelationIds(),
    monotonicMs,
    nowMs: () => Date.now(),
    requestShutdown: (drainMs) => parts.shutdown.request({ drainMs }),
  };
}
