/** What is done to a simulated cluster, and what is measured of it; each phase begins and ends with all nodes seeing the same. */
import type { MembershipSettings } from '@shanghai/membership';
import { MembershipWorld, type SeenEvent, wrongViews } from './membership-world.js';

/** Milliseconds, of all measured: least, middle, 99 of 100, most. */
export interface Spread {
  readonly count: number;
  readonly min: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** How crashes were seen. */
export interface Detection {
  /** From the crash to the first node that held it for suspect, or down. */
  readonly suspect: Spread;
  readonly down: Spread;
  /** From the first that held it for down to the last. */
  readonly spread: Spread;
}

/** What a cluster did in a time without crashes. */
export interface Steadiness {
  /** Nodes that somebody held for suspect while nothing was wrong with them. */
  readonly falseSuspicions: number;
  readonly falseDowns: number;
  /** Of those that hung, how many were held for suspect. */
  readonly trueSuspicions: number;
  readonly messagesPerNodeSecond: number;
  readonly bytesPerNodeSecond: number;
}

/** A cluster that was made and brought together. */
export interface Started {
  readonly world: MembershipWorld;
  /** From the last start until all see the same. */
  readonly convergedMs: number;
}

/** What a simulation is of. */
export interface PhaseOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly loss: number;
  readonly settings: MembershipSettings;
}

const longestMs = 600_000;

/** Starts all nodes within two seconds. Throws where they do not come to see the same. */
export function start(options: PhaseOptions): Started {
  const world = new MembershipWorld(options);
  world.startAll(2_000);
  world.run(2_000);
  return { world, convergedMs: converge(world, 'after the start') };
}

/** Lets them come to see the same; says how long that took. */
export function converge(world: MembershipWorld, when: string): number {
  const tookMs = world.runUntil(() => world.isConverged(), longestMs);
  if (tookMs === undefined) throw new Error(`not of one view ${when}: ${wrongViews(world).slice(0, 5).join('; ')}`);
  return tookMs;
}

/** Crashes `count` nodes, one after the other, each at a moment of its own, and starts each again. */
export function crashes({ world }: Started, count: number): Detection {
  const [suspect, down, spread]: number[][] = [[], [], []];
  for (let i = 0; i < count; i++) {
    // Not within the moment in which the others enter it: from then on they count its silence.
    world.run(1_000 + world.random.float() * 5_000);
    const running = world.running;
    const nodeId = running[world.random.below(running.length)] as number;
    world.seen.length = 0;
    const atMs = world.nowMs;
    world.crash(nodeId);
    const others = running.length - 1;
    const isDone = () => seenOf(world.seen, nodeId, 'down').length >= others;
    if (world.runUntil(isDone, longestMs) === undefined) throw new Error(`not all saw that node ${nodeId} is down`);
    suspect?.push(firstOf(world.seen, nodeId, 'suspect') - atMs);
    down?.push(firstOf(world.seen, nodeId, 'down') - atMs);
    spread?.push((seenOf(world.seen, nodeId, 'down').at(-1)?.atMs as number) - firstOf(world.seen, nodeId, 'down'));
    world.start(nodeId);
    converge(world, `after node ${nodeId} came back`);
  }
  return { suspect: spreadOf(suspect ?? []), down: spreadOf(down ?? []), spread: spreadOf(spread ?? []) };
}

/** Lets time pass; `stallsPerMinute` of all nodes together hang for 0.5 to 8 s. */
export function steady({ world }: Started, minutes: number, stallsPerMinute: number): Steadiness {
  const nodes = world.running.length;
  const before = { ...world.counts };
  const tally = { falseSuspicions: 0, falseDowns: 0, trueSuspicions: 0 };
  const told = new Set<string>();
  const stepMs = 50;
  const steps = (minutes * 60_000) / stepMs;
  for (let i = 0; i < steps; i++) {
    if (world.random.float() * 60_000 < stallsPerMinute * stepMs) {
      const nodeId = 1 + world.random.below(nodes);
      world.stall(nodeId, 500 + world.random.float() * 7_500);
    }
    world.seen.length = 0;
    world.run(stepMs);
    for (const { event } of world.seen) {
      if (event.type !== 'suspect' && event.type !== 'down') continue;
      const { nodeId, incarnation } = event.member;
      const key = `${event.type} ${nodeId} ${incarnation}`;
      if (told.has(key)) continue;
      told.add(key);
      if (!world.isInnocent(nodeId)) tally.trueSuspicions++;
      else if (event.type === 'suspect') tally.falseSuspicions++;
      else tally.falseDowns++;
    }
  }
  const nodeSeconds = nodes * minutes * 60;
  return {
    ...tally,
    messagesPerNodeSecond: (world.counts.frames - before.frames) / nodeSeconds,
    bytesPerNodeSecond: (world.counts.bytes - before.bytes) / nodeSeconds,
  };
}

/** Divides the cluster in halves for a time; says how long after it they see the same. */
export function partition({ world }: Started, forMs: number): number {
  world.divide((nodeId) => nodeId % 2);
  world.run(forMs);
  world.divide(undefined);
  return converge(world, 'after the partition');
}

/** Crashes all at one moment and starts them again within ten seconds, each knowing three addresses; says how long it took behind that. */
export function massRestart({ world }: Started): number {
  const all = world.running;
  for (const nodeId of all) world.crash(nodeId);
  for (const nodeId of all) world.queue.after(world.random.float() * 10_000, () => world.start(nodeId));
  world.run(10_000);
  return converge(world, 'after all were started again');
}

/** Crashes and starts one node again and again; says how long after the last start all see the same. */
export function flapping({ world }: Started, times: number): number {
  for (let i = 0; i < times; i++) {
    world.crash(1);
    world.run(2_000 + world.random.float() * 18_000);
    world.start(1, [2, 3]);
    world.run(world.random.float() * 3_000);
  }
  return converge(world, 'after the flapping');
}

function seenOf(seen: readonly SeenEvent[], nodeId: number, type: 'suspect' | 'down'): readonly SeenEvent[] {
  return seen.filter(({ event }) => event.type === type && event.member.nodeId === nodeId);
}

function firstOf(seen: readonly SeenEvent[], nodeId: number, type: 'suspect' | 'down'): number {
  return seenOf(seen, nodeId, type)[0]?.atMs ?? Number.POSITIVE_INFINITY;
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
  return { count: sorted.length, min: at(0), p50: at(0.5), p99: at(0.99), max: at(1) };
}
