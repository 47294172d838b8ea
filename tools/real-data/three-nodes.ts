/** A cluster of three processes with fixed ports, so that one that was killed comes back where the others look for it. */
import { join } from 'node:path';
import { freePorts } from '@shanghai/env/testing';
import { type RunningNode, startNode } from './processes.js';

/** Ids of the nodes. */
export const nodeIds = [1, 2, 3] as const;

/** See above. Data lies in `node-<id>` of a directory. */
export class ThreeNodes {
  readonly #directory: string;
  readonly #ports: readonly number[];
  readonly #nodes = new Map<number, RunningNode>();

  private constructor(directory: string, ports: readonly number[]) {
    this.#directory = directory;
    this.#ports = ports;
  }

  /** Takes free ports; starts nothing. */
  static async at(directory: string): Promise<ThreeNodes> {
    return new ThreeNodes(directory, await freePorts(9));
  }

  /** All gRPC addresses, as `--endpoint` takes them. */
  get endpoints(): string {
    return nodeIds.map((id) => this.grpc(id)).join(',');
  }

  /** Resolves when it listens. */
  async start(id: number, flags: readonly string[] = []): Promise<void> {
    this.#nodes.set(id, await startNode(this.dataDirectory(id), [...this.flags(id), ...flags]));
  }

  /** What a node is started with, beside its data directory. */
  flags(id: number): readonly string[] {
    const members = nodeIds.map((one) => `${one}=${this.peer(one)}`).join(',');
    return [
      ...['--node-id', String(id), '--initial-cluster', members],
      ...['--grpc-port', String(this.#port(id, 0)), '--http-port', String(this.#port(id, 1))],
      ...['--peer-port', String(this.#port(id, 2))],
    ];
  }

  async kill(id: number): Promise<void> {
    await this.#nodes.get(id)?.kill();
    this.#nodes.delete(id);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#nodes.values()].map((node) => node.stop()));
  }

  dataDirectory(id: number): string {
    return join(this.#directory, `node-${id}`);
  }

  /** The process of a node that was started. */
  process(id: number): RunningNode['process'] | undefined {
    return this.#nodes.get(id)?.process;
  }

  grpc(id: number): string {
    return `127.0.0.1:${this.#port(id, 0)}`;
  }

  http(id: number): string {
    return `127.0.0.1:${this.#port(id, 1)}`;
  }

  peer(id: number): string {
    return `127.0.0.1:${this.#port(id, 2)}`;
  }

  #port(id: number, kind: number): number {
    return this.#ports[(id - 1) * 3 + kind] as number;
  }
}
