import { nodeClock, nodeRandom } from '@shanghai/env';
import { createManualClock } from '@shanghai/env/testing';
import { test } from 'vitest';
import { createGrpcReplication } from '../src/grpc/grpc-replication.js';
import { MemoryReplicationNetwork } from '../src/testing/memory-replication-network.js';
import { replicationTransportContract } from '../src/testing/replication-transport-contract.js';

const limits = { retryMinMs: 5, retryMaxMs: 20 };

async function openNode(nodeId: number) {
  const self = { clusterId: 'test', nodeId, instanceId: `instance-${nodeId}` };
  const ports = { clock: nodeClock(), random: nodeRandom() };
  const transport = createGrpcReplication({ self, book: { check: () => 'known' }, ...ports, limits });
  return { transport, peer: { nodeId, address: await transport.listen('127.0.0.1', 0) } };
}

for (const { name, run } of replicationTransportContract) {
  test(`sessions in memory: ${name}`, () =>
    run(async () => {
      const clock = createManualClock();
      const network = new MemoryReplicationNetwork({ clock });
      return {
        first: network.transport(1),
        second: network.transport(2),
        peers: [1, 2, 3].map((nodeId) => ({ nodeId, address: '' })),
        until: async (isDone) => {
          while (!isDone()) await clock.advance(1);
        },
      };
    }));

  test(`sessions over gRPC: ${name}`, () =>
    run(async () => {
      const [first, second, gone] = await Promise.all([openNode(1), openNode(2), openNode(3)]);
      await gone.transport.close();
      const clock = nodeClock();
      return {
        first: first.transport,
        second: second.transport,
        peers: [first.peer, second.peer, gone.peer],
        // Looks again when more may have come; the test's own time-out ends a wait in vain.
        until: async (isDone) => {
          while (!isDone()) await new Promise<void>((resolve) => clock.setTimer(1, resolve, { keepsProcess: true }));
        },
      };
    }));
}
