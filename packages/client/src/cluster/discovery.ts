// Learning the cluster. A node is asked for the list of nodes and for its own state, in the background: after the first
// connection, when another leader has been found, and now and then. Nothing waits for it and nothing fails by it; what is
// wrong or missing costs a redirect. `askOthers` asks many at once who leads, when the leader has gone silent.
import type { Clock } from '@shanghai/env';
import type { GetStatusResponse } from '@shanghai/proto';
import type { ClusterNode } from './cluster-node.js';
import type { ClusterNodes } from './cluster-nodes.js';
import type { GroupLeader } from './group-leader.js';

/** The group that holds the data; group 0 is the cluster's own. */
const dataGroupId = 1n;

/** What a node is asked may take so long, in milliseconds. */
const askTimeoutMs = 1_000;

/** Learned again after so long at the latest, when there is work, and never sooner than that, in milliseconds. */
const refreshMs = 60_000;
const minIntervalMs = 1_000;

/** Nodes asked at once who leads. */
const maxAsked = 8;

/** What a node believes of the leader. */
interface Belief {
  readonly term: bigint;
  readonly leader: ClusterNode | undefined;
}

/** What discovery needs. */
export interface DiscoveryPorts {
  readonly nodes: ClusterNodes;
  readonly leader: GroupLeader;
  readonly clock: Clock;
  /** Whether the nodes that others list are learned; else only who is behind the endpoints. */
  readonly discover: boolean;
  readonly closing: AbortSignal;
}

/** Keeps what a client knows of its cluster up to date. */
export class Discovery {
  readonly #ports: DiscoveryPorts;
  #busy = false;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(ports: DiscoveryPorts) {
    this.#ports = ports;
  }

  /** Something changed, and this node can be asked about it. */
  refresh(node: ClusterNode): void {
    if (this.#ports.discover) void this.#learn(node, minIntervalMs);
  }

  /** This node just answered: learns from it where that is long ago. */
  answered(node: ClusterNode): void {
    node.succeeded();
    if (this.#ports.discover) void this.#learn(node, refreshMs);
  }

  /** The leader is silent: asks the others, and tells the one that the newest term names, if it is another one. */
  async askOthers(silent: ClusterNode): Promise<void> {
    const { nodes, leader } = this.#ports;
    const others = nodes.all.filter((node) => node !== silent && node.isHealthy).slice(0, maxAsked);
    const beliefs = await Promise.all(others.map((node) => this.#look(node)));
    let newest: Belief | undefined;
    for (const belief of beliefs) {
      if (belief?.leader !== undefined && (newest === undefined || belief.term > newest.term)) newest = belief;
    }
    if (newest?.leader !== undefined && leader.target() === silent) leader.told(newest.leader, true);
  }

  async #learn(node: ClusterNode, intervalMs: number): Promise<void> {
    const nowMs = this.#ports.clock.monotonicMs();
    if (this.#busy || nowMs - this.#lastMs < intervalMs) return;
    this.#busy = true;
    this.#lastMs = nowMs;
    const belief = await this.#look(node);
    this.#busy = false;
    if (belief?.leader !== undefined) this.#ports.leader.told(belief.leader, false);
  }

  /** Asks one node, and keeps what it says of the nodes. `undefined`: it could not be asked. */
  async #look(node: ClusterNode): Promise<Belief | undefined> {
    const { nodes, clock, closing, discover } = this.#ports;
    const controller = new AbortController();
    const timer = clock.setTimer(askTimeoutMs, () => controller.abort());
    const call = { signal: AbortSignal.any([controller.signal, closing]), timeoutMs: askTimeoutMs };
    try {
      const { channel } = node;
      const [list, status] = await Promise.all([
        channel.call('listNodes', {}, call),
        channel.call('getStatus', {}, call),
      ]);
      if (status.node !== undefined && status.node.nodeId > 0n) node.nodeId = Number(status.node.nodeId);
      const listed = list.nodes.map(({ nodeId, grpcAddress }) => ({ nodeId: Number(nodeId), address: grpcAddress }));
      if (discover) nodes.learn(listed);
      return this.#beliefOf(status);
    } catch {
      // Nothing was promised to anybody; whoever needs the node will hear of its failure itself.
      return undefined;
    } finally {
      timer.cancel();
    }
  }

  #beliefOf(status: GetStatusResponse): Belief | undefined {
    const group = status.groups.find(({ groupId }) => groupId === dataGroupId);
    if (group === undefined) return undefined;
    const leader = group.leaderNodeId === 0n ? undefined : this.#ports.nodes.withId(Number(group.leaderNodeId));
    return { term: group.term, leader };
  }
}
