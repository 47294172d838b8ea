/** Several whole nodes in one process: one manual clock, a network in memory, a disk in memory for each, with faults where they are injected. */
import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk, createManualClock, type FaultDisk, type ManualClock } from '@shanghai/env/testing';
import { MemoryPeerNetwork } from '@shanghai/raft/testing';
import type { LeaderCalls } from '../src/forward/leader-calls.js';
import type { AskToJoin } from '../src/members/join-cluster.js';
import type { ShanghaiNode } from '../src/node.js';
import type { NodeOptions } from '../src/node-options.js';
import { openNode } from '../src/open-node.js';
import type { RequestContext } from '../src/requests/request-context.js';
import { ServerError } from '../src/requests/server-error.js';
import { smallOptions } from './core-harness.js';

/** Nodes 1 to n. */
export class TestCluster {
  readonly clock: ManualClock = createManualClock(1_000_000);
  readonly network = new MemoryPeerNetwork({ clock: this.clock });
  readonly disks = new Map<number, FaultDisk>();
  readonly nodes = new Map<number, ShanghaiNode>();
  readonly ids: readonly number[];
  readonly #more: Partial<NodeOptions>;
  #starts = 0;

  constructor(size: number, more: Partial<NodeOptions> = {}) {
    this.ids = Array.from({ length: size }, (_, i) => i + 1);
    this.#more = more;
  }

  get members() {
    return this.ids.map((nodeId) => ({ nodeId, peerAddress: `node-${nodeId}:9190` }));
  }

  /** Starts a node, anew or again. `flags`: whether it is told of the first members. */
  async start(nodeId: number, { flags = true, ...more }: Partial<NodeOptions> & { flags?: boolean } = {}) {
    const disk = this.disks.get(nodeId) ?? createFaultDisk({ seed: nodeId });
    this.disks.set(nodeId, disk);
    const node = await openNode({
      dataDirectory: 'data',
      disk,
      clock: this.clock,
      random: createSeededRandom(100 * nodeId + ++this.#starts),
      transport: this.network.transport(nodeId),
      addresses: { grpc: `node-${nodeId}:9090`, http: `node-${nodeId}:8080` },
      leaderCalls: () => this.#leaderCalls(nodeId),
      ...smallOptions,
      ...(flags ? { nodeId, initialMembers: this.members } : {}),
      ...this.#more,
      ...more,
    });
    this.nodes.set(nodeId, node);
    return node;
  }

  /** A link that is cut carries nothing. */
  #leaderCalls(from: number): LeaderCalls {
    return leaderCallsTo((address) => this.#reach(from, address));
  }

  #reach(from: number, address: string): ShanghaiNode {
    const to = Number(/^node-(\d+):/.exec(address)?.[1]);
    const node = this.nodes.get(to);
    if (node !== undefined && this.network.passes(from, to)) return node;
    throw new ServerError('CLUSTER_ERROR', `node ${to} cannot be reached`);
  }

  /** Starts a new node that joins through another one. */
  async join(nodeId: number, through = 1, more: Partial<NodeOptions> = {}): Promise<ShanghaiNode> {
    const ask: AskToJoin = async (address, request) => {
      const members = this.#reach(nodeId, address).members;
      if (members === undefined) throw new Error('the node has no cluster');
      return members.join(request);
    };
    const join = { addresses: [`node-${through}:9090`], peerAddress: `node-${nodeId}:9190`, ask };
    return this.during(this.start(nodeId, { flags: false, nodeId, join, ...more }));
  }

  /** Starts all nodes and waits until both groups have leaders and the cluster is made. */
  async startAll(): Promise<void> {
    for (const nodeId of this.ids) await this.start(nodeId);
    const knowsAll = (node: ShanghaiNode) => node.status().nodes?.length === this.ids.length;
    const isUp = (nodeId: number) => isReady(this.node(nodeId)) && knowsAll(this.node(nodeId));
    await this.until('every node is ready and knows the others', () => this.ids.every(isUp));
  }

  node(nodeId: number): ShanghaiNode {
    const node = this.nodes.get(nodeId);
    if (node === undefined) throw new Error(`node ${nodeId} is not running`);
    return node;
  }

  /** Closes a node in order. */
  async stop(nodeId: number, drainMs = 1000): Promise<void> {
    const node = this.node(nodeId);
    this.nodes.delete(nodeId);
    await this.during(node.close(drainMs));
  }

  async close(): Promise<void> {
    this.network.heal();
    await this.during(Promise.all([...this.nodes.values()].map((node) => node.close(0).catch(() => undefined))));
  }

  /** The node that leads a group, as it says itself. */
  leader(groupId: number): number | undefined {
    const leaders = [...this.nodes].filter(([, node]) => group(node, groupId).role === 'leader');
    leaders.sort(([, a], [, b]) => group(b, groupId).term - group(a, groupId).term);
    return leaders[0]?.[0];
  }

  /** Lets time pass until it holds, for at most a virtual minute. */
  async until(claim: string, holds: () => boolean): Promise<void> {
    for (let i = 0; i < 1200; i++) {
      if (holds()) return;
      await this.clock.advance(50);
    }
    const seen = [...this.nodes.values()].map((node) => ({ groups: node.status().groups, checks: node.readiness() }));
    throw new Error(`not within a minute: ${claim}; ${JSON.stringify(seen)}`);
  }

  /** Lets time pass while something is awaited. */
  async during<Result>(work: Promise<Result>): Promise<Result> {
    let isOver = false;
    const watched = work.finally(() => {
      isOver = true;
    });
    watched.catch(() => undefined);
    for (let i = 0; i < 2400 && !isOver; i++) await this.clock.advance(25);
    return watched;
  }
}

/** What gRPC does between real nodes, for nodes of one process. */
export function leaderCallsTo(reach: (address: string) => ShanghaiNode): LeaderCalls {
  return {
    openSession: async (leader, ttlMs, context) => reach(leader).keyValue.openSession(ttlMs, once(context)),
    write: async (leader, request, write, context) => reach(leader).keyValue.write(request, write, once(context)),
    createLog: async (leader, name, settings, context) => reach(leader).logs.create(name, settings, once(context)),
    deleteLog: async (leader, name, context) => reach(leader).logs.delete(name, once(context)),
    appendLog: async (leader, request, context) => reach(leader).logs.append(request, once(context)),
    logUpkeep: (leader) => {
      const upkeep = async () => {
        const { logUpkeep } = reach(leader);
        if (logUpkeep === undefined) throw new Error('the node keeps no consumers');
        return logUpkeep;
      };
      return {
        trim: async (request, context) => (await upkeep()).trim(request, once(context)),
        commit: async (request, context) => (await upkeep()).commit(request, once(context)),
        seek: async (request, context) => (await upkeep()).seek(request, once(context)),
        deleteConsumer: async (log, consumer, context) => (await upkeep()).deleteConsumer(log, consumer, once(context)),
      };
    },
    proposeCatalogue: async (leader, change) => {
      const index = reach(leader.grpcAddress).proposeCatalogue?.(change);
      if (index === undefined) throw new Error('the node takes no changes');
      return index;
    },
    advanceTime: async (leader, groupId) => {
      const index = reach(leader).advanceTime?.(groupId);
      if (index === undefined) throw new Error('the node leads nothing for others');
      return index;
    },
    checkMember: async (address, nodeId, instanceId) => {
      const checked = reach(address).members?.check(nodeId, instanceId);
      if (checked === undefined) throw new Error('the node has no cluster');
      return checked;
    },
    close: () => undefined,
  };
}

/** Nothing is passed on a second time. */
function once(context: RequestContext): RequestContext {
  return { ...context, mayForward: false };
}

/** A group as a node sees it. */
export function group(node: ShanghaiNode, groupId: number) {
  const found = node.status().groups.find((one) => one.groupId === groupId);
  if (found === undefined) throw new Error(`there is no group ${groupId}`);
  return found;
}

export function isReady(node: ShanghaiNode): boolean {
  return node.readiness().every(({ ok }) => ok);
}
