/** Raft hosts on machines of a virtual world, and callers that propose and read all the time. */
import type { Random } from '@shanghai/env';
import { type ConfChangeSingle, type HostLimits, ProposalError } from '@shanghai/raft';
import { Truth, Violation } from '../raft/truth.js';
import { type HostedGroup, type HostProcess, type HostRoom, openHostProcess } from './host-process.js';
import { Machine } from './machine.js';
import { VirtualNetwork } from './virtual-network.js';
import type { VirtualWorld } from './virtual-world.js';

/** What a cluster is made of. */
export interface HostClusterOptions {
  /** Voters at the start; two more nodes wait to be made members. */
  readonly nodes: number;
  readonly groups: number;
  readonly operationsPerSecond: number;
}

/** Without faults a cluster must have come to itself in this time. */
const recoveryMs = 120_000;

/** One simulated cluster. */
export class HostCluster {
  readonly world: VirtualWorld;
  readonly network: VirtualNetwork;
  readonly machines: readonly Machine<HostProcess>[];
  readonly clientIds: readonly number[] = [];
  readonly counts = new Map<string, number>();
  readonly groups: readonly number[];
  acknowledged = 0;
  readonly #options: HostClusterOptions;
  readonly #random: Random;
  readonly #truths: ReadonlyMap<number, Truth>;
  readonly #proposals: ReadonlyMap<number, Proposals>;
  /** Groups of nodes that have forgotten what was not durable, since they were looked at. */
  readonly #forgotten = new Set<string>();
  #nextProposal = 1;
  #isWriting = true;

  constructor(world: VirtualWorld, options: HostClusterOptions) {
    this.world = world;
    this.#options = options;
    this.#random = world.randomFor('callers');
    this.network = new VirtualNetwork(world);
    this.groups = Array.from({ length: options.groups }, (_, i) => i);
    this.#truths = new Map(this.groups.map((id) => [id, new Truth()]));
    this.#proposals = new Map(this.groups.map((id) => [id, new Proposals()]));
    const nodeIds = Array.from({ length: options.nodes + 2 }, (_, i) => i + 1);
    const room: HostRoom = {
      world,
      truthOf: (groupId) => this.truthOf(groupId),
      groups: this.groups,
      nodeIds,
      voters: nodeIds.slice(0, options.nodes),
      limits: drawLimits(world.randomFor('limits')),
      count: (what) => this.count(what),
      onForgotten: (nodeId, groupId) => void this.#forgotten.add(`${nodeId}/${groupId}`),
      onApplied: (groupId, data) => this.#proposals.get(groupId)?.applied(data),
    };
    const machineRoom = { world, network: this.network, directory: new Map() };
    this.machines = nodeIds.map((id) => new Machine(id, machineRoom, (place) => openHostProcess(place, room)));
  }

  truthOf(groupId: number): Truth {
    return this.#truths.get(groupId) as Truth;
  }

  start(): void {
    for (const machine of this.machines) machine.start();
    this.#operate();
    this.#store();
    this.#watch();
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  leaders(): readonly number[] {
    return this.machines.filter((one) => this.groups.some((id) => isLeading(one, id))).map(({ id }) => id);
  }

  transfer(to: number): void {
    for (const { group } of this.#leading()) {
      group.transferLeadership(to).then(
        () => this.count('transfers'),
        () => {},
      );
    }
  }

  /** Keeps the state of a node's groups, and lets the logs be cut behind it. */
  compact(nodeId: number): void {
    const { process } = this.machines[nodeId - 1] as Machine<HostProcess>;
    for (const one of process?.groups.values() ?? []) compact(one);
  }

  /** Changes who is in the groups, as it comes. */
  reconfigure(): void {
    for (const { group } of this.#leading()) {
      const { voters, votersOutgoing } = group.status().configuration;
      const left = new Set(voters);
      const changes: ConfChangeSingle[] = [];
      for (let i = 1 + this.#random.below(2); i > 0; i--) {
        const type = (['addNode', 'addNode', 'addLearner', 'removeNode'] as const)[this.#random.below(4)] ?? 'addNode';
        const nodeId = 1 + this.#random.below(this.machines.length);
        changes.push({ type, nodeId });
        if (type === 'addNode') left.add(nodeId);
        else left.delete(nodeId);
      }
      // Who removes everybody has no group any more: callers do not ask for that.
      if (left.size === 0) continue;
      const change = { transition: 'auto' as const, changes: votersOutgoing.length > 0 ? [] : changes };
      group.changeConfiguration(change).catch(() => this.count('refused changes'));
    }
  }

  /** Liveness, and agreement: without faults every group takes proposals again, and its members come to one state. */
  async recover(): Promise<void> {
    const { world } = this;
    const endMs = world.nowMs + recoveryMs;
    for (const groupId of this.groups) {
      while (!(await world.runThrough('a proposal', this.#proposeAtLeader(groupId), 20_000))) {
        if (world.nowMs > endMs) throw new Violation(`liveness: group ${groupId} takes nothing after ${recoveryMs} ms`);
        await world.runUntil(world.nowMs + 500);
      }
    }
    this.#isWriting = false;
    for (const groupId of this.groups) {
      for (;;) {
        const members = this.#membersOf(groupId);
        const applied = new Set(members.map(({ machine }) => machine.appliedIndex));
        if (members.length > 0 && applied.size === 1) break;
        if (world.nowMs > endMs) throw new Violation(`liveness: group ${groupId} stands at ${[...applied]} for ever`);
        await world.runUntil(world.nowMs + 500);
      }
      const digests = new Set(this.#membersOf(groupId).map(({ machine }) => machine.digest));
      if (digests.size !== 1) throw new Violation(`agreement: states of group ${groupId} are ${[...digests]}`);
    }
  }

  /** Proposes to whoever leads a group; resolves to whether it was applied. Without a leader: at once, to false. */
  async #proposeAtLeader(groupId: number): Promise<boolean> {
    const leader = this.machines.find((one) => isLeading(one, groupId));
    return leader !== undefined && this.#propose(leader, groupId, 16);
  }

  /** The members of a group that run, as its newest leader sees it. */
  #membersOf(groupId: number): readonly HostedGroup[] {
    const leaders = this.#leading().filter(({ group }) => group.groupId === groupId);
    leaders.sort((a, b) => b.group.status().term - a.group.status().term);
    const configuration = leaders[0]?.group.status().configuration;
    if (configuration === undefined) return [];
    const ids = new Set([...configuration.voters, ...configuration.votersOutgoing, ...configuration.learners]);
    return this.machines.flatMap((one) => (ids.has(one.id) ? (one.process?.groups.get(groupId) ?? []) : []));
  }

  #leading(): HostedGroup[] {
    return this.machines.flatMap((one) =>
      [...(one.process?.groups.values() ?? [])].filter(({ group }) => group.status().role === 'StateLeader'),
    );
  }

  #operate(): void {
    const meanMs = 1000 / this.#options.operationsPerSecond;
    const random = this.#random;
    this.world.queue.after(random.float() * 2 * meanMs, () => {
      if (!this.#isWriting) return;
      const leaders = random.float() < 0.7 ? this.leaders() : [];
      const id = leaders[random.below(Math.max(1, leaders.length))] ?? 1 + random.below(this.machines.length);
      const machine = this.machines[id - 1] as Machine<HostProcess>;
      const groupId = random.below(this.groups.length);
      for (let i = random.float() < 0.05 ? 20 : 1; i > 0; i--) {
        const isRead = random.float() < 0.3;
        const bytes = random.float() < 0.02 ? 40_000 : 8 + random.below(100);
        const done: Promise<unknown> = isRead ? this.#read(machine, groupId) : this.#propose(machine, groupId, bytes);
        done.catch((error) => this.world.fail(error));
      }
      this.#operate();
    });
  }

  /** States are kept now and then anyway, as a server does. */
  #store(): void {
    this.world.queue.after(this.#random.float() * 8000, () => {
      this.compact(1 + this.#random.below(this.machines.length));
      this.#store();
    });
  }

  /** What a node says of itself never goes back while it runs. */
  #watch(): void {
    const before = new Map<object, ReturnType<typeof marksOf>>();
    const look = () => {
      for (const machine of this.machines) {
        for (const { group } of machine.process?.groups.values() ?? []) {
          const now = marksOf(group.status());
          const wasReset = this.#forgotten.delete(`${machine.id}/${group.groupId}`);
          const earlier = before.get(group) ?? now;
          const least = wasReset ? { ...now, applied: earlier.applied } : earlier;
          this.world.check(() => this.truthOf(group.groupId).moved(machine.id, least, now));
          before.set(group, now);
        }
      }
      this.world.queue.after(100, look);
    };
    look();
  }

  async #propose(machine: Machine<HostProcess>, groupId: number, bytes: number): Promise<boolean> {
    const hosted = machine.process?.groups.get(groupId);
    if (hosted === undefined) return false;
    const number = this.#nextProposal++;
    const data = new Uint8Array(Math.max(8, bytes));
    new DataView(data.buffer).setFloat64(0, number);
    try {
      const { index } = await hosted.group.propose(data);
      this.acknowledged++;
      this.truthOf(groupId).acknowledged(index);
      return true;
    } catch (error) {
      if (!(error instanceof ProposalError)) throw error;
      this.count(`proposals ${error.code}`);
      if (error.code !== 'UNKNOWN') (this.#proposals.get(groupId) as Proposals).refused(number, error.code);
      return false;
    }
  }

  async #read(machine: Machine<HostProcess>, groupId: number): Promise<void> {
    const hosted = machine.process?.groups.get(groupId);
    if (hosted === undefined) return;
    const before = this.truthOf(groupId).acknowledgedIndex;
    try {
      const index = await hosted.group.readIndex();
      this.truthOf(groupId).read(machine.id, before, index);
      this.count('reads');
    } catch (error) {
      if (!(error instanceof ProposalError)) throw error;
      this.count('reads refused');
    }
  }
}

/** Commands that were refused because nothing was done must not be applied, before or afterwards. */
class Proposals {
  readonly #applied = new Set<number>();
  readonly #refused = new Map<number, string>();

  applied(data: Uint8Array): void {
    if (data.length < 8) return;
    const number = new DataView(data.buffer, data.byteOffset).getFloat64(0);
    this.#applied.add(number);
    const code = this.#refused.get(number);
    if (code !== undefined) throw new Violation(`proposal ${number} is applied, and was refused as ${code}`);
  }

  refused(number: number, code: string): void {
    this.#refused.set(number, code);
    if (this.#applied.has(number)) throw new Violation(`proposal ${number} is refused as ${code}, and was applied`);
  }
}

function isLeading(machine: Machine<HostProcess>, groupId: number): boolean {
  return machine.process?.groups.get(groupId)?.group.status().role === 'StateLeader';
}

function compact({ group, machine }: HostedGroup): void {
  machine
    .store()
    .then((index) => group.compact(index))
    // The disk is full, or the process is going: the next one will do.
    .catch(() => {});
}

function marksOf({ term, commitIndex, appliedIndex, role }: ReturnType<HostedGroup['group']['status']>) {
  return { term, commit: commitIndex, applied: appliedIndex, state: role };
}

function drawLimits(random: Random): Partial<HostLimits> {
  const tickMs = random.float() < 0.5 ? 100 : 50;
  return {
    tickMs,
    electionTicks: random.float() < 0.5 ? 10 : 5,
    proposalTimeoutMs: 5000,
    maxAppendBytes: random.float() < 0.5 ? 1024 : 256 * 1024,
    maxInflightAppends: 1 + random.below(20),
    maxApplyBytes: random.float() < 0.5 ? 200 : 8 * 1024 * 1024,
    maxProposals: random.float() < 0.3 ? 5 : 8192,
    compactBytes: random.float() < 0.7 ? 2000 : 100_000,
    trailingEntries: random.below(30),
    trailingBytes: random.below(3000),
    sleepTicks: random.float() < 0.5 ? 20 : 3,
    maxSnapshotsSent: 1 + random.below(2),
  };
}
