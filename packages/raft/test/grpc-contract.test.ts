import { nodeClock, nodeRandom } from '@shanghai/env';
import { test } from 'vitest';
import type { PeerSelf } from '../src/grpc/grpc-peers-options.js';
import { openGrpcPeers } from '../src/grpc/open-grpc-peers.js';
import { peerTransportContract } from '../src/testing/peer-transport-contract.js';

const limits = { retryMinMs: 5, retryMaxMs: 20 };

function openNode(nodeId: number) {
  const self: PeerSelf = { clusterId: 'test', nodeId, instanceId: `instance-${nodeId}`, startId: `start-${nodeId}` };
  const ports = { clock: nodeClock(), random: nodeRandom() };
  return openGrpcPeers({ host: '127.0.0.1', port: 0, self, book: { check: () => 'known' }, ...ports, limits });
}

for (const { name, run } of peerTransportContract) {
  test(`peers over gRPC: ${name}`, () =>
    run(async () => {
      const [first, second, gone] = await Promise.all([openNode(1), openNode(2), openNode(3)]);
      await gone.close();
      const clock = nodeClock();
      return {
        first,
        second,
        peers: [first, second, gone].map(({ address }, at) => ({ nodeId: at + 1, address })),
        // Looks again when more may have come; the test's own time-out ends a wait in vain.
        until: async (isDone) => {
          while (!isDone()) await new Promise<void>((resolve) => clock.setTimer(1, resolve, { keepsProcess: true }));
        },
      };
    }));
}
