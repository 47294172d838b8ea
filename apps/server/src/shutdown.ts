/** When a server stops, and the order in which it closes. */
import type { Logger, Metrics } from '@shanghai/telemetry';
import type { GrpcApi } from './api/grpc/grpc-api.js';
import type { HttpApi } from './api/http/http-api.js';
import type { ShanghaiNode } from './node.js';

/** Why and how to stop. */
export interface ShutdownRequest {
  /** How long requests in flight may take. */
  readonly drainMs: number;
  /** The node cannot go on because of this; absent: somebody asked. */
  readonly failure?: Error;
}

/** Waits for the first request to stop; later ones change nothing. */
export class Shutdown {
  readonly requested: Promise<ShutdownRequest>;
  #resolve: (request: ShutdownRequest) => void = () => {};

  constructor() {
    this.requested = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  request(request: ShutdownRequest): void {
    this.#resolve(request);
  }
}

/** What there is to close; listeners that were never opened are absent. */
export interface ServerParts {
  readonly node: ShanghaiNode;
  readonly http: HttpApi | undefined;
  readonly grpc: GrpcApi | undefined;
  /** What asks other nodes. */
  readonly health: { stop(): void };
  readonly diagnostics: { close(): void };
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** How long answers may take to leave once the node has closed. */
const answerGraceMs = 1_000;

/** How long a client on a kept connection has to hear that this one ends with its answer. */
const noticeMs = 200;

/** Where nobody takes over in such a time, nobody will. */
const maxHandOverMs = 3_000;

/**
 * Nobody should notice but by a connection that ends. The node is ready no more, and others come to lead what it leads
 * while it goes on answering; then the listeners take no more connections, and requests in flight get their answers, from
 * the new leaders where they need one; then the node flushes and closes. Without time (`drainMs` 0), and where the node
 * cannot go on, it refuses at once. A step that fails keeps no other from being done; the first failure is thrown.
 */
export async function closeServer(parts: ServerParts, drainMs: number): Promise<void> {
  const { node, http, grpc, health, diagnostics, metrics } = parts;
  grpc?.markStopping();
  health.stop();
  http?.markStopping();
  const failures: unknown[] = [];
  const step = async (close: () => Promise<void> | undefined) => {
    try {
      await close();
    } catch (error) {
      failures.push(error);
    }
  };
  const closeListeners = (graceMs: number) =>
    Promise.all([step(() => http?.close(graceMs)), step(() => grpc?.close(graceMs))]);
  const startMs = performance.now();
  const leftMs = () => Math.max(0, drainMs - (performance.now() - startMs));
  if (drainMs > 0) {
    const noticed = new Promise((resolve) => setTimeout(resolve, Math.min(leftMs(), noticeMs)));
    await step(() => node.handOver?.(Math.min(leftMs(), maxHandOverMs)));
    await noticed;
    await closeListeners(leftMs());
  }
  await step(() => node.close(leftMs()));
  await closeListeners(answerGraceMs);
  diagnostics.close();
  metrics.close();
  if (failures.length > 0) throw failures[0];
}
