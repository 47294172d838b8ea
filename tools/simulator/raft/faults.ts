/** What goes wrong, by chance: one thing after another, each for a while, several at a time. */
import type { Random } from '@shanghai/env';
import type { ConfChangeSingle } from '@shanghai/raft';
import type { Cluster } from './cluster.js';
import { calmNetwork, type NetworkConditions } from './simulated-network.js';
import { calmDisk, type SimulatedNode } from './simulated-node.js';

/** Kinds of faults, as `--faults` names them. */
export const faultKinds = [
  'partition',
  'loss',
  'delay',
  'duplicate',
  'pause',
  'crash',
  'clock',
  'disk',
  'configuration',
  'transfer',
  'election',
  'compaction',
] as const;

/** One kind of fault. */
export type FaultKind = (typeof faultKinds)[number];

const meanBetweenMs = 2000;
const meanLengthMs = 4000;

/** Makes faults in a cluster until it is told to stop. */
export class Faults {
  readonly #cluster: Cluster;
  readonly #random: Random;
  readonly #kinds: readonly FaultKind[];
  #isOver = false;

  constructor(cluster: Cluster, random: Random, kinds: readonly FaultKind[]) {
    this.#cluster = cluster;
    this.#random = random;
    this.#kinds = kinds;
  }

  start(): void {
    if (this.#kinds.length > 0) this.#next();
  }

  /** Ends everything that is wrong: from here on the cluster must come to itself. */
  stop(): void {
    this.#isOver = true;
    const { network, nodes } = this.#cluster;
    network.heal();
    network.conditions = calmNetwork;
    for (const node of nodes) {
      node.recover();
      if (node.isPaused) node.resume();
      if (!node.isRunning) node.start();
    }
    this.#cluster.tickRates.clear();
  }

  #next(): void {
    this.#cluster.queue.after(this.#random.float() * 2 * meanBetweenMs, () => {
      if (this.#isOver) return;
      const kind = this.#kinds[this.#random.below(this.#kinds.length)] as FaultKind;
      this.#cluster.trace(() => `fault: ${kind}`);
      this.#make(kind);
      this.#next();
    });
  }

  #make(kind: FaultKind): void {
    const cluster = this.#cluster;
    const node = this.#victim();
    switch (kind) {
      case 'partition':
        this.#partition();
        return;
      case 'loss':
        this.#network({ lostShare: this.#random.float() * 0.5 });
        return;
      case 'delay':
        this.#network({
          maxDelayMs: 20 + this.#random.float() * 300,
          slowShare: this.#random.float() * 0.3,
          isOrdered: this.#random.float() < 0.5,
        });
        return;
      case 'duplicate':
        this.#network({ doubledShare: this.#random.float() * 0.5, maxDelayMs: 50, isOrdered: false });
        return;
      case 'pause':
        node.isPaused = node.isRunning;
        this.#afterwards(() => node.isPaused && node.resume());
        return;
      case 'crash':
        this.#crash(node);
        return;
      case 'clock':
        if (this.#random.float() < 0.5) node.tick(this.#random.below(25));
        else cluster.tickRates.set(node.id, 0.3 + this.#random.float() * 2);
        this.#afterwards(() => cluster.tickRates.delete(node.id));
        return;
      case 'disk':
        node.disk = { maxSyncMs: 1 + this.#random.float() * 400, stallShare: this.#random.float() * 0.3 };
        this.#afterwards(() => {
          node.disk = calmDisk;
        });
        return;
      case 'configuration':
        this.#reconfigure();
        return;
      case 'transfer':
        for (const one of cluster.nodes) one.ask((raft) => raft.transferLeader(node.id));
        return;
      case 'election':
        this.#election();
        return;
      case 'compaction':
        node.compact();
        return;
    }
  }

  /** Somebody wants to lead; or several at once, and their votes cross; or somebody does not follow any more. */
  #election(): void {
    const kind = this.#random.float();
    if (kind < 0.3) this.#victim().ask((raft) => raft.forgetLeader());
    else if (kind < 0.5) this.#anyNode().ask((raft) => raft.campaign());
    else {
      for (const node of this.#cluster.nodes) {
        node.ask((raft) => raft.forgetLeader());
        if (this.#random.float() < 0.5) node.ask((raft) => raft.campaign());
      }
    }
  }

  /** One node, and now and then all of them at once. */
  #crash(node: SimulatedNode): void {
    const isPowerFailure = this.#random.float() < 0.1;
    for (const one of isPowerFailure ? this.#cluster.nodes : [node]) {
      if (!one.isRunning) continue;
      // Between a write and its sync there is something to lose.
      const when = this.#random.float();
      if (when < 0.4) one.crash();
      else one.crashAtNextWrite(when < 0.7 ? 'anything' : 'vote');
      this.#restartLater(one);
    }
  }

  /** Now and then so soon that others have not noticed: what was on its way to it arrives in its next life. */
  #restartLater(node: SimulatedNode): void {
    const soonMs = this.#random.float() < 0.5 ? this.#random.float() * 2 : this.#random.float() * 50;
    if (this.#random.float() < 0.6) node.onCrash = () => this.#cluster.queue.after(soonMs, () => this.#restart(node));
    this.#afterwards(() => this.#restart(node));
  }

  #restart(node: SimulatedNode): void {
    if (!node.isRunning) node.start();
  }

  /** Whole: two sides. Partial: some pairs. One-way: some directions. */
  #partition(): void {
    const { network, nodes } = this.#cluster;
    const shape = this.#random.below(3);
    // Now and then one is alone, more often the leader: it goes on taking proposals that will be overwritten.
    const alone = this.#random.float() < 0.4 ? this.#victim() : undefined;
    const isOnOneSide = new Map(
      nodes.map((node) => [node.id, alone === undefined ? this.#random.float() < 0.5 : node === alone]),
    );
    for (const { id: from } of nodes) {
      for (const { id: to } of nodes) {
        if (from >= to) continue;
        const isApart = shape === 0 ? isOnOneSide.get(from) !== isOnOneSide.get(to) : this.#random.float() < 0.4;
        if (!isApart) continue;
        if (shape !== 2 || this.#random.float() < 0.5) network.cut(from, to);
        if (shape !== 2 || !network.isCut(from, to)) network.cut(to, from);
      }
    }
    this.#afterwards(() => network.heal());
  }

  #network(change: Partial<NetworkConditions>): void {
    const { network } = this.#cluster;
    network.conditions = { ...network.conditions, ...change };
    this.#afterwards(() => {
      network.conditions = calmNetwork;
    });
  }

  #reconfigure(): void {
    const changes: ConfChangeSingle[] = [];
    const count = 1 + this.#random.below(3);
    for (let i = 0; i < count; i++) {
      const types = ['addNode', 'addNode', 'addLearner', 'removeNode'] as const;
      changes.push({ type: types[this.#random.below(4)] as 'addNode', nodeId: this.#anyNode().id });
    }
    const transition = (['auto', 'implicit', 'explicit'] as const)[this.#random.below(3)] as 'auto';
    this.#cluster.reconfigure({ transition, changes });
  }

  #afterwards(action: () => unknown): void {
    this.#cluster.queue.after(this.#random.float() * 2 * meanLengthMs, () => {
      if (!this.#isOver) action();
    });
  }

  /** Anybody, and more often who leads: what happens to a leader has more to it. */
  #victim(): SimulatedNode {
    const { nodes } = this.#cluster;
    const leaders = nodes.filter(({ raft }) => raft?.marks().state === 'StateLeader');
    return this.#random.float() < 0.3 && leaders[0] !== undefined ? leaders[0] : this.#anyNode();
  }

  #anyNode(): SimulatedNode {
    const { nodes } = this.#cluster;
    return nodes[this.#random.below(nodes.length)] as SimulatedNode;
  }
}
