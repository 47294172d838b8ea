import { invariant } from '@shanghai/env';
import type { NodeEntry, NodeVersions } from '../apply/catalogue-command.js';
import { described } from '../apply/node-table.js';
import type { NodeCondition } from '../health/core/cluster-sight.js';
import type { NodeStatus } from '../node.js';
import type { ListenAddresses } from './api-services.js';

/** A node of the cluster as this one knows it. */
export interface KnownNode {
  readonly nodeId: number;
  readonly name: string;
  readonly instanceId: string;
  readonly grpcAddress: string;
  readonly httpAddress: string;
  readonly peerAddress: string;
  readonly state: NodeCondition;
  /** Absent: it has not said. */
  readonly versions?: NodeVersions;
  /** Where it stands in the node table. */
  readonly membership: 'joining' | 'member' | 'leaving';
  /** While it leaves: the node that takes its place, 0 = whichever joins. */
  readonly replacedBy?: number;
}

/** How nodes are, by id: see `ClusterView`. */
export type NodeConditions = ReadonlyMap<number, NodeCondition>;

/** The nodes of the node table by id; this one always among them. `addresses` are this node's listeners. */
export function knownNodes(
  status: NodeStatus,
  addresses: ListenAddresses,
  conditions: NodeConditions,
): readonly KnownNode[] {
  const own = (status.nodes ?? []).find(({ nodeId }) => nodeId === status.nodeId);
  const self: KnownNode = {
    nodeId: status.nodeId,
    name: status.nodeName,
    instanceId: status.instanceId,
    grpcAddress: addresses.grpc || (own?.grpcAddress ?? ''),
    httpAddress: addresses.http || (own?.httpAddress ?? ''),
    peerAddress: addresses.peer || (own?.peerAddress ?? ''),
    state: 'up',
    ...(own?.versions === undefined ? {} : { versions: own.versions }),
    ...membershipOf(own),
  };
  const others = (status.nodes ?? []).filter(({ nodeId }) => nodeId !== status.nodeId);
  const known = others.map((node) => ({
    ...described(node),
    state: conditions.get(node.nodeId) ?? 'unknown',
    ...membershipOf(node),
  }));
  return [self, ...known].sort((a, b) => a.nodeId - b.nodeId);
}

/** This node, as `knownNodes` has it. */
export function thisNode(status: NodeStatus, addresses: ListenAddresses): KnownNode {
  return knownNodes(status, addresses, new Map()).find(({ nodeId }) => nodeId === status.nodeId) as KnownNode;
}

function membershipOf(node: NodeEntry | undefined): Pick<KnownNode, 'membership' | 'replacedBy'> {
  const state = node?.state ?? 'member';
  invariant(state !== 'removed', 'who was taken out is not listed');
  return { membership: state, ...(node?.replacedBy === undefined ? {} : { replacedBy: node.replacedBy }) };
}
