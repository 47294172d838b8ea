import { createSeededRandom } from '@shanghai/env';
import { createManualClock, type ManualClock } from '@shanghai/env/testing';
import type { PipelineRequest } from '@shanghai/proto';
import { createClient, type ShanghaiClient } from '../client.js';
import type { ClientOptions } from '../client-options.js';
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
  const client = createClient(transport, { endpoints: ['a:1'], clock, random, ...options });
  return { client, transport, server, clock };
}

/** The requests in a message, be it a group or a single one. */
export function requestsIn(message: PipelineRequest | undefined): readonly PipelineRequest[] {
  if (message === undefined) return [];
  return message.request?.$case === 'group' ? message.request.value.requests : [message];
}
