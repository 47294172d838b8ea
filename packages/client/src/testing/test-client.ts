import { createSeededRandom, invariant } from '@shanghai/env';
import { createManualClock, type ManualClock } from '@shanghai/env/testing';
import type { PipelineRequest } from '@shanghai/proto';
import { createClient, type ShanghaiClient } from '../client.js';
import type { ClientOptions } from '../client-options.js';
import { MemoryCluster } from './memory-cluster.js';
import { MemoryServer } from './memory-server.js';
import { createMemoryTransport, type MemoryTransport } from './memory-transport.js';

/** A client on a memory server, with a clock that stands. For this package's own tests. */
export interface TestClient {
  readonly client: ShanghaiClient;
  readonly transport: MemoryTransport;
  readonly server: MemoryServer;
  readonly clock: ManualClock;
}

/** Makes one. Random numbers follow from a fixed seed. */
export function createTestClient(options: Partial<ClientOptions> = {}): TestClient {
  const clock = createManualClock();
  const server = new MemoryServer(clock);
  const transport = createMemoryTransport(server);
  const random = createSeededRandom(1);
  const client = createClient(transport, { endpoints: ['a:1'], discover: false, clock, random, ...options });
  return { client, transport, server, clock };
}

/** A client on a cluster in memory, with a clock that stands. */
export interface ClusterTest {
  readonly client: ShanghaiClient;
  readonly cluster: MemoryCluster;
  readonly clock: ManualClock;
  /** Another client of the same cluster. */
  connect(options?: Partial<ClientOptions>): ShanghaiClient;
}

/** Makes one. The client knows the first node, and learns the others. Random numbers follow from `seed`. */
export function createClusterTest(size = 3, options: Partial<ClientOptions> = {}, seed = 1): ClusterTest {
  const clock = createManualClock();
  const cluster = new MemoryCluster(size, clock);
  const random = createSeededRandom(seed);
  const connect = (more: Partial<ClientOptions> = {}) =>
    createClient(cluster.network, { endpoints: ['node-1:9090'], clock, random, ...options, ...more });
  return { client: connect(), cluster, clock, connect };
}

/** The outcome of a call, letting time pass until it has one; at most `limitMs`. */
export async function settle<Value>(
  { clock }: { readonly clock: ManualClock },
  call: Promise<Value>,
  limitMs = 20_000,
): Promise<Value> {
  let settled = false;
  const done = () => {
    settled = true;
  };
  call.then(done, done);
  for (let waitedMs = 0; waitedMs < limitMs && !settled; waitedMs += 10) await clock.advance(10);
  invariant(settled, `the call has no outcome after ${limitMs} ms`);
  return await call;
}

/** The requests in a message, be it a group or a single one. */
export function requestsIn(message: PipelineRequest | undefined): readonly PipelineRequest[] {
  if (message === undefined) return [];
  return message.request?.$case === 'group' ? message.request.value.requests : [message];
}
