/** What goes wrong, by chance: one thing after another, each for a while, several at a time. */
import type { Random } from '@shanghai/env';
import type { ConfChangeSingle } from '@shanghai/raft';
import type { Cluster } from './cluster.js';
import { calmNetwork } from './simulated-network.js';
import { calmDisk } from './simulated-node.js';

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
  'compaction',
] as const;

/** One kind of fault. */
export type FaultKind = (typeof faultKinds)[number];

const meanBetweenMs = 3000;
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
      node.disk = calmDisk;
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
    const node = this.#anyNode();
    switch (kind) {
      case 'partition':
        this.#partition();
        return;
      case 'loss':
        this.#network({ lostShare: this.#random.float() * 0.5 });
        return;
      case 'delay':
        this.#network({ maxDelayMs: 20 + this.#random.float() * 300, slowShare: this.#random.float() * 0.3 });
        return;
      case 'duplicate':
        this.#network({ doubledShare: this.#random.float() * 0.5, maxDelayMs: 50 });
        return;
      case 'pause':
        node.isPaused = node.isRunning;
        this.#afterwards(() => node.isPaused && node.resume());
        return;
      case 'crash':
        if (!node.isRunning) return;
        node.crash();
        this.#afterwards(() => !node.isRunning && node.start());
        return;
      case 'clock':
        if (this.#random.float() < 0.5) node.tick(this.#random.below(25));
        else cluster.tickRates.set(node.id, 0.3 + this.#random.float() * 2);
        this.#afterwards(() => cluster.tickRates.delete(node.id));
        return;
      case 'disk':
        node.disk = { maxSyncMs: 1 + this.#random.float() * 200, stallShare: this.#random.float() * 0.3 };
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
      case 'compaction':
        node.compact();
        return;
    }
  }

  /** Whole: two sides. Partial: some pairs. One-way: some directions. */
  #partition(): void {
    const { network, nodes } = this.#cluster;
    const shape = this.#random.below(3);
    const isOnOneSide = new Map(nodes.map(({ id }) => [id, this.#random.float() < 0.5]));
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

  #network(change: object): void {
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

  #anyNode() {
    const { nodes } = this.#cluster;
    return nodes[this.#random.below(nodes.length)] as (typeof nodes)[number];
  }
}
