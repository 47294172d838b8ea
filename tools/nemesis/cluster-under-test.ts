/** The nodes of a run, where they are and who leads, and the hands that hurt and heal them. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { DataDisk } from './data-disks.js';
import type { Network } from './network.js';
import { NodeProcess } from './node-process.js';
import { runCommand } from './run-command.js';

const serverMain = fileURLToPath(new URL('../../apps/server/dist/main.js', import.meta.url));
const ctlMain = fileURLToPath(new URL('../../apps/ctl/dist/main.js', import.meta.url));
const dataGroup = 1;

/** Small files, so that a short run sees many of them; and state is made durable often, so that logs are compacted. */
const sizes = ['--wal-segment-bytes', '4MiB', '--store-segment-bytes', '8MiB', '--log-segment-bytes', '4MiB'];
const checkpoints = ['--checkpoint-interval-ms', '3000', '--checkpoint-bytes', '1MiB'];

/** What a cluster is made of. */
export interface ClusterParts {
  readonly directory: string;
  readonly network: Network;
  readonly disks: readonly DataDisk[];
  readonly tickMs: number;
  readonly electionTicks: number;
  /** A node ended that nobody had ended. */
  onEnd(node: NodeProcess, code: number | null, signal: NodeJS.Signals | null): void;
}

/** A row of `shanghaictl replicas`. */
export interface ReplicaRow {
  readonly groupId: number;
  readonly nodeId: number;
  readonly role: string;
  readonly term: number;
  readonly appliedIndex: number;
  readonly checksum?: string;
}

interface GroupStatus {
  readonly id: number;
  readonly role: string;
  readonly term: number;
}

/** See above. */
export class ClusterUnderTest {
  readonly network: Network;
  readonly disks: readonly DataDisk[];
  readonly nodes: readonly NodeProcess[];

  constructor(parts: ClusterParts) {
    const { directory, network, disks } = parts;
    this.network = network;
    this.disks = disks;
    const ids = disks.map((_, i) => i + 1);
    const members = ids.map((id) => `${id}=${network.addressOf(id).host}:${network.addressOf(id).peerPort}`).join(',');
    this.nodes = ids.map((id) => {
      const { host, httpPort, grpcPort, peerPort } = network.addressOf(id);
      const node: NodeProcess = new NodeProcess({
        id,
        network,
        program: [
          ...[process.execPath, serverMain, '--node-id', `${id}`, '--initial-cluster', members, '--insecure'],
          ...['--data-dir', join((disks[id - 1] as DataDisk).path, 'data'), '--host', host, '--banner', 'false'],
          ...['--http-port', `${httpPort}`, '--grpc-port', `${grpcPort}`, '--peer-port', `${peerPort}`],
          ...['--tick-ms', `${parts.tickMs}`, '--election-ticks', `${parts.electionTicks}`, ...sizes, ...checkpoints],
        ],
        logFile: join(directory, `node-${id}.log`),
        clockFile: join(directory, `clock-${id}`),
        onEnd: (code, signal) => parts.onEnd(node, code, signal),
      });
      return node;
    });
  }

  node(id: number): NodeProcess {
    const node = this.nodes[id - 1];
    if (node === undefined) throw new RangeError(`there is no node ${id}`);
    return node;
  }

  disk(id: number): DataDisk {
    const disk = this.disks[id - 1];
    if (disk === undefined) throw new RangeError(`there is no disk ${id}`);
    return disk;
  }

  /** Who says that it leads the keys, in the latest term; asks every node that answers soon. */
  async leader(): Promise<number | undefined> {
    const claims = await Promise.all(
      this.nodes
        .filter(({ isRunning }) => isRunning)
        .map(async ({ id }) => ({ ...(await this.#dataGroupOf(id)), nodeId: id })),
    );
    const leaders = claims.filter(({ role }) => role === 'leader').sort((a, b) => (b.term ?? 0) - (a.term ?? 0));
    return leaders[0]?.nodeId;
  }

  /** Waits until somebody leads. Rejects after `limitMs`. */
  async waitForLeader(limitMs: number): Promise<number> {
    const endMs = performance.now() + limitMs;
    for (;;) {
      const leader = await this.leader();
      if (leader !== undefined) return leader;
      if (performance.now() > endMs) throw new Error(`nobody leads after ${limitMs} ms`);
      await sleep(100);
    }
  }

  /** Every node's copy of every group, with checksums. */
  async replicas(): Promise<readonly ReplicaRow[]> {
    const endpoints = this.nodes.map(({ id }) => this.network.clientAddressOf(id).grpc).join(',');
    const args = ['--endpoint', endpoints, '--timeout-ms', '20000', '-q', 'replicas', '--checksum', '--output', 'json'];
    return JSON.parse(await runCommand(process.execPath, [ctlMain, ...args])) as ReplicaRow[];
  }

  async #dataGroupOf(id: number): Promise<Partial<GroupStatus>> {
    try {
      const { http } = this.network.clientAddressOf(id);
      const answer = await fetch(`http://${http}/api/v1/status`, { signal: AbortSignal.timeout(800) });
      const { data } = (await answer.json()) as { data?: { groups?: readonly GroupStatus[] } };
      return data?.groups?.find((group) => group.id === dataGroup) ?? {};
    } catch {
      return {};
    }
  }
}
