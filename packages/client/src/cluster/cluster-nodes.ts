import { type Clock, invariant, type Random } from '@shanghai/env';
import type { Transport } from '../transport.js';
import { ClusterNode } from './cluster-node.js';

/** What a node says of another one. */
export interface AdvertisedNode {
  readonly nodeId: number;
  readonly address: string;
}

/** Nodes kept at most beside the endpoints; a cluster has far fewer. */
const maxLearned = 1_024;

/**
 * The nodes that a client knows: its endpoints, in their order, and those it learned of. Endpoints stay for ever; learned
 * ones go when the cluster no longer has them. A node that was reached under an address of its own is known by that
 * one, whatever it advertises: the address that works is the better one.
 */
export class ClusterNodes {
  readonly endpoints: readonly ClusterNode[];
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #learned = new Map<string, ClusterNode>();
  #all: readonly ClusterNode[];
  readonly #onGone: ((node: ClusterNode) => void)[] = [];

  constructor(transport: Transport, addresses: readonly string[], clock: Clock, random: Random) {
    invariant(addresses.length > 0, 'a client without endpoints');
    this.#transport = transport;
    this.#clock = clock;
    this.#random = random;
    this.endpoints = [...new Set(addresses)].map((address) => new ClusterNode(address, transport, clock));
    this.#all = this.endpoints;
  }

  /** Tells of every node that the cluster no longer has, from now on. Its channel is closed afterwards. */
  whenGone(listener: (node: ClusterNode) => void): void {
    this.#onGone.push(listener);
  }

  /** All nodes known, endpoints first. */
  get all(): readonly ClusterNode[] {
    return this.#all;
  }

  /** The node behind an address, kept from now on if it was not known. */
  at(address: string): ClusterNode {
    const known = this.#all.find((node) => node.address === address);
    if (known !== undefined) return known;
    const node = new ClusterNode(address, this.#transport, this.#clock);
    this.#learned.set(address, node);
    this.#renew();
    return node;
  }

  /** The node with that number, where it was heard. */
  withId(nodeId: number): ClusterNode | undefined {
    return this.#all.find((node) => node.nodeId === nodeId);
  }

  /** Who is behind the nodes of the cluster: those not yet known are kept, and learned ones that are not listed go. */
  learn(advertised: readonly AdvertisedNode[]): void {
    const listed = advertised.filter(({ address }) => isUsableAddress(address)).slice(0, maxLearned);
    if (listed.length === 0) return;
    const kept = new Set<ClusterNode>(this.endpoints);
    for (const { nodeId, address } of listed) {
      const node = this.withId(nodeId) ?? this.at(address);
      node.nodeId = nodeId;
      kept.add(node);
    }
    for (const [address, node] of [...this.#learned]) {
      if (kept.has(node)) continue;
      this.#learned.delete(address);
      for (const listener of this.#onGone) listener(node);
      node.close();
    }
    this.#renew();
  }

  /** The next node to try after one (absent: the first): the first healthy one behind it in turn, else its successor. */
  next(after: ClusterNode | undefined, among: readonly ClusterNode[] = this.#all): ClusterNode {
    const first = after === undefined ? 0 : among.indexOf(after) + 1;
    const inTurn = among.map((_, i) => among[(first + i) % among.length] as ClusterNode);
    return inTurn.find((node) => node.isHealthy) ?? (inTurn[0] as ClusterNode);
  }

  /**
   * A node for work that any replica can do: the less loaded of two healthy ones drawn at random (Mitzenmacher, "The
   * Power of Two Choices in Randomized Load Balancing", 2001), which balances well on loads that are not up to date.
   */
  pick(): ClusterNode {
    if (this.#all.length === 1) return this.#all[0] as ClusterNode;
    const healthy = this.#all.filter((node) => node.isHealthy);
    const among = healthy.length === 0 ? this.#all : healthy;
    const first = this.#random.below(among.length);
    const one = among[first] as ClusterNode;
    if (among.length === 1) return one;
    const other = among[(first + 1 + this.#random.below(among.length - 1)) % among.length] as ClusterNode;
    return other.load < one.load ? other : one;
  }

  /** Closes every channel. Idempotent. */
  close(): void {
    for (const node of this.#all) node.close();
  }

  #renew(): void {
    this.#all = [...this.endpoints, ...this.#learned.values()];
  }
}

/** Whether an address that a node advertises can be connected to from elsewhere: a host that is not a wildcard, a port. */
export function isUsableAddress(address: string): boolean {
  return /^.+:[1-9]\d{0,4}$/.test(address) && !/^(0\.0\.0\.0|\[::\]|\*):/.test(address);
}
