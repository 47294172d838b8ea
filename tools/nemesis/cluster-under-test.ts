/** The nodes of a run: where they are, who belongs to the cluster and who leads. */
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
  /** One for each place; the first `nodes` make the cluster, the others are for nodes that join later. */
  readonly disks: readonly DataDisk[];
  readonly nodes: number;
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

/** A row of `shanghaictl node list`. */
export interface MemberRow {
  readonly nodeId: number;
  readonly membership: 'joining' | 'member' | 'leaving';
}

interface GroupStatus {
  readonly id: number;
  readonly role: string;
  readonly term: number;
}

/** See above. A node has the id of its place. */
export class ClusterUnderTest {
  readonly network: Network;
  readonly disks: readonly DataDisk[];
  /** Of all places; those that nobody needs do not run. */
  readonly nodes: readonly NodeProcess[];
  /** Who belongs to the cluster, as far as is known here. */
  readonly members: number[];
  /** Nodes that were told to leave, or to make room: they may end by themselves. */
  readonly leaving = new Set<number>();
  #nextPlace: number;

  constructor(parts: ClusterParts) {
    const { network, disks, nodes } = parts;
    this.network = network;
    this.disks = disks;
    const ids = disks.map((_, i) => i + 1);
    this.members = ids.slice(0, nodes);
    this.#nextPlace = nodes + 1;
    this.nodes = ids.map((id) => this.#makeNode(id, parts));
  }

  /** A place that no node was ever at. */
  takePlace(): number | undefined {
    return this.#nextPlace > this.nodes.length ? undefined : this.#nextPlace++;
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

  /** Who says that it leads the keys, in the latest term. */
  async leader(): Promise<number | undefined> {
    return (await this.look()).leader;
  }

  /** Asks every node that answers soon: which do, and which of them leads the keys in the latest term. */
  async look(): Promise<{ readonly leader: number | undefined; readonly answering: readonly number[] }> {
    const asked = this.nodes
      .filter(({ isRunning }) => isRunning)
      .map(async ({ id }) => ({ ...(await this.#dataGroupOf(id)), nodeId: id }));
    const answers = (await Promise.all(asked)).filter(({ role }) => role !== undefined);
    const leaders = answers.filter(({ role }) => role === 'leader').sort((a, b) => (b.term ?? 0) - (a.term ?? 0));
    return { leader: leaders[0]?.nodeId, answering: answers.map(({ nodeId }) => nodeId) };
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
    const rows = JSON.parse(await this.ctl(['replicas', '--checksum', '--output', 'json'])) as Partial<ReplicaRow>[];
    // Rows of streams that every node writes have no group.
    return rows.filter((row): row is ReplicaRow => row.groupId !== undefined);
  }

  /** The node table. */
  async table(): Promise<readonly MemberRow[]> {
    return JSON.parse(await this.ctl(['node', 'list', '--output', 'json'])) as MemberRow[];
  }

  /** Runs `shanghaictl` against all members, and gives what it prints. Rejects with what it complains of. */
  async ctl(args: readonly string[]): Promise<string> {
    const endpoints = this.members.map((id) => this.network.clientAddressOf(id).grpc).join(',');
    const flags = ['--endpoint', endpoints, '--timeout-ms', '20000', '--quiet', '--yes'];
    return await runCommand(process.execPath, [ctlMain, ...flags, ...args]);
  }

  #makeNode(id: number, { directory, network, nodes, disks, tickMs, electionTicks, onEnd }: ClusterParts): NodeProcess {
    const { host, httpPort, grpcPort, peerPort } = network.addressOf(id);
    const first = Array.from({ length: nodes }, (_, i) => ({ id: i + 1, ...network.addressOf(i + 1) }));
    const membership =
      id <= nodes
        ? ['--initial-cluster', first.map((one) => `${one.id}=${one.host}:${one.peerPort}`).join(',')]
        : ['--join', first.map((one) => `${one.host}:${one.grpcPort}`).join(',')];
    const node: NodeProcess = new NodeProcess({
      id,
      network,
      program: [
        ...[process.execPath, serverMain, '--node-id', `${id}`, ...membership, '--insecure'],
        ...['--data-dir', join((disks[id - 1] as DataDisk).path, 'data'), '--host', host, '--banner', 'false'],
        ...['--http-port', `${httpPort}`, '--grpc-port', `${grpcPort}`, '--peer-port', `${peerPort}`],
        ...['--tick-ms', `${tickMs}`, '--election-ticks', `${electionTicks}`, ...sizes, ...checkpoints],
      ],
      logFile: join(directory, `node-${id}.log`),
      clockFile: join(directory, `clock-${id}`),
      onEnd: (code, signal) => onEnd(node, code, signal),
    });
    return node;
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
