/** Three nodes as processes: who they are, who leads, what they hold, and whether they serve. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@shanghai/client/grpc';
import { nodeIds, ThreeNodes } from '../real-data/three-nodes.js';
import type { Target } from './attack.js';

/** See above. */
export class Victims {
  readonly nodes: ThreeNodes;
  readonly #peakBytes = new Map<number, number>();
  readonly #sampling: NodeJS.Timeout;

  private constructor(nodes: ThreeNodes) {
    this.nodes = nodes;
    this.#sampling = setInterval(() => this.#sample(), 100);
  }

  /** Starts three nodes below a directory and waits until they serve. */
  static async start(directory: string): Promise<Victims> {
    const nodes = await ThreeNodes.at(directory);
    await Promise.all(nodeIds.map((id) => nodes.start(id)));
    const victims = new Victims(nodes);
    for (let attempt = 0; attempt < 3; attempt++) if ((await victims.troubles()).length === 0) return victims;
    throw new Error(`the cluster does not begin to serve: ${(await victims.troubles()).join(', ')}`);
  }

  /** All nodes, the leader of the keys first. */
  async targets(): Promise<readonly [Target, ...Target[]]> {
    const leader = (await this.#status(1)).leader || 1;
    const sorted = [...nodeIds].sort((a, b) => Number(b === leader) - Number(a === leader));
    const [first, ...others] = sorted.map((id) => this.#target(id)) as [Target, ...Target[]];
    return [first, ...others];
  }

  /** Terms of the group of keys: how often somebody else was elected. */
  async term(): Promise<number> {
    const terms = await Promise.all(nodeIds.map(async (id) => (await this.#status(id)).term));
    return Math.max(...terms);
  }

  /** What is wrong now, in words: a process that ended, a node that is not ready, a write that does not go through. */
  async troubles(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const id of nodeIds) {
      const code = this.nodes.process(id)?.exitCode;
      if (code !== null) found.push(`node ${id} ended with ${code}`);
      else if (!(await isReady(this.nodes.http(id)))) found.push(`node ${id} is not ready`);
    }
    return found.length > 0 ? found : await this.#tryToWrite();
  }

  /** The most that each node held since the last time, in MiB, in order of their ids. NaN: this system does not say. */
  takePeaks(): readonly number[] {
    this.#sample();
    const peaks = nodeIds.map((id) => Math.round((this.#peakBytes.get(id) ?? Number.NaN) / 1_048_576));
    this.#peakBytes.clear();
    return peaks;
  }

  /** Ends them in order. */
  async stop(): Promise<void> {
    clearInterval(this.#sampling);
    await this.nodes.stop();
  }

  /** A client that was not there before gets in everywhere. */
  async #tryToWrite(): Promise<readonly string[]> {
    const found: string[] = [];
    for (const id of nodeIds) {
      const client = connect({ endpoints: [this.nodes.grpc(id)], timeoutMs: 20_000 });
      try {
        await client.put(`after/${id}`, 'v');
        if ((await client.getText(`after/${id}`)) !== 'v') found.push(`node ${id} does not read what was written`);
      } catch (error) {
        found.push(`node ${id} does not serve: ${(error as Error).message}`);
      } finally {
        await client.close();
      }
    }
    return found;
  }

  async #status(id: number): Promise<{ readonly leader: number; readonly term: number }> {
    const answer = await fetch(`http://${this.nodes.http(id)}/status`, { signal: AbortSignal.timeout(20_000) });
    const { data } = (await answer.json()) as { data: { cluster: { leader: number; term: number } } };
    return data.cluster;
  }

  #target(id: number): Target {
    const file = JSON.parse(readFileSync(`${this.nodes.dataDirectory(id)}/node.json`, 'utf8')) as Target;
    const { clusterId, instanceId } = file;
    const { nodes } = this;
    return { nodeId: id, http: nodes.http(id), grpc: nodes.grpc(id), peer: nodes.peer(id), clusterId, instanceId };
  }

  #sample(): void {
    for (const id of nodeIds) {
      const bytes = residentBytes(this.nodes.process(id)?.pid);
      if (bytes !== undefined) this.#peakBytes.set(id, Math.max(bytes, this.#peakBytes.get(id) ?? 0));
    }
  }
}

async function isReady(http: string): Promise<boolean> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const answer = await fetch(`http://${http}/readyz`, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
    if (answer?.ok === true) return true;
    await sleep(200);
  }
  return false;
}

function residentBytes(pid: number | undefined): number | undefined {
  try {
    const [, pages] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ');
    return Number(pages) * 4_096;
  } catch {
    return undefined;
  }
}
