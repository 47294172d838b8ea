import { credentials, Metadata } from '@grpc/grpc-js';
import { ClusterClient, type JoinNodeResponse } from '@shanghai/proto';
import type { AskToJoin } from '../members/join-cluster.js';
import { forwardedFailure } from './forwarded-failure.js';
import { joinedOf } from './member-wire.js';

const timeoutMs = 10_000;

/** Asks over gRPC; a connection of its own each time. */
export const askOverGrpc: AskToJoin = async (
  address,
  { instanceId, peerAddress, name, nodeId, versions, engine = '' },
) => {
  const client = new ClusterClient(address, credentials.createInsecure());
  try {
    const response = await new Promise<JoinNodeResponse>((resolve, reject) => {
      const request = {
        ...{ instanceId, peerAddress, name, nodeId: BigInt(nodeId), engine },
        version: versions?.program ?? '',
        lowestClusterVersion: versions?.lowest ?? 0,
        highestClusterVersion: versions?.highest ?? 0,
      };
      client.joinNode(request, new Metadata(), { deadline: Date.now() + timeoutMs }, (error, answer) => {
        if (error === null) resolve(answer);
        else reject(forwardedFailure(error, address, undefined));
      });
    });
    return joinedOf(response);
  } finally {
    client.close();
  }
};
