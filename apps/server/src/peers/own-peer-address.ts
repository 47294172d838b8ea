import type { NodeEntry } from '../apply/catalogue-command.js';
import { hostAndPort } from '../config/node-settings.js';
import type { NodeIdentity } from '../data-directory.js';
import { hostOf, portOf } from '../first-members.js';
import type { NodeOptions } from '../node-options.js';

/**
 * Where the other nodes reach this one, `host:port`: as it was told when the cluster was made or joined, or as the node
 * table has it, but for what it is told now. `''`: it is alone and was not told of a port, so it has no listener for
 * others.
 */
export function ownPeerAddress(
  { advertiseHost, peers }: Pick<NodeOptions, 'advertiseHost' | 'peers'>,
  { nodeId, firstMembers, joined }: NodeIdentity,
  nodes: readonly NodeEntry[],
): string {
  const own =
    firstMembers.find((member) => member.nodeId === nodeId)?.peerAddress ??
    joined?.members.find((member) => member.nodeId === nodeId)?.peerAddress ??
    nodes.find((node) => node.nodeId === nodeId)?.peerAddress ??
    '';
  const toldPort = peers?.port ?? 0;
  if (own === '' && toldPort === 0) return '';
  const host = advertiseHost ?? (own === '' ? (peers?.host ?? '127.0.0.1') : hostOf(own));
  return hostAndPort(host, toldPort === 0 ? portOf(own) : toldPort);
}
