// A cluster in memory, for tests of what its users see of leadership: who answers, who refuses, what is done and what is
// not. There is one log of commands, and consensus is taken for granted: a command that a leader takes is committed at
// once, and nodes apply the log in its order, when they hear of it. Everything that makes this hard for a client is
// there: leaders change in the middle, nodes die, stop, are cut off, go silent, lag behind, and name leaders of the past;
// requests and answers are lost or come late (the network's `fate`). Nothing happens by itself: the test moves everything.
import { type Clock, invariant, nodeClock } from '@shanghai/env';
import { type ClusterLog, MemoryClusterNode } from './memory-cluster-node.js';
import { refusal } from './memory-error.js';
import { createMemoryNetwork, type MemoryNetwork } from './memory-transport.js';

/** Nodes of a memory cluster, and their leader. */
export class MemoryCluster {
  /** Hand this to `createClient`. */
  readonly network: MemoryNetwork;
  /** Addresses of the nodes, in the order of their ids 1, 2, 3 … */
  readonly endpoints: readonly string[];
  readonly #nodes: readonly MemoryClusterNode[];
  readonly #log: ClusterLog = { commands: [], term: 0, leaderId: undefined, onCommitted: () => this.#spread() };

  /** `size` nodes ≥ 1, or one for each address; all are there, and node 1 leads. */
  constructor(size: number | readonly string[] = 3, clock: Clock = nodeClock()) {
    this.endpoints = typeof size === 'number' ? Array.from({ length: size }, (_, i) => `node-${i + 1}:9090`) : size;
    const members = this.endpoints.map((address, i) => ({ nodeId: i + 1, address }));
    this.#nodes = members.map((member) => new MemoryClusterNode(member, members, this.#log, clock));
    const hostAt = (endpoint: string) => this.node(this.endpoints.indexOf(endpoint) + 1);
    this.network = createMemoryNetwork(hostAt, clock);
    this.elect(1);
  }

  /** A node. Throws for an id that there is none of. */
  node(nodeId: number): MemoryClusterNode {
    const node = this.#nodes[nodeId - 1];
    invariant(node !== undefined, `there is no node ${nodeId} in the memory cluster`);
    return node;
  }

  /** The node that leads. */
  get leaderId(): number | undefined {
    return this.#log.leaderId;
  }

  /** A new term with that leader, or with none. Nodes that are cut off do not hear of it. */
  elect(nodeId: number | undefined): void {
    this.#log.term++;
    this.#log.leaderId = nodeId;
    this.#spread();
  }

  /** The process dies: connections break, and nobody listens. What it led has no leader. */
  kill(nodeId: number): void {
    this.#away(nodeId);
    this.network.unreachable.add(this.#endpoint(nodeId));
    this.network.breakConnections(this.#endpoint(nodeId));
  }

  /** The process stops in good order: leadership goes to `heir` first, and open streams end by saying that it stops. */
  stop(nodeId: number, heir?: number): void {
    if (this.#log.leaderId === nodeId) this.elect(heir);
    const named = heir === undefined ? {} : { leader: this.#endpoint(heir), leaderNodeId: heir };
    this.network.unreachable.add(this.#endpoint(nodeId));
    this.network.breakConnections(
      this.#endpoint(nodeId),
      refusal('SERVICE_UNAVAILABLE', 'the node is closing; nothing was done for requests without an answer', named),
    );
    this.#away(nodeId);
  }

  /** Nothing comes out of it any more, and nobody is told. What it led has no leader. */
  silence(nodeId: number): void {
    this.#away(nodeId);
    this.network.silent.add(this.#endpoint(nodeId));
  }

  /** It answers its clients, but hears nothing of the others: it believes what it believed, and applies nothing. */
  cutOff(nodeId: number): void {
    this.#away(nodeId);
  }

  /** It applies nothing until `restore`, but hears who leads: a replica that lies behind. */
  holdBack(nodeId: number): void {
    this.node(nodeId).lags = true;
  }

  /** Ends whatever was done to a node. */
  restore(nodeId: number): void {
    const endpoint = this.#endpoint(nodeId);
    if (this.network.silent.delete(endpoint)) this.network.breakConnections(endpoint);
    this.network.unreachable.delete(endpoint);
    const node = this.node(nodeId);
    node.lags = false;
    node.isCutOff = false;
    node.hear();
  }

  #spread(): void {
    for (const node of this.#nodes) node.hear();
  }

  #away(nodeId: number): void {
    this.node(nodeId).isCutOff = true;
    if (this.#log.leaderId === nodeId) this.elect(undefined);
  }

  #endpoint(nodeId: number): string {
    return this.node(nodeId).member.address;
  }
}
