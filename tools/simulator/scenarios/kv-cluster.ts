/** A cluster of whole nodes for one scenario: the simulator's world, with faults that are asked for by name. */
import type { Random } from '@shanghai/env';
import { Machine } from '../cluster/machine.js';
import { Recorder } from '../cluster/recorder.js';
import { isOfTheDead } from '../cluster/run-cluster-simulation.js';
import { grpcAddress, openServerProcess, type ServerProcess, type ServerRoom } from '../cluster/server-process.js';
import { VirtualClientTransport } from '../cluster/virtual-client-transport.js';
import { VirtualClock } from '../cluster/virtual-clock.js';
import { calmNetwork, type NetworkConditions, VirtualNetwork } from '../cluster/virtual-network.js';
import { VirtualWorld } from '../cluster/virtual-world.js';
import { Violation } from '../raft/truth.js';
import { KvClerk } from './kv-clerk.js';

/** What a cluster is made of. */
export interface KvClusterOptions {
  readonly seed: number;
  readonly nodes: number;
  /** Whether frames between nodes are lost, doubled, late and out of order, and connections of clerks break, all the time. Default false. */
  readonly isUnreliable?: boolean;
  /** Logs are cut when more than so many bytes of them could go, and the state is made durable as often. Default: they are kept. */
  readonly cutBytes?: number;
  /** What a node's program supports, when it starts. Default: what this one does. */
  readonly versionsOf?: NonNullable<ServerRoom['versionsOf']>;
  readonly onTrace?: ((line: string) => void) | undefined;
}

/** Within this time somebody leads who can. */
export const electionMs = 1000;
/** The first clerk's place. */
export const firstClerk = 101;
const patienceMs = 60_000;
const dataGroup = 1;
/** Between breaks of connections, on the average, where the network is unreliable. */
const breakMs = 50;
/** Syncs take so long that there is always something that the power takes. */
const slowSyncMs = 20;

const unreliable: NetworkConditions = {
  ...calmNetwork,
  lostShare: 0.1,
  doubledShare: 0.05,
  maxDelayMs: 27,
  slowShare: 0.01,
  isOrdered: false,
  breakShare: 0.02,
};

/** See above. Nodes are 1 to n. */
export class KvCluster {
  readonly world: VirtualWorld;
  readonly network: VirtualNetwork;
  readonly machines: readonly Machine<ServerProcess>[];
  readonly nodeIds: readonly number[];
  readonly counts = new Map<string, number>();
  /** Sizes of the data's snapshots that arrived. */
  readonly snapshotBytes: number[] = [];
  readonly random: Random;
  readonly #recorder = new Recorder();
  #clerks = 0;

  constructor({ seed, nodes, isUnreliable = false, cutBytes, versionsOf, onTrace }: KvClusterOptions) {
    this.world = new VirtualWorld({ seed, onTrace });
    this.random = this.world.randomFor('scenario');
    this.network = new VirtualNetwork(this.world);
    if (isUnreliable) this.network.conditions = unreliable;
    this.nodeIds = Array.from({ length: nodes }, (_, i) => i + 1);
    const cut = cutBytes === undefined ? {} : { compactBytes: cutBytes, trailingEntries: 0, trailingBytes: 0 };
    const room: ServerRoom = {
      world: this.world,
      network: this.network,
      nodeIds: this.nodeIds,
      settings: {
        checkpointIntervalMs: 30_000,
        ...(cutBytes === undefined ? {} : { checkpointBytes: cutBytes }),
        walSegmentBytes: 65_536,
        storeSegmentBytes: 4096,
        raft: { tickMs: 50, electionTicks: 6, ...cut },
      },
      ...(versionsOf === undefined ? {} : { versionsOf }),
      find: (address) => this.#find(address),
      count: (what) => this.#count(what),
      onSnapshot: ({ groupId, bytes }) => groupId === dataGroup && this.snapshotBytes.push(bytes),
    };
    const machineRoom = { world: this.world, network: this.network, directory: new Map() };
    this.machines = this.nodeIds.map((id) => new Machine(id, machineRoom, (place) => openServerProcess(place, room)));
    if (isUnreliable) this.#breakConnections();
  }

  /** Runs a scenario on this cluster: whatever goes wrong in a node meanwhile is its failure, too. */
  async run(scenario: () => Promise<void>): Promise<void> {
    const onRejection = (reason: unknown) => {
      if (!isOfTheDead(reason)) this.world.fail(reason);
    };
    process.on('unhandledRejection', onRejection);
    try {
      for (const machine of this.machines) machine.start();
      await this.until('every node is ready', () => this.machines.every((machine) => isReady(machine)));
      await scenario();
    } finally {
      process.off('unhandledRejection', onRejection);
    }
  }

  /** Somebody new who uses it. Places of clerks, for partitions, are their ids. `hasSession`: whether writes are numbered. */
  clerk({ hasSession = true } = {}): KvClerk {
    const { world, network } = this;
    const id = firstClerk + this.#clerks++;
    const clock = new VirtualClock(world.queue, { rate: 1, wallOffsetMs: 0 });
    const random = world.randomFor(`clerk ${id}`);
    const client = { id, clock, isAlive: () => true };
    const find = (address: string) => this.#find(address);
    const transport = new VirtualClientTransport({ world, network, random, client, find });
    return new KvClerk({
      id,
      clock,
      random,
      transport,
      endpoints: this.nodeIds.map(grpcAddress),
      recorder: this.#recorder,
      hasSession,
    });
  }

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    await this.world.runUntil(this.world.nowMs + ms);
  }

  /** Lets time pass until something has ended. */
  through<T>(what: string, work: Promise<T>, limitMs = patienceMs): Promise<T> {
    return this.world.runThrough(what, work, limitMs);
  }

  /** Lets time pass until something holds. */
  async until(claim: string, holds: () => boolean): Promise<void> {
    const endMs = this.world.nowMs + patienceMs;
    while (!holds()) {
      if (this.world.nowMs > endMs) throw new Violation(`not within ${patienceMs} ms: ${claim}; ${this.#places()}`);
      await this.pass(20);
    }
  }

  /** Nothing passes between the sides, from here on. Who is named on no side is cut off from nobody. */
  partition(...sides: readonly (readonly number[])[]): void {
    this.#count('partitions');
    this.network.heal();
    this.world.trace(() => `partition: ${sides.map((side) => side.join(',')).join(' | ')}`);
    for (const side of sides) {
      for (const other of sides) {
        if (side !== other) for (const from of side) for (const to of other) this.network.cut(from, to);
      }
    }
  }

  heal(): void {
    this.world.trace(() => 'no partition');
    this.network.heal();
  }

  /** From here on disks are slow. */
  slowDisks(): void {
    for (const { disk } of this.machines) disk.conditions = { ...disk.conditions, maxSyncMs: slowSyncMs };
  }

  /** The power fails for all nodes at this very moment: what was not synced is gone. */
  failPower(): void {
    for (const machine of this.machines) machine.crash('none');
  }

  /** … and comes back. */
  restorePower(): void {
    this.heal();
    for (const machine of this.machines) machine.start();
  }

  /** The node that leads the data in the newest term. */
  leader(): number {
    const running = this.machines.filter(({ process }) => process !== undefined);
    const leaders = running.filter(({ id }) => this.dataAt(id).role === 'leader');
    leaders.sort((a, b) => this.dataAt(b.id).term - this.dataAt(a.id).term);
    if (leaders[0] === undefined) throw new Violation('nobody leads');
    return leaders[0].id;
  }

  /** The data as a node has it that runs. */
  dataAt(nodeId: number) {
    const { process } = this.machines[nodeId - 1] as Machine<ServerProcess>;
    const group = process?.node.status().groups.find(({ groupId }) => groupId === dataGroup);
    if (group === undefined) throw new Violation(`node ${nodeId} does not run`);
    return group;
  }

  /** The longest log of any group on any node, in bytes of its entries. */
  logBytes(): number {
    const groups = this.machines.flatMap(({ process }) => process?.node.status().groups ?? []);
    return Math.max(...groups.map(({ consensus }) => consensus?.logBytes ?? 0));
  }

  /** The largest write-ahead log on any disk. */
  walBytes(): number {
    return Math.max(...this.machines.map(({ process }) => process?.node.status().wal.bytes ?? 0));
  }

  /** Throws unless all copies of every group come to one entry, and are the same there; resolves to how many were compared. */
  async checkAgreement(): Promise<number> {
    const endMs = this.world.nowMs + patienceMs;
    for (;;) {
      const nodes = this.machines.flatMap(({ process }) => process?.node ?? []);
      const sums = (await this.through('checksums', Promise.all(nodes.map((node) => node.checksums())))).flat();
      const places = new Set(sums.map(({ groupId, appliedIndex }) => `group ${groupId} at ${appliedIndex}`));
      const states = new Set(
        sums.map(({ groupId, appliedIndex, checksum }) => `${groupId} ${appliedIndex} ${checksum}`),
      );
      if (states.size > places.size) throw new Violation(`copies differ: ${[...states].join('; ')}`);
      const groups = new Set(sums.map(({ groupId }) => groupId)).size;
      if (nodes.length === this.machines.length && places.size === groups) return sums.length;
      if (this.world.nowMs > endMs) throw new Violation(`copies stay apart: ${[...places].join(', ')}`);
      await this.pass(100);
    }
  }

  /** Throws unless one store that does one thing at a time could have given every answer. Returns how many there were. */
  checkHistory(): number {
    this.#recorder.check();
    if (this.#recorder.undecided > 0) throw new Violation(`${this.#recorder.undecided} histories were not decided`);
    return this.#recorder.operations;
  }

  count(what: string): number {
    return this.counts.get(what) ?? 0;
  }

  /** Breaks the connections of one clerk after the other: requests are done and their answers lost. */
  #breakConnections(): void {
    this.world.queue.after(this.random.float() * 2 * breakMs, () => {
      if (this.#clerks > 0) {
        const id = firstClerk + this.random.below(this.#clerks);
        for (const nodeId of this.nodeIds) this.network.break(id, nodeId);
      }
      this.#breakConnections();
    });
  }

  #count(what: string): void {
    this.counts.set(what, this.count(what) + 1);
  }

  #find(address: string): { nodeId: number; process: ServerProcess | undefined } {
    const machine = this.machines.find(({ id }) => grpcAddress(id) === address);
    if (machine === undefined) throw new Violation(`somebody was sent to '${address}', which is no node`);
    return { nodeId: machine.id, process: machine.process };
  }

  #places(): string {
    return JSON.stringify(
      this.machines.map(({ process }) => [process?.node.status().groups, process?.node.readiness()]),
    );
  }
}

function isReady({ process }: Machine<ServerProcess>): boolean {
  return process?.node.readiness().every(({ ok }) => ok) === true;
}
