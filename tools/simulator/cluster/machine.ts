/**
 * One machine: a disk that stays, a clock that may be wrong, and one process after the other on them. The process is
 * whatever `boot` starts; it may be stopped in the middle of anything.
 */
import type { Clock, Disk, Random } from '@shanghai/env';
import type { CrashSurvival } from '@shanghai/env/testing';
import type { PeerTransport } from '@shanghai/raft';
import { Violation } from '../raft/truth.js';
import { type ClockConditions, VirtualClock } from './virtual-clock.js';
import { VirtualDisk } from './virtual-disk.js';
import type { VirtualNetwork } from './virtual-network.js';
import { type TransportDirectory, VirtualTransport } from './virtual-transport.js';
import type { VirtualWorld } from './virtual-world.js';

/** What machines have in common. */
export interface MachineRoom {
  readonly world: VirtualWorld;
  readonly network: VirtualNetwork;
  readonly directory: TransportDirectory;
}

/** What a process stands on. All of it ends with the process. */
export interface ProcessPlace {
  readonly nodeId: number;
  /** 1 for the first process of the machine. */
  readonly life: number;
  readonly clock: VirtualClock;
  readonly random: Random;
  readonly disk: Disk;
  readonly transport: PeerTransport;
  /** Whether the process still runs. */
  isAlive(): boolean;
  /** Called when it has ended, whatever the reason. */
  whenGone(callback: () => void): void;
  /** The process ends itself: it cannot go on. */
  exit(error: Error): void;
}

/** A machine and the process that runs on it, if one does. */
export class Machine<Process> {
  readonly id: number;
  readonly disk: VirtualDisk;
  readonly clockConditions: ClockConditions = { rate: 1, wallOffsetMs: 0 };
  /** What its wall clock is ahead by since it jumped; 0: it did not, or jumped back. */
  jumpMs = 0;
  crashes = 0;
  /** Processes that ended by themselves. */
  exits = 0;
  /** Its node was taken out of the cluster: no process starts on it any more. */
  isOut = false;
  readonly #room: MachineRoom;
  readonly #boot: (place: ProcessPlace) => Promise<Process>;
  readonly #random: Random;
  #life = 0;
  #isUp = false;
  #process: Process | undefined;
  #clock: VirtualClock;
  #transport: VirtualTransport | undefined;
  readonly #whenGone: (() => void)[] = [];
  /** Calls that had gone wrong when the process began. */
  #faultsBefore = 0;
  #shownMs = 0;

  constructor(id: number, room: MachineRoom, boot: (place: ProcessPlace) => Promise<Process>) {
    this.id = id;
    this.#room = room;
    this.#boot = boot;
    const { world } = room;
    this.#random = world.randomFor(`machine ${id}`);
    this.#clock = new VirtualClock(world.queue, this.clockConditions);
    const clock: Clock = {
      nowMs: () => this.#clock.nowMs(),
      monotonicMs: () => this.#clock.monotonicMs(),
      setTimer: (delayMs, callback) => this.#clock.setTimer(delayMs, callback),
      soon: (callback) => this.#clock.soon(callback),
    };
    this.disk = new VirtualDisk(this.#random.uint32(), clock, this.#random);
  }

  /** The process, once it has started. */
  get process(): Process | undefined {
    return this.#process;
  }

  /** Whether there is a process; it may still be starting. */
  get isUp(): boolean {
    return this.#isUp;
  }

  get isPaused(): boolean {
    return this.#clock.isPaused;
  }

  get clock(): VirtualClock {
    return this.#clock;
  }

  /** The latest that its wall clock has ever shown. */
  get latestShownMs(): number {
    this.#shownMs = Math.max(this.#shownMs, this.#clock.nowMs());
    return this.#shownMs;
  }

  /** Starts a process, where none runs. */
  start(): void {
    if (this.#isUp || this.isOut) return;
    const { world, network, directory } = this.#room;
    const life = ++this.#life;
    this.#isUp = true;
    this.#faultsBefore = this.#faultsOfDisk();
    this.#clock = new VirtualClock(world.queue, this.clockConditions);
    const owner = { nodeId: this.id, startId: `${this.id}.${life}`, clock: this.#clock };
    this.#transport = new VirtualTransport(owner, network, directory);
    world.trace(() => `${this.id} starts (${life})`);
    const isAlive = () => this.#isUp && this.#life === life;
    const place: ProcessPlace = {
      nodeId: this.id,
      life,
      clock: this.#clock,
      random: world.randomFor(`process ${this.id}.${life}`),
      disk: this.disk.disk,
      transport: this.#transport,
      isAlive,
      whenGone: (callback) => void this.#whenGone.push(callback),
      exit: (error) => isAlive() && this.#exited(error),
    };
    this.#boot(place).then(
      (process) => {
        if (!isAlive()) return;
        world.trace(() => `${this.id} runs`);
        this.#process = process;
      },
      (error: unknown) => isAlive() && this.#exited(error),
    );
  }

  /** The process is gone, and of what was not synced whatever `survival` says: `'all'` is left by a process that is killed. */
  crash(survival: CrashSurvival): void {
    if (!this.#isUp) return;
    this.#room.world.trace(() => `${this.id} crashes (${survival})`);
    this.crashes++;
    this.#end(survival);
  }

  /** The process has closed, and goes; somebody starts it again. */
  shutDown(): void {
    if (!this.#isUp) return;
    this.#room.world.trace(() => `${this.id} has closed`);
    this.#end('all');
    this.#startLater();
  }

  pause(): void {
    this.#clock.pause();
  }

  resume(): void {
    this.#clock.resume();
  }

  /** Its wall clock jumps, so that it is ahead by so much; 0: back to where it would be. */
  jump(aheadMs: number): void {
    this.#shownMs = this.latestShownMs;
    this.clockConditions.wallOffsetMs += aheadMs - this.jumpMs;
    this.jumpMs = aheadMs;
  }

  /** How fast its clock runs from here on. */
  setRate(rate: number): void {
    this.clockConditions.rate = rate;
    this.#clock.adjust();
  }

  /** A process that ends by itself does so for a reason, and somebody starts it again. */
  #exited(error: unknown): void {
    const { world } = this.#room;
    world.trace(() => `${this.id} ends: ${describe(error)}`);
    this.isOut = isOutcast(error);
    if (!this.isOut && !isUnanswered(error) && this.#faultsOfDisk() === this.#faultsBefore) {
      world.fail(new Violation(`${this.id} ended although nothing was wrong with its disk: ${describe(error)}`));
    }
    this.#end('all');
    this.exits++;
    this.#startLater();
  }

  #startLater(): void {
    const life = this.#life;
    this.#room.world.queue.after(500 + this.#random.float() * 1500, () => this.#life === life && this.start());
  }

  #end(survival: CrashSurvival): void {
    this.#isUp = false;
    this.#process = undefined;
    this.#clock.stop();
    this.#transport?.stop();
    this.disk.crash(survival);
    for (const callback of this.#whenGone.splice(0)) callback();
  }

  #faultsOfDisk(): number {
    const { failedSyncs, failedWrites, stalled } = this.disk.counts;
    return failedSyncs + failedWrites + stalled;
  }
}

/** A process that was told that its node was taken out. */
function isOutcast(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'REMOVED' || error.code === 'JOIN_REFUSED');
}

/** A new node that found nobody to join. */
function isUnanswered(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'JOIN_UNREACHABLE';
}

/** The first frames of our own: those of the engine come and go with how it was scheduled, and a seed must repeat to the last bit. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const lines = (error.stack ?? error.message).split('\n').filter((line) => !line.includes('(node:'));
  const isFrame = (line: string) => /^ +at /.test(line);
  const first = lines.findIndex(isFrame);
  return first < 0 ? lines.join('\n') : lines.slice(0, first + 3).join('\n');
}
