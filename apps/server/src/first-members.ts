/** Who makes a new cluster together. All of them are told the same, so that they agree before they have spoken. */
import { createHash } from 'node:crypto';

/** A node of a new cluster, and where the others reach it. */
export interface FirstMember {
  readonly nodeId: number;
  /** `host:port` of its peer listener. */
  readonly peerAddress: string;
}

/** Most members a cluster may be made with. */
export const maxFirstMembers = 15;

/** Reads `1=host:port,2=host:port`; in the order of the ids. `RangeError` says what is wrong with it. */
export function parseFirstMembers(text: string): readonly FirstMember[] {
  const members = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseMember);
  checkFirstMembers(members);
  return members.sort((a, b) => a.nodeId - b.nodeId);
}

/** The members, or what is wrong with the text. */
export function checkedFirstMembers(text: string): readonly FirstMember[] | string {
  try {
    return parseFirstMembers(text);
  } catch (error) {
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}

/** As `parseFirstMembers` reads it. */
export function firstMembersText(members: readonly FirstMember[]): string {
  return members.map(({ nodeId, peerAddress }) => `${nodeId}=${peerAddress}`).join(',');
}

/** `RangeError` where there are none, or ids or addresses are doubled, cannot be, or are too many. */
export function checkFirstMembers(members: readonly FirstMember[]): void {
  if (members.length === 0) throw new RangeError('names no node');
  if (members.length > maxFirstMembers) {
    throw new RangeError(`names ${members.length} nodes, at most ${maxFirstMembers} can make a cluster`);
  }
  const ids = new Set<number>();
  const addresses = new Set<string>();
  for (const { nodeId, peerAddress } of members) {
    if (!Number.isInteger(nodeId) || nodeId < 1 || nodeId >= 2 ** 32) {
      throw new RangeError(`the node id '${nodeId}' is no whole number from 1 to 4294967295`);
    }
    if (!/^(?:\[[0-9a-fA-F:.]+\]|[^\s:,=[\]]+):\d{1,5}$/.test(peerAddress) || portOf(peerAddress) > 65_535) {
      throw new RangeError(`'${peerAddress}' of node ${nodeId} is no host:port`);
    }
    if (portOf(peerAddress) === 0) throw new RangeError(`'${peerAddress}' of node ${nodeId} needs a port of its own`);
    if (ids.has(nodeId)) throw new RangeError(`names node ${nodeId} twice`);
    if (addresses.has(peerAddress)) throw new RangeError(`names the address '${peerAddress}' twice`);
    ids.add(nodeId);
    addresses.add(peerAddress);
  }
}

/** 32 hexadecimal digits that only the same members with the same token give, in whatever order they are named. */
export function clusterIdOf(members: readonly FirstMember[], token: string): string {
  const sorted = [...members].sort((a, b) => a.nodeId - b.nodeId);
  return createHash('sha256')
    .update(JSON.stringify([token, firstMembersText(sorted)]))
    .digest('hex')
    .slice(0, 32);
}

/** The host of `host:port`, an IPv6 address without its brackets. */
export function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}

/** The port of `host:port`. */
export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

function parseMember(part: string): FirstMember {
  const at = part.indexOf('=');
  const id = part.slice(0, at).trim();
  if (at === -1 || !/^\d{1,10}$/.test(id)) throw new RangeError(`'${part}' is not of the form id=host:port`);
  return { nodeId: Number(id), peerAddress: part.slice(at + 1).trim() };
}
