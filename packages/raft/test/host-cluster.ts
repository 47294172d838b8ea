/** Hosts in one process on a manual clock, a network and logs in memory: what the tests of hosts stand on. */
import { createSeededRandom } from '@shanghai/env';
import { createManualClock } from '@shanghai/env/testing';
import type { ConfState } from '../src/core/configuration/configuration.js';
import type { HostListener } from '../src/host/host-listener.js';
import type { HostLimits } from '../src/host/host-options.js';
import { openRaftHost } from '../src/host/open-raft-host.js';
import type { RaftGroup } from '../src/host/raft-group.js';
import type { RaftHost } from '../src/host/raft-host.js';
import type { StateMachine } from '../src/ports/state-machine.js';
import { MemoryHostLog } from '../src/testing/memory-host-log.js';
import { MemoryPeerNetwork } from '../src/testing/memory-peer-network.js';
import { MemoryStateMachine } from '../src/testing/memory-state-machine.js';

/** What a cluster is made of. */
export interface ClusterOptions {
  /** Ids from 1. Default 3. */
  readonly nodes?: number;
  /** Ids of the first voters. Default: all. */
  readonly voters?: readonly number[];
  readonly limits?: Partial<HostLimits>;
  readonly seed?: number;
  readonly groups?: readonly number[];
  readonly beginsTogether?: boolean;
  readonly listener?: (nodeId: number) => HostListener;
  /** Default: `MemoryStateMachine`. */
  readonly machine?: (nodeId: number, groupId: number) => StateMachine<number>;
}

/** One node. What is in memory and what is on its disk are apart, so that it can be crashed. */
export interface ClusterNode {
  readonly id: number;
  readonly log: MemoryHostLog;
  readonly machines: Map<number, StateMachine<number>>;
  readonly fatal: Error[];
  host: RaftHost;
  isUp: boolean;
}

export class HostCluster {
  readonly clock = createManualClock();
  readonly network = new MemoryPeerNetwork({ clock: this.clock });
  readonly nodes = new Map<number, ClusterNode>();
  readonly #options: ClusterOptions;
  readonly #seed: number;
  #starts = 0;

  private constructor(options: ClusterOptions) {
    this.#options = options;
    this.#seed = options.seed ?? 7;
  }

  static async open(options: ClusterOptions = {}): Promise<HostCluster> {
    const cluster = new HostCluster(options);
    for (let id = 1; id <= (options.nodes ?? 3); id++) await cluster.startNode(id);
    return cluster;
  }

  get initial(): ConfState {
    const ids = Array.from({ length: this.#options.nodes ?? 3 }, (_, i) => i + 1);
    const voters = this.#options.voters ?? ids;
    return { voters, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  }

  /** Starts a node; anew where it was there: then with its log, and with its state machines where they are durable. */
  async startNode(id: number, keepsState = true): Promise<ClusterNode> {
    const { limits, listener, groups } = this.#options;
    const before = this.nodes.get(id);
    const log = before?.log ?? new MemoryHostLog(this.clock);
    const fatal: Error[] = [];
    const host = await openRaftHost({
      nodeId: id,
      log,
      transport: this.network.transport(id),
      clock: this.clock,
      random: createSeededRandom(this.#seed * 100 + id + this.#starts++ * 1000),
      ...(limits && { limits }),
      ...(listener && { listener: listener(id) }),
      onFatal: (error) => fatal.push(error),
    });
    const machines = keepsState ? (before?.machines ?? new Map()) : new Map();
    const node: ClusterNode = { id, log, machines, fatal, host, isUp: true };
    this.nodes.set(id, node);
    const opening = (groups ?? [1]).map((groupId) => this.#open(id, groupId));
    await this.settle();
    await Promise.all(opening);
    return node;
  }

  /** Opens a group on a node; a first member knows who the others are. */
  async openGroup(id: number, groupId: number): Promise<RaftGroup<number>> {
    const opening = this.#open(id, groupId);
    await this.settle();
    return opening;
  }

  #open(id: number, groupId: number): Promise<RaftGroup<number>> {
    const node = this.node(id);
    const made = node.machines.get(groupId) ?? this.#options.machine?.(id, groupId) ?? new MemoryStateMachine();
    node.machines.set(groupId, made);
    const { beginsTogether = false } = this.#options;
    const isFirst = this.initial.voters.includes(id);
    return node.host.openGroup({ groupId, machine: made, beginsTogether, ...(isFirst && { initial: this.initial }) });
  }

  /** The disk of a node that is down is empty again. */
  wipe(id: number): void {
    this.nodes.delete(id);
  }

  /** The process of a node is gone, with all that was not synced. */
  async crash(id: number): Promise<void> {
    const node = this.node(id);
    node.isUp = false;
    node.log.crash();
    // Nothing it still does reaches anybody: its transport is gone, and its log is not its own any more.
    node.log.stall();
    await this.network.detachNode(id);
    void node.host.close(0);
    node.log.crash();
    node.log.resume();
    await this.settle();
  }

  node(id: number): ClusterNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new RangeError(`there is no node ${id}`);
    return node;
  }

  group(id: number, groupId = 1): RaftGroup<number> {
    const group = this.node(id).host.group(groupId);
    if (group === undefined) throw new RangeError(`group ${groupId} is not open on node ${id}`);
    return group as RaftGroup<number>;
  }

  machine(id: number, groupId = 1): MemoryStateMachine {
    return this.node(id).machines.get(groupId) as MemoryStateMachine;
  }

  /** Lets everything run that needs no time. */
  async settle(): Promise<void> {
    await this.clock.advance(0);
    await this.clock.advance(0);
  }

  async ticks(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.clock.advance(this.#options.limits?.tickMs ?? 100);
  }

  /** Who leads among nodes that are up and can be heard, in the highest term. */
  leaderOf(groupId = 1, among: readonly number[] = [...this.nodes.keys()]): number | undefined {
    let found: { id: number; term: number } | undefined;
    for (const id of among) {
      const node = this.node(id);
      const status = node.isUp ? node.host.group(groupId)?.status() : undefined;
      if (status?.role === 'StateLeader' && status.term > (found?.term ?? 0)) found = { id, term: status.term };
    }
    return found?.id;
  }

  /** Waits until one of these leads and has told the others. */
  async elected(groupId = 1, among: readonly number[] = [...this.nodes.keys()]): Promise<number> {
    for (let i = 0; i < 200; i++) {
      const id = this.leaderOf(groupId, among);
      const isKnown = (other: number) => !this.node(other).isUp || this.group(other, groupId).status().leaderId === id;
      if (id !== undefined && among.every(isKnown)) return id;
      await this.ticks(1);
    }
    throw new Error(`nobody was elected in group ${groupId} (seed ${this.#seed})`);
  }

  /** Waits until a condition holds, for so many ticks. */
  async until(isDone: () => boolean, ticks = 200): Promise<void> {
    for (let i = 0; i < ticks && !isDone(); i++) await this.ticks(1);
    if (!isDone()) throw new Error(`it did not come about in ${ticks} ticks (seed ${this.#seed})`);
  }

  async close(): Promise<void> {
    for (const { host, isUp, log } of this.nodes.values()) {
      log.resume();
      if (isUp) await host.close(0);
    }
  }
}

/** How a promise stands, looked at without waiting for it. */
export function watched<T>(promise: Promise<T>): {
  value: T | undefined;
  error: (Error & { code?: string }) | undefined;
} {
  const state: { value: T | undefined; error: (Error & { code?: string }) | undefined } = {
    value: undefined,
    error: undefined,
  };
  promise.then(
    (value) => {
      state.value = value;
    },
    (error) => {
      state.error = error;
    },
  );
  return state;
}

/** A command that can be told from others. */
export function command(number: number, bytes = 4): Uint8Array {
  const data = new Uint8Array(Math.max(bytes, 4));
  new DataView(data.buffer).setUint32(0, number);
  return data;
}

/** The numbers of commands. */
export function numbersOf(commands: readonly Uint8Array[]): readonly number[] {
  return commands.map((data) => new DataView(data.buffer, data.byteOffset).getUint32(0));
}
