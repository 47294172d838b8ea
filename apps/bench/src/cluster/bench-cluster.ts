/** A cluster of nodes as users run it, each a process of its own on loopback. */
import { once } from 'node:events';
import { connect } from '@shanghai/client/grpc';
import { freePorts } from '@shanghai/env/testing';
import type { BenchScope } from '../bench-scope.js';
import { type BenchServer, startNode } from '../server/bench-server.js';
import { until } from './until.js';

/** The group that holds the keys. */
const dataGroup = 1;

/** One node of a cluster. */
export type ClusterNode = BenchServer & { readonly nodeId: number };

/** A running cluster. */
export class BenchCluster {
  readonly #scope: BenchScope;
  readonly #name: string;
  readonly #flags: readonly string[];
  readonly #ports: readonly number[];
  readonly #nodes = new Map<number, Awaited<ReturnType<typeof startNode>>>();

  private constructor(scope: BenchScope, name: string, flags: readonly string[], ports: readonly number[]) {
    this.#scope = scope;
    this.#name = name;
    this.#flags = flags;
    this.#ports = ports;
  }

  /** Starts `members` nodes; `flags` go to each. Resolves when the keys have a leader. */
  static async start(
    scope: BenchScope,
    name: string,
    members: number,
    flags: readonly string[] = [],
  ): Promise<BenchCluster> {
    const cluster = new BenchCluster(scope, name, flags, await freePorts(3 * members));
    await Promise.all(cluster.ids.map((id) => cluster.startNode(id)));
    await cluster.leader();
    return cluster;
  }

  get ids(): readonly number[] {
    return Array.from({ length: this.#ports.length / 3 }, (_, i) => i + 1);
  }

  /** `host:port` of every node's gRPC listener, running or not. */
  get endpoints(): readonly string[] {
    return this.ids.map((id) => `127.0.0.1:${this.#portOf(id, 0)}`);
  }

  /** Starts a node, or starts it again on what it holds. */
  async startNode(id: number): Promise<void> {
    const members = this.ids.map((one) => `${one}=127.0.0.1:${this.#portOf(one, 2)}`).join(',');
    const flags = [
      ...['--node-id', String(id), '--initial-cluster', members],
      ...['--grpc-port', String(this.#portOf(id, 0)), '--http-port', String(this.#portOf(id, 1))],
      ...['--peer-port', String(this.#portOf(id, 2)), ...this.#flags],
    ];
    this.#nodes.set(id, await startNode(this.#scope, `${this.#scope.directory}/${this.#name}-${id}`, flags));
  }

  /** Ends a node as a crash would. */
  async kill(id: number): Promise<void> {
    const node = this.#nodes.get(id);
    if (node === undefined) throw new RangeError(`node ${id} does not run`);
    const ended = once(node.child, 'exit');
    node.child.kill('SIGKILL');
    await ended;
    this.#nodes.delete(id);
  }

  /** The node that leads the keys by its own account; waits until there is one. */
  leader(): Promise<ClusterNode> {
    return until(`electing a leader of '${this.#name}'`, 30_000, async () => {
      for (const [nodeId, node] of this.#nodes) if (await leads(node)) return { ...node, nodeId };
      return undefined;
    });
  }

  #portOf(id: number, kind: 0 | 1 | 2): number {
    return this.#ports[(id - 1) * 3 + kind] as number;
  }
}

async function leads({ grpc }: BenchServer): Promise<boolean> {
  const client = connect({ endpoints: [grpc], timeoutMs: 2_000 });
  try {
    const { groups } = await client.status();
    return groups.some(({ groupId, role }) => groupId === dataGroup && role === 'leader');
  } finally {
    await client.close();
  }
}
