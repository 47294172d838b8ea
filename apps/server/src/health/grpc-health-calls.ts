import { credentials, type ClientOptions as GrpcClientOptions, Metadata } from '@grpc/grpc-js';
import { type GetHealthResponse, InternalClient } from '@shanghai/proto';
import type { HealthCalls } from './health-ports.js';
import { reportOf } from './reported-health.js';

/** An answer that takes longer is none. */
const timeoutMs = 1_000;

const channelOptions: GrpcClientOptions = {
  'grpc.enable_retries': 0,
  'grpc.initial_reconnect_backoff_ms': 500,
  // A node that comes back is seen so soon.
  'grpc.max_reconnect_backoff_ms': 2_000,
};

/** Asks over the listeners for clients of the other nodes; a connection to each is kept. */
export function grpcHealthCalls({ clusterId, nodeId }: { clusterId: string; nodeId: number }): HealthCalls {
  const clients = new Map<string, InternalClient>();
  const clientTo = (address: string) => {
    const known = clients.get(address);
    if (known !== undefined) return known;
    const made = new InternalClient(address, credentials.createInsecure(), channelOptions);
    clients.set(address, made);
    return made;
  };
  const request = { clusterId, fromNodeId: BigInt(nodeId) };
  return {
    async ask(address) {
      const client = clientTo(address);
      // The library compares deadlines with the machine's clock.
      const deadline = Date.now() + timeoutMs;
      const response = await new Promise<GetHealthResponse>((resolve, reject) => {
        client.getHealth(request, new Metadata(), { deadline }, (error, answer) =>
          error === null ? resolve(answer) : reject(error),
        );
      });
      return reportOf(response);
    },
    keepOnly(addresses) {
      for (const [address, client] of clients) {
        if (addresses.includes(address)) continue;
        client.close();
        clients.delete(address);
      }
    },
    close() {
      for (const client of clients.values()) client.close();
      clients.clear();
    },
  };
}
