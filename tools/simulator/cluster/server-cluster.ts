/** Whole nodes on machines of a virtual world, and real clients that use them all the time. */
import { createClient, type ShanghaiClient } from '@shanghai/client';
import type { ShanghaiNode } from '@shanghai/server/testing';
import { Violation } from '../raft/truth.js';
import { AppendedKeys } from './appended-keys.js';
import type { FaultKind } from './faults.js';
import { Journal } from './journal.js';
import { KeyFamilies, type KeyFamily } from './key-families.js';
import { watchLogTime } from './log-time-watch.js';
import { LatestValues } from './logs/latest-values.js';
import { Ledger } from './logs/ledger.js';
import { WorkQueue } from './logs/work-queue.js';
import { Machine } from './machine.js';
import { MemberChanges } from './member-changes.js';
import { Recorder } from './recorder.js';
import { drawSettings, grpcAddress, openServerProcess, type ServerProcess, type ServerRoom } from './server-process.js';
import { SimulatedClient } from './simulated-client.js';
import { VirtualClientTransport } from './virtual-client-transport.js';
import { VirtualClock } from './virtual-clock.js';
import { VirtualNetwork } from './virtual-network.js';
import { VirtualShipping } from './virtual-shipping.js';
import type { VirtualWorld } from './virtual-world.js';
import { Watcher } from './watcher.js';

/** What a cluster is made of. */
export interface ServerClusterOptions {
  readonly nodes: number;
  readonly operationsPerSecond: number;
  /** Machines for nodes that join on the way, each once. Default 0: the members stay. */
  readonly spares?: number;
  /** Consumers of a log, and one that is compacted, too; files of named logs are small then. Default false. */
  readonly logs?: boolean;
  /** A log that every node writes by itself, too. The members stay. Default false. */
  readonly multiMaster?: boolean;
}

/** Without faults a cluster must have come to itself in this time. */
const recoveryMs = 120_000;
const clients = 4;
/** Sessions are short, so that some expire. */
const sessionTtlMs = 15_000;

/** Machines for nodes that join, where faults change the members. */
export function sparesFor(faults: readonly FaultKind[]): number {
  return faults.includes('configuration') ? 6 : 0;
}

/** One simulated cluster. */
export class ServerCluster {
  readonly world: VirtualWorld;
  readonly network: VirtualNetwork;
  /** Those on which a node was started. */
  readonly machines: Machine<ServerProcess>[];
  readonly clientIds: readonly number[];
  readonly counts = new Map<string, number>();
  readonly #families: KeyFamilies;
  readonly #recorder = new Recorder();
  readonly #appended = new AppendedKeys();
  readonly #clients: readonly SimulatedClient[];
  readonly #journal: Journal;
  readonly #watcher: Watcher;
  /** What keys that only grow hold at the end. */
  readonly #final = new Map<string, string>();
  readonly #ends: Promise<void>[] = [];
  readonly #isOperated: boolean;
  readonly #spares: number[];
  readonly #boot: (id: number) => Machine<ServerProcess>;
  readonly #members: MemberChanges;
  readonly #logWork: readonly (WorkQueue | LatestValues)[];
  readonly #ledger: Ledger | undefined;

  constructor(world: VirtualWorld, options: ServerClusterOptions) {
    this.world = world;
    this.network = new VirtualNetwork(world);
    const nodeIds = Array.from({ length: options.nodes }, (_, i) => i + 1);
    const drawn = drawSettings(world.randomFor('settings'));
    const settings = options.logs === true ? { ...drawn, logSegmentBytes: 65_536 } : drawn;
    const find = (address: string) => this.#find(address);
    this.#isOperated = (options.spares ?? 0) > 0;
    this.#spares = Array.from({ length: options.spares ?? 0 }, (_, i) => options.nodes + 1 + i);
    const isMultiMaster = options.multiMaster === true;
    const room: ServerRoom = {
      ...(isMultiMaster ? { shipping: new VirtualShipping(world, this.network, nodeIds) } : {}),
      world,
      network: this.network,
      nodeIds,
      settings,
      find,
      count: (what) => this.count(what),
      contacts: () => this.#inUse().map(({ id }) => grpcAddress(id)),
    };
    const machineRoom = { world, network: this.network, directory: new Map() };
    this.#boot = (id) => new Machine(id, machineRoom, (place) => openServerProcess(place, room));
    this.machines = nodeIds.map(this.#boot);
    this.#families = new KeyFamilies(world.randomFor('families'));
    this.clientIds = Array.from({ length: clients }, (_, i) => 101 + i);
    // Clients are told of nodes that may come: all they knew may be gone one day.
    const known = [...nodeIds, ...this.#spares];
    this.#clients = this.clientIds.map((id) => this.#makeClient(id, known, options));
    const { client } = this.#clients[1] as SimulatedClient;
    const clock = new VirtualClock(world.queue, { rate: 1, wallOffsetMs: 0 });
    this.#journal = new Journal({
      world,
      random: world.randomFor('journal'),
      clock,
      clients: this.#clients.map((one) => one.client),
      meanPauseMs: 20_000 / options.operationsPerSecond,
      count: (what) => this.count(what),
    });
    this.#ledger = isMultiMaster ? this.#makeLedger(nodeIds, options) : undefined;
    this.#logWork = options.logs === true ? this.#makeLogWork(options) : [];
    this.#members = new MemberChanges({
      world,
      random: world.randomFor('members'),
      nodes: () => this.#inUse().map(({ id, process }) => ({ id, node: process?.node })),
      begin: () => this.#begin(),
      count: (what) => this.count(what),
    });
    this.#watcher = new Watcher({ world, client, clock, prefix: 'appended/', count: (what) => this.count(what) });
  }

  #makeLogWork({ operationsPerSecond }: ServerClusterOptions): readonly (WorkQueue | LatestValues)[] {
    const { world } = this;
    const parts = {
      world,
      clock: new VirtualClock(world.queue, { rate: 1, wallOffsetMs: 0 }),
      clients: this.#clients.map(({ client }) => client),
      count: (what: string) => this.count(what),
    };
    return [
      new WorkQueue({ ...parts, random: world.randomFor('work'), meanPauseMs: 8_000 / operationsPerSecond }),
      new LatestValues({ ...parts, random: world.randomFor('latest'), meanPauseMs: 4_000 / operationsPerSecond }),
    ];
  }

  #makeLedger(nodeIds: readonly number[], { operationsPerSecond }: ServerClusterOptions): Ledger {
    const { world } = this;
    const clock = new VirtualClock(world.queue, { rate: 1, wallOffsetMs: 0 });
    return new Ledger({
      seed: world.randomFor('ledger').uint32(),
      clients: new Map(nodeIds.map((id) => [id, this.#clientOf(id, clock)])),
      writers: nodeIds,
      meanPauseMs: (1000 * 2 * nodeIds.length) / operationsPerSecond,
      clock,
      count: (what) => this.count(what),
      defect: (error) => world.fail(error),
    });
  }

  /** A client that knows one node alone, and stands beside the first client of all. */
  #clientOf(nodeId: number, clock: VirtualClock): ShanghaiClient {
    const { world, network } = this;
    const random = world.randomFor(`ledger client ${nodeId}`);
    const id = this.clientIds[(nodeId - 1) % this.clientIds.length] as number;
    const client = { id, clock, isAlive: () => true };
    const find = (endpoint: string) => this.#find(endpoint);
    return createClient(new VirtualClientTransport({ world, network, random, client, find }), {
      endpoints: [grpcAddress(nodeId)],
      discover: false,
      sessions: false,
      timeoutMs: 4000,
      clock,
      random,
    });
  }

  get acknowledged(): number {
    return this.#clients.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  }

  start(): void {
    for (const machine of this.machines) machine.start();
    watchLogTime(this.world, this.machines);
    for (const client of this.#clients) {
      const end = client.run();
      end.catch((error: unknown) => this.world.fail(error));
      this.#ends.push(end);
    }
    const journal = this.#journal.run();
    this.#ends.push(journal);
    if (this.#ledger !== undefined) this.#startLedger(this.#ledger);
    const logWork = this.#logWork.map((work) => work.run());
    this.#ends.push(...logWork);
    for (const work of [journal, this.#journal.follow(), this.#watcher.run(), ...logWork]) {
      work.catch((error: unknown) => this.world.fail(error));
    }
  }

  #startLedger(ledger: Ledger): void {
    const work = ledger.create().then(async () => {
      await Promise.all(ledger.run());
    });
    work.catch((error: unknown) => this.world.fail(error));
    this.#ends.push(work);
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  leaders(): readonly number[] {
    const isLeading = ({ process }: Machine<ServerProcess>) =>
      process?.node.status().groups.some(({ role }) => role === 'leader') === true;
    return this.machines.filter(isLeading).map(({ id }) => id);
  }

  /** Nodes hand over when they close: this one closes as a server does, and is started again. */
  transfer(to: number): void {
    const machine = this.machines[to - 1];
    const { process } = machine ?? {};
    if (machine === undefined || process === undefined) return;
    this.count('closes');
    // It goes, however that ended, as the program does.
    const go = () => void (process.isAlive() && machine.shutDown());
    process.node.close(1000).then(go, (error: Error) => {
      if (process.isAlive()) this.world.trace(() => `${to} closed badly: ${error.message}`);
      go();
    });
  }

  compact(nodeId: number): void {
    this.machines[nodeId - 1]?.process?.node.checkpoint().catch(() => {});
  }

  reconfigure(): void {
    if (this.#isOperated) this.#members.wish();
  }

  /** Starts a node on a machine that was not used yet. */
  #begin(): boolean {
    const id = this.#spares.shift();
    if (id === undefined) return false;
    const machine = this.#boot(id);
    this.machines.push(machine);
    machine.start();
    return true;
  }

  #inUse(): readonly Machine<ServerProcess>[] {
    return this.machines.filter(({ isOut }) => !isOut);
  }

  async recover(): Promise<void> {
    const { world } = this;
    const endMs = world.nowMs + recoveryMs;
    for (const client of this.#clients) {
      while (!(await world.runThrough('a write', client.writeSomething(), 60_000))) {
        if (world.nowMs > endMs) throw new Violation(`liveness: no write is acknowledged after ${recoveryMs} ms`);
      }
      client.stop();
    }
    this.#journal.stop();
    for (const work of this.#logWork) work.stop();
    this.#ledger?.stop();
    await world.runThrough('the clients', Promise.all(this.#ends), recoveryMs);
    const reader = this.#clients[0] as SimulatedClient;
    for (const family of this.#families.all) await this.#lookAtEnd(reader, family);
    await world.runThrough('reading the journal', this.#journal.check(), recoveryMs);
    for (const work of this.#logWork) await world.runThrough('reading the logs', work.check(), recoveryMs);
    await this.#watchToEnd(endMs + recoveryMs);
    if (this.#ledger !== undefined) await this.#checkLedger(this.#ledger);
    this.#recorder.check();
    this.counts.set('operations', this.#recorder.operations);
    this.counts.set('families undecided', this.#recorder.undecided);
    await this.#agree(endMs + recoveryMs);
  }

  /** What every node wrote is the same on all, each entry once and where it was said to be. */
  async #checkLedger(ledger: Ledger): Promise<void> {
    const { world } = this;
    const endMs = world.nowMs + recoveryMs;
    const ids = this.machines.map(({ id }) => id);
    const checked = ledger.check(ids, new Set(), () => world.nowMs > endMs);
    const said = await world.runThrough('reading the ledger', checked, 2 * recoveryMs);
    world.trace(() => `ledger: ${said}`);
    ledger.close();
  }

  async #lookAtEnd(reader: SimulatedClient, family: KeyFamily): Promise<void> {
    const values = await this.world.runThrough(`reading ${family.name}`, reader.readAtEnd(family), recoveryMs);
    if (family.kind !== 'appended') return;
    const key = family.keys[0] as string;
    this.#appended.check(key, values[0] ?? '');
    this.#final.set(key, values[0] ?? '');
  }

  /** Whoever watches has been told of everything. */
  async #watchToEnd(endMs: number): Promise<void> {
    const { values } = this.#watcher;
    for (;;) {
      const behind = [...values].filter(([key, value]) => this.#final.get(key) !== value);
      if (behind.length === 0) break;
      if (this.world.nowMs > endMs) throw new Violation(`watch: it ends with ${behind[0]?.join(' = ')}`);
      await this.world.runUntil(this.world.nowMs + 200);
    }
    this.#watcher.stop();
  }

  /** All copies of every group come to the same entry, and are the same there. */
  async #agree(endMs: number): Promise<void> {
    const { world } = this;
    for (;;) {
      const nodes = this.machines.flatMap(({ process }) => process?.node ?? []);
      const sums = await world.runThrough('checksums', Promise.all(nodes.map(checksumsOf)), 60_000);
      const copies = sums.flatMap((sum) => sum ?? []);
      const byPlace = new Map<string, string>();
      for (const { groupId, appliedIndex, checksum } of copies) {
        const place = `group ${groupId} at ${appliedIndex}`;
        const known = byPlace.get(place);
        if (known !== undefined && known !== checksum) throw new Violation(`agreement: copies of ${place} differ`);
        byPlace.set(place, checksum);
      }
      const groups = new Set(copies.map(({ groupId }) => groupId)).size;
      const isWhole = !sums.includes(undefined) && nodes.length === this.#inUse().length;
      if (isWhole && byPlace.size === groups) return;
      if (world.nowMs > endMs) throw new Violation(`agreement: copies stay apart: ${[...byPlace.keys()].join(', ')}`);
      await world.runUntil(world.nowMs + 200);
    }
  }

  #find(address: string): { nodeId: number; process: ServerProcess | undefined } {
    const machine = this.machines.find(({ id }) => grpcAddress(id) === address);
    const spare = this.#spares.find((id) => grpcAddress(id) === address);
    if (machine === undefined && spare !== undefined) return { nodeId: spare, process: undefined };
    if (machine === undefined) throw new Violation(`somebody was sent to '${address}', which is no node`);
    return { nodeId: machine.id, process: machine.process };
  }

  #makeClient(id: number, nodeIds: readonly number[], { operationsPerSecond }: ServerClusterOptions): SimulatedClient {
    const { world, network } = this;
    const clock = new VirtualClock(world.queue, { rate: 1, wallOffsetMs: 0 });
    const random = world.randomFor(`client ${id}`);
    const client = { id, clock, isAlive: () => true };
    const find = (endpoint: string) => this.#find(endpoint);
    const endpoints = nodeIds.map(grpcAddress);
    // Everybody begins elsewhere.
    const first = id % endpoints.length;
    const store = createClient(new VirtualClientTransport({ world, network, random, client, find }), {
      endpoints: [...endpoints.slice(first), ...endpoints.slice(0, first)],
      clock,
      random,
      sessions: id % 4 !== 0,
      sessionTtlMs,
      timeoutMs: 8000,
    });
    return new SimulatedClient({
      id,
      world,
      clock,
      random,
      store,
      families: this.#families,
      recorder: this.#recorder,
      appended: this.#appended,
      meanPauseMs: (1000 * 3 * clients) / operationsPerSecond,
      longPauseMs: 2 * sessionTtlMs,
      count: (what) => this.count(what),
    });
  }
}

/** Of a node's groups; `undefined`: it is closing, as it was asked to, and will be there again. */
function checksumsOf(node: ShanghaiNode): Promise<Awaited<ReturnType<ShanghaiNode['checksums']>> | undefined> {
  return node.checksums().catch((error: Error & { code?: string }) => {
    if (error.code === 'CLOSED') return undefined;
    throw error;
  });
}
