/**
 * Nodes of bare membership cores on virtual time, with a network that loses and delays, nodes that crash, hang and come
 * back, and parts that do not reach each other. A seed is a whole simulation.
 */
import { createSeededRandom, type Random } from '@shanghai/env';
import {
  decodeMessage,
  encodeMessage,
  type Member,
  MembershipCore,
  type MembershipEffect,
  type MembershipEvent,
  type MembershipSettings,
  type Message,
} from '@shanghai/membership';
import { EventQueue } from '../event-queue.js';

/** What a world is made of. */
export interface MembershipWorldOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly settings: MembershipSettings;
  /** Which part of the frames is lost. */
  readonly loss: number;
  /** How long a frame takes; default 1 to 10 ms. */
  readonly minDelayMs?: number;
  readonly maxDelayMs?: number;
}

/** An event as one node saw it. */
export interface SeenEvent {
  readonly atMs: number;
  readonly by: number;
  readonly event: MembershipEvent;
}

/** A process of a node, from a start to a crash. */
interface Process {
  readonly nodeId: number;
  readonly core: MembershipCore;
  isRunning: boolean;
  /** Until when it hangs. */
  stalledMs: number;
  /** What came while it hung. */
  readonly waiting: (readonly [number, Message])[];
  dueMs: number;
  tickOf: number;
}

/** Larger clusters hand messages over as they are, to be quicker; their bytes are counted all the same. */
const mostDecoded = 100;

/** The nodes and what is between them. */
export class MembershipWorld {
  readonly queue = new EventQueue();
  readonly random: Random;
  readonly seen: SeenEvent[] = [];
  readonly counts = { frames: 0, bytes: 0, lost: 0, steps: 0 };
  readonly #options: MembershipWorldOptions;
  readonly #processes = new Map<number, Process>();
  readonly #kept = new Map<number, number>();
  /** Until when a node was, or is, not to be blamed for being silent. */
  readonly #excusedMs = new Map<number, number>();
  /** To which part each node belongs; parts do not reach each other. */
  #partOf: ((nodeId: number) => number) | undefined;
  #loss: number;

  constructor(options: MembershipWorldOptions) {
    this.#options = options;
    this.#loss = options.loss;
    this.random = createSeededRandom(options.seed);
  }

  get nowMs(): number {
    return this.queue.nowMs;
  }

  get running(): number[] {
    return [...this.#processes.values()].filter(({ isRunning }) => isRunning).map(({ nodeId }) => nodeId);
  }

  core(nodeId: number): MembershipCore {
    return (this.#processes.get(nodeId) as Process).core;
  }

  /** Starts a node, which knows the addresses of the first three, under a higher incarnation than ever before. */
  start(nodeId: number, seeds: readonly number[] = [1, 2, 3]): void {
    const { settings } = this.#options;
    const incarnation = (this.#kept.get(nodeId) ?? 0) + 1;
    this.#kept.set(nodeId, incarnation);
    const said = { name: `node-${nodeId}`, address: addressOf(nodeId), instanceId: `instance-${nodeId}`, tags: {} };
    const random = createSeededRandom(this.random.uint32());
    const core = new MembershipCore({ clusterId: 'world', self: { nodeId, incarnation, ...said }, settings, random });
    const dueMs = Number.POSITIVE_INFINITY;
    const process = { nodeId, core, isRunning: true, stalledMs: 0, waiting: [], dueMs, tickOf: 0 };
    this.#processes.set(nodeId, process);
    this.#excusedMs.set(nodeId, this.nowMs);
    this.#carryOut(process, core.step({ nowMs: this.nowMs, type: 'start', seeds: seeds.map(addressOf) }));
  }

  /** All of them within a time. */
  startAll(withinMs: number): void {
    for (let nodeId = 1; nodeId <= this.#options.nodes; nodeId++) {
      this.queue.after(this.random.float() * withinMs, () => this.start(nodeId));
    }
  }

  crash(nodeId: number): void {
    (this.#processes.get(nodeId) as Process).isRunning = false;
    this.#excusedMs.set(nodeId, Number.POSITIVE_INFINITY);
  }

  /** Nothing runs in it for a while; what comes waits. */
  stall(nodeId: number, forMs: number): void {
    const process = this.#processes.get(nodeId) as Process;
    process.stalledMs = this.nowMs + forMs;
    // Others learn late what it says once it runs again.
    this.#excuse(nodeId, process.stalledMs + 2_000);
    this.queue.after(forMs, () => this.#wake(process));
  }

  leave(nodeId: number): void {
    const process = this.#processes.get(nodeId) as Process;
    this.#excusedMs.set(nodeId, Number.POSITIVE_INFINITY);
    this.#carryOut(process, process.core.step({ nowMs: this.nowMs, type: 'leave' }));
    this.queue.after(1_000, () => {
      this.#carryOut(process, process.core.step({ nowMs: this.nowMs, type: 'left' }));
      process.isRunning = false;
    });
  }

  remove(nodeId: number, by: number): void {
    const process = this.#processes.get(by) as Process;
    this.#carryOut(process, process.core.step({ nowMs: this.nowMs, type: 'remove', nodeId }));
  }

  /** Divides the network; `undefined` makes it one again. */
  divide(partOf: ((nodeId: number) => number) | undefined): void {
    this.#partOf = partOf;
    for (const nodeId of this.#processes.keys()) {
      if (partOf !== undefined) this.#excuse(nodeId, Number.POSITIVE_INFINITY);
      else if (this.#processes.get(nodeId)?.isRunning) this.#excusedMs.set(nodeId, this.nowMs + 60_000);
    }
  }

  setLoss(loss: number): void {
    this.#loss = loss;
  }

  /** Lets time pass. */
  run(ms: number): void {
    this.queue.runUntil(this.nowMs + ms);
  }

  /** Lets time pass until something holds, looking every `stepMs`. Gives how long that took; `undefined`: not within the time. */
  runUntil(isDone: () => boolean, mostMs: number, stepMs = 100): number | undefined {
    const startMs = this.nowMs;
    while (!isDone()) {
      if (this.nowMs - startMs >= mostMs) return undefined;
      this.run(stepMs);
    }
    return this.nowMs - startMs;
  }

  /** Whether all that run see the same, and see exactly those that run as up. */
  isConverged(): boolean {
    const running = this.running;
    const first = running[0];
    if (first === undefined) return true;
    const { hash } = this.core(first).view;
    const up = [...this.core(first).view.all()].filter(({ record }) => record.state === 'up').length;
    return up === running.length && running.every((nodeId) => this.core(nodeId).view.hash === hash);
  }

  /** Whether nobody can blame a node for being silent at this moment: it runs, and has done so undisturbed. */
  isInnocent(nodeId: number): boolean {
    const { suspectAfterMs } = this.#options.settings;
    return this.nowMs - (this.#excusedMs.get(nodeId) ?? 0) > suspectAfterMs;
  }

  #excuse(nodeId: number, untilMs: number): void {
    this.#excusedMs.set(nodeId, Math.max(this.#excusedMs.get(nodeId) ?? 0, untilMs));
  }

  #wake(process: Process): void {
    if (!process.isRunning || process.stalledMs > this.nowMs) return;
    if (process.dueMs <= this.nowMs) this.#tick(process);
    for (const [from, message] of process.waiting.splice(0)) this.#receive(process, from, message);
  }

  #tick(process: Process): void {
    const delayMs = this.nowMs - process.dueMs;
    this.#carryOut(process, process.core.step({ nowMs: this.nowMs, type: 'tick', delayMs }));
  }

  #receive(process: Process, from: number, message: Message): void {
    if (!process.isRunning) return;
    if (process.stalledMs > this.nowMs) {
      process.waiting.push([from, message]);
      return;
    }
    this.#carryOut(process, process.core.step({ nowMs: this.nowMs, type: 'receive', from, message }));
  }

  #carryOut(process: Process, effects: readonly MembershipEffect[]): void {
    this.counts.steps++;
    for (const effect of effects) {
      switch (effect.type) {
        case 'send':
          this.#send(process.nodeId, effect);
          break;
        case 'tell':
          this.seen.push({ atMs: this.nowMs, by: process.nodeId, event: effect.event });
          break;
        case 'keep':
          this.#kept.set(process.nodeId, effect.incarnation);
          break;
        case 'stop':
          process.isRunning = false;
          break;
      }
    }
    this.#arm(process);
  }

  #arm(process: Process): void {
    const dueMs = Math.max(process.core.dueMs, this.nowMs);
    if (dueMs === process.dueMs && process.tickOf > 0) return;
    process.dueMs = dueMs;
    const tickOf = ++process.tickOf;
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.queue.after(Math.ceil(dueMs - this.nowMs), () => {
      const isMeant = process.isRunning && process.tickOf === tickOf && process.stalledMs <= this.nowMs;
      if (!isMeant) return;
      process.tickOf = 0;
      process.dueMs = this.nowMs;
      this.#tick(process);
    });
  }

  #send(from: number, { to, message }: Extract<MembershipEffect, { type: 'send' }>): void {
    const { minDelayMs = 1, maxDelayMs = 10, nodes } = this.#options;
    const frame = encodeMessage(message);
    for (const { address } of to) {
      this.counts.frames++;
      this.counts.bytes += frame.length;
      if (this.#loss > 0 && this.random.float() < this.#loss) {
        this.counts.lost++;
        continue;
      }
      const receiver = Number(address.slice(1));
      const carried = nodes <= mostDecoded ? (decodeMessage(frame) as Message) : message;
      this.queue.after(minDelayMs + this.random.float() * (maxDelayMs - minDelayMs), () => {
        const process = this.#processes.get(receiver);
        const isCut = this.#partOf !== undefined && this.#partOf(from) !== this.#partOf(receiver);
        if (process !== undefined && !isCut) this.#receive(process, from, carried);
      });
    }
  }
}

/** Members that anybody holds for other than they are, each with who does: for messages of tests. */
export function wrongViews(world: MembershipWorld): string[] {
  const running = new Set(world.running);
  const wrong: string[] = [];
  for (const nodeId of running) {
    for (const { record } of world.core(nodeId).view.all()) {
      if ((record.state === 'up') !== running.has(record.nodeId)) wrong.push(said(nodeId, record));
    }
  }
  return wrong;
}

const said = (nodeId: number, { nodeId: other, state, incarnation }: Member) =>
  `${nodeId} sees ${other} ${state} in ${incarnation}`;

function addressOf(nodeId: number): string {
  return `n${nodeId}`;
}
