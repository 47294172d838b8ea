/** What goes wrong, by chance: one thing after another, each for a while, several at a time. */
import type { Random } from '@shanghai/env';
import type { Machine } from './machine.js';
import { calmDisk, type DiskConditions } from './virtual-disk.js';
import { calmNetwork, type NetworkConditions, type VirtualNetwork } from './virtual-network.js';
import type { VirtualWorld } from './virtual-world.js';

/** Kinds of faults, as `--faults` names them. */
export const faultKinds = [
  'partition',
  'loss',
  'delay',
  'duplicate',
  'reset',
  'pause',
  'crash',
  'power',
  'snapshot',
  'clock',
  'jump',
  'slow',
  'stall',
  'full',
  'sync',
  'transfer',
  'compaction',
  'configuration',
] as const;

/** One kind of fault. */
export type FaultKind = (typeof faultKinds)[number];

/** Where faults happen. */
export interface FaultPlace {
  readonly world: VirtualWorld;
  readonly network: VirtualNetwork;
  readonly machines: readonly Machine<unknown>[];
  /** Clients are cut off as nodes are. */
  readonly clientIds: readonly number[];
  /** Nodes that lead something now. */
  leaders(): readonly number[];
  /** Asks every leader to hand over to a node. */
  transfer(to: number): void;
  /** Lets a node cut its log as far as it can. */
  compact(nodeId: number): void;
  /** Changes who is a member. */
  reconfigure(): void;
}

const meanBetweenMs = 2500;
const meanLengthMs = 4000;
const hourMs = 3_600_000;

/** Makes faults until it is told to stop. */
export class Faults {
  readonly #place: FaultPlace;
  readonly #random: Random;
  readonly #kinds: readonly FaultKind[];
  readonly counts = new Map<FaultKind, number>();
  #isOver = false;

  constructor(place: FaultPlace, kinds: readonly FaultKind[]) {
    this.#place = place;
    this.#random = place.world.randomFor('faults');
    this.#kinds = kinds;
  }

  start(): void {
    if (this.#kinds.length > 0) this.#next();
  }

  /** Ends everything that is wrong: from here on the cluster must come to itself. */
  stop(): void {
    this.#isOver = true;
    const { network, machines, world } = this.#place;
    world.trace(() => 'no more faults');
    network.heal();
    network.conditions = calmNetwork;
    for (const machine of machines) {
      machine.disk.conditions = calmDisk;
      machine.disk.answer();
      machine.setRate(1);
      machine.jump(0);
      machine.resume();
      machine.start();
    }
  }

  #next(): void {
    this.#place.world.queue.after(this.#random.float() * 2 * meanBetweenMs, () => {
      if (this.#isOver) return;
      const kind = this.#kinds[this.#random.below(this.#kinds.length)] as FaultKind;
      this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
      this.#make(kind, this.#victim());
      this.#next();
    });
  }

  #make(kind: FaultKind, machine: Machine<unknown>): void {
    const random = this.#random;
    this.#place.world.trace(() => `fault: ${kind} at ${machine.id}`);
    switch (kind) {
      case 'partition':
        this.#partition(machine);
        return;
      case 'loss':
        this.#network({ lostShare: random.float() * 0.4 });
        return;
      case 'delay':
        this.#network({
          maxDelayMs: 20 + random.float() * 300,
          slowShare: random.float() * 0.3,
          isOrdered: random.float() < 0.5,
        });
        return;
      case 'duplicate':
        this.#network({ doubledShare: random.float() * 0.5, maxDelayMs: 50, isOrdered: false });
        return;
      case 'reset':
        this.#reset(machine);
        return;
      case 'pause':
        machine.pause();
        this.#afterwards(() => machine.resume());
        return;
      case 'crash':
        this.#crash(machine, false);
        return;
      case 'power':
        this.#crash(machine, true);
        return;
      case 'snapshot':
        this.#crashAtSnapshot();
        return;
      case 'clock':
        this.#clock(machine);
        return;
      case 'jump':
        this.#jump(machine);
        return;
      case 'slow':
        this.#disk(machine, {
          maxSyncMs: 20 + random.float() * 600,
          maxWriteMs: random.float() * 50,
          maxReadMs: 5,
        });
        return;
      case 'stall':
        machine.disk.stall();
        this.#afterwards(() => machine.disk.answer(), random.float() < 0.2 ? 8 : 1);
        return;
      case 'full':
        this.#disk(machine, { fullShare: random.float() < 0.5 ? 1 : random.float() });
        return;
      case 'sync':
        this.#disk(machine, { failingSyncShare: random.float() });
        return;
      case 'transfer':
        this.#place.transfer(machine.id);
        return;
      case 'compaction':
        this.#place.compact(machine.id);
        return;
      case 'configuration':
        this.#place.reconfigure();
        return;
    }
  }

  /** Whole: two sides. Partial: some pairs. One-way: some directions. Clients stand on one side, too. */
  #partition(victim: Machine<unknown>): void {
    const { network, machines, clientIds } = this.#place;
    const random = this.#random;
    const shape = random.below(3);
    const isAlone = random.float() < 0.4;
    const places = [...machines.map(({ id }) => id), ...clientIds];
    const isOnOneSide = new Map(places.map((id) => [id, isAlone ? id === victim.id : random.float() < 0.5]));
    for (const from of places) {
      for (const to of places) {
        if (from >= to) continue;
        const isApart = shape === 0 ? isOnOneSide.get(from) !== isOnOneSide.get(to) : random.float() < 0.4;
        if (!isApart) continue;
        if (shape !== 2 || random.float() < 0.5) network.cut(from, to);
        if (shape !== 2 || !network.isCut(from, to)) network.cut(to, from);
      }
    }
    this.#afterwards(() => network.heal());
  }

  #network(change: Partial<NetworkConditions>): void {
    const { network } = this.#place;
    network.conditions = { ...network.conditions, ...change };
    this.#afterwards(() => {
      network.conditions = calmNetwork;
    });
  }

  /** Connections of a node break, once, and those with snapshots on them again and again for a while. */
  #reset(machine: Machine<unknown>): void {
    const { network, machines, clientIds } = this.#place;
    for (const id of [...machines.map((one) => one.id), ...clientIds]) network.break(machine.id, id);
    this.#network({ breakShare: this.#random.float() * 0.3 });
  }

  #disk(machine: Machine<unknown>, change: Partial<DiskConditions>): void {
    machine.disk.conditions = { ...machine.disk.conditions, ...change };
    this.#afterwards(() => {
      machine.disk.conditions = calmDisk;
    });
  }

  #clock(machine: Machine<unknown>): void {
    const random = this.#random;
    if (random.float() < 0.5) machine.clockConditions.wallOffsetMs += (random.float() - 0.5) * 20_000;
    else {
      machine.setRate(0.5 + random.float() * 1.5);
      this.#afterwards(() => machine.setRate(1));
    }
  }

  /** By hours, in either direction; one machine at a time, so that most of them are right. */
  #jump(machine: Machine<unknown>): void {
    if (this.#place.machines.some(({ jumpMs }) => jumpMs !== 0)) return;
    machine.jump(Math.round((this.#random.float() - 0.4) * 10 * hourMs));
    this.#afterwards(() => machine.jump(0), 2);
  }

  /** One process, and now and then all of them at once; or the power, which takes what was not synced. */
  #crash(victim: Machine<unknown>, isPower: boolean): void {
    const random = this.#random;
    for (const machine of random.float() < 0.15 ? this.#place.machines : [victim]) {
      const crash = () => this.#crashNow(machine, isPower);
      // In the middle of what it writes, and now and then of what it writes when it starts again.
      if (random.float() < 0.5) crash();
      else machine.disk.trap(1 + random.below(40), crash);
      if (isPower && random.float() < 0.3) machine.disk.trap(1 + random.below(60), crash);
    }
  }

  #crashNow(machine: Machine<unknown>, isPower: boolean): void {
    const random = this.#random;
    if (this.#isOver) return;
    machine.crash(!isPower ? 'all' : random.float() < 0.2 ? 'none' : 'random');
    // Now and then so soon that others have not noticed.
    if (random.float() < 0.3) this.#place.world.queue.after(random.float() * 50, () => machine.start());
    else this.#afterwards(() => machine.start());
  }

  /** Whoever sends or receives the next snapshot crashes somewhere on its way, or while it is put in. */
  #crashAtSnapshot(): void {
    const { network, machines } = this.#place;
    const random = this.#random;
    let left = 1 + random.below(30);
    network.onSnapshotStep = (from, to) => {
      if (--left > 0) return;
      network.onSnapshotStep = undefined;
      const machine = machines.find(({ id }) => id === (random.float() < 0.8 ? to : from));
      machine?.disk.trap(1 + random.below(30), () => this.#crashNow(machine, random.float() < 0.7));
    };
  }

  #afterwards(action: () => unknown, longer = 1): void {
    this.#place.world.queue.after(this.#random.float() * 2 * meanLengthMs * longer, () => {
      if (!this.#isOver) action();
    });
  }

  /** Anybody, and more often who leads: what happens to a leader has more to it. */
  #victim(): Machine<unknown> {
    const { machines } = this.#place;
    const leaders = this.#random.float() < 0.4 ? this.#place.leaders() : [];
    const leader = leaders[this.#random.below(Math.max(1, leaders.length))];
    const anybody = machines[this.#random.below(machines.length)] as Machine<unknown>;
    return machines.find(({ id }) => id === leader) ?? anybody;
  }
}
