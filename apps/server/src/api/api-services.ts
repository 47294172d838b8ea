import type { Logger, Metrics } from '@shanghai/telemetry';
import type { HealthView } from '../health/health-view.js';
import type { ProcessDiagnostics } from '../health/process-diagnostics.js';
import type { ShanghaiNode } from '../node.js';
import type { RequestMetrics } from '../observability/request-metrics.js';
import type { ListenerGuards } from './connections/listener-guards.js';

/** What both APIs stand on; `compose.ts` makes it. */
export interface ApiServices {
  readonly node: ShanghaiNode;
  readonly health: HealthView;
  /** What the process and the machine say of themselves. */
  diagnostics(): Promise<ProcessDiagnostics>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly requests: RequestMetrics;
  readonly version: string;
  readonly limits: ApiLimits;
  /** Those who are connected. */
  readonly guards: ListenerGuards;
  /** Where the process listens, as known by now. */
  addresses(): ListenAddresses;
  /** An id for a request that brought none. */
  newCorrelationId(): string;
  monotonicMs(): number;
  nowMs(): number;
  /** Begins to stop the process: refuse, drain up to `drainMs`, flush, end. Returns at once; later calls change nothing. */
  requestShutdown(drainMs: number): void;
}

/** Bounds that the APIs hold. In bytes unless the name says otherwise. */
export interface ApiLimits {
  /** Largest HTTP body. */
  readonly maxRequestBytes: number;
  /** Operations of a batch, records of an append: a message or body that could hold many more is not decoded. */
  readonly maxOperations: number;
  /** Largest gRPC message, in both directions. */
  readonly maxMessageBytes: number;
  /** Requests of one Pipeline stream that are not answered yet. */
  readonly pipelineRequests: number;
  /** Bytes of those requests. */
  readonly pipelineBytes: number;
  /** Answer bytes that may wait for a slow reader of one stream. */
  readonly streamBufferBytes: number;
}

/** `host:port` of each listener; `''` where there is none. */
export interface ListenAddresses {
  readonly http: string;
  readonly grpc: string;
  readonly peer: string;
}

/** Used where nothing else is configured. Value ≤ request ≤ message ≤ in flight. */
export const defaultApiLimits: ApiLimits = {
  maxRequestBytes: 28 * 1024 * 1024,
  maxOperations: 10_000,
  maxMessageBytes: 32 * 1024 * 1024,
  pipelineRequests: 1_024,
  pipelineBytes: 64 * 1024 * 1024,
  streamBufferBytes: 1024 * 1024,
};

/** How long requests in flight may take where a shutdown names no time. */
export const defaultDrainMs = 10_000;
