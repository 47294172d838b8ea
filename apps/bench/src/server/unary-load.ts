/** One unary method under load from h2load, counted by the server too. */
import type { BenchScope } from '../bench-scope.js';
import type { Measurement } from '../report.js';
import type { BenchServer, ServerCounters } from './bench-server.js';
import { runH2load } from './h2load.js';

/** Connections and requests in flight on each: an efficient client holds few connections. */
export const loadShapes = { 1: [1, 1], 64: [4, 16], 256: [8, 32] } as const;

/** What to send, and how much of it at a time. */
export interface UnaryLoad {
  /** `Service/Method` within `servicePackage`. */
  readonly method: string;
  readonly message: Uint8Array;
  readonly shape: readonly [connections: number, streams: number];
  readonly seconds: number;
  /** Default `shanghai.v1`. */
  readonly servicePackage?: string;
}

/** Sends for `seconds` after a second of warm-up. */
export async function unaryLoad(
  scope: BenchScope,
  server: Pick<BenchServer, 'grpc' | 'counters'>,
  load: UnaryLoad,
): Promise<Measurement> {
  const { method, message, seconds } = load;
  const [connections, streams] = load.shape;
  const before = await server.counters(method);
  const { succeeded, failed, elapsedMs, latency } = await runH2load(scope, {
    endpoint: server.grpc,
    path: `${load.servicePackage ?? 'shanghai.v1'}.${method}`,
    message,
    connections,
    streams,
    seconds,
    warmUpSeconds: 1,
  });
  const after = await server.counters(method);
  const cancelled = Math.max(0, after.cancelled - before.cancelled - connections * streams);
  const refused = after.failed - before.failed + cancelled;
  // The server saw the warm-up too, so its count must be the greater one; if not, answers were not what they seemed.
  const unaccounted = Math.max(0, succeeded - (after.ok - before.ok) - refused);
  return {
    operations: Math.max(0, succeeded - refused),
    errors: failed + refused + unaccounted,
    elapsedMs,
    ...(latency && { latency }),
    details: costs(before, after),
  };
}

/** What the server spent on each call, warm-up included. */
export function costs(before: ServerCounters, after: ServerCounters): Record<string, number> {
  const all = ({ ok, failed, cancelled }: ServerCounters) => ok + failed + cancelled;
  const calls = all(after) - all(before);
  const syncs = after.walSyncs - before.walSyncs;
  return {
    serverCpuUsEach: ((after.cpuSeconds - before.cpuSeconds) * 1e6) / calls,
    ...(syncs > calls / 1_000 ? { callsPerSync: calls / syncs } : {}),
    serverRssMiB: after.residentBytes / 1_048_576,
  };
}
