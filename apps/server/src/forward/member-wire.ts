/** Members of the cluster in messages, as the asking side reads them. */
import type { JoinNodeResponse, MemberAddress as MemberAddressMessage } from '@shanghai/proto';
import type { JoinedCluster, MemberAddress, MemberVerdict } from '../members/node-members.js';

const verdicts: readonly MemberVerdict[] = ['member', 'removed', 'replaced', 'unknown'];

/** What the node table says of a node; a word that is not known says nothing. */
export function verdictOf(word: string): MemberVerdict {
  return verdicts.find((verdict) => verdict === word) ?? 'unknown';
}

/** Where a node is reached. */
export function addressOf({ nodeId, instanceId, peerAddress, grpcAddress }: MemberAddressMessage): MemberAddress {
  return { nodeId: Number(nodeId), instanceId, peerAddress, grpcAddress };
}

/** What a new node is told. */
export function joinedOf({ clusterId, nodeId, members }: JoinNodeResponse): JoinedCluster {
  return { clusterId, nodeId: Number(nodeId), members: members.map(addressOf) };
}
