/** What is done to a cluster, and when: a pure function of the seed. Who leads is not known before; `leader` is looked up when it is time. */
import { createSeededRandom, type Random } from '@shanghai/env';

/** Families of faults that can be asked for. */
export const faultKinds = [
  'kill',
  'restart',
  'pause',
  'partition',
  'disk',
  'clock',
  'clients',
  'change',
  'damage',
] as const;

/** See `faultKinds`. */
export type FaultKind = (typeof faultKinds)[number];

/** Ways to take a network apart. */
export const partitionShapes = ['full', 'halves', 'one-way', 'bridge', 'isolate', 'slow'] as const;

/** See `partitionShapes`. */
export type PartitionShape = (typeof partitionShapes)[number];

/** Whom a fault is for. */
export type Target = 'leader' | 'one' | 'minority' | 'all';

/** One fault. `order`: all node ids as they were drawn; whoever a fault is for is taken from its beginning. */
export type Fault = { readonly order: readonly number[] } & (
  | { readonly kind: 'kill' | 'restart' | 'pause'; readonly target: Target }
  | { readonly kind: 'partition'; readonly shape: PartitionShape; readonly target: 'leader' | 'one' }
  | { readonly kind: 'disk'; readonly what: 'full' | 'silent' | 'slow'; readonly target: Target }
  | { readonly kind: 'clock'; readonly byMs: number; readonly target: Target }
  | { readonly kind: 'clients'; readonly target: Target }
  | { readonly kind: 'change'; readonly what: 'join' | 'leave' | 'replace' }
  | { readonly kind: 'damage' }
);

/** A fault with its time, in milliseconds from the beginning; afterwards it is healed. */
export interface Step {
  readonly atMs: number;
  readonly forMs: number;
  readonly fault: Fault;
}

/** What a schedule is drawn from. */
export interface ScheduleOptions {
  readonly seed: number;
  readonly nodes: number;
  readonly seconds: number;
  readonly kinds: readonly FaultKind[];
  /** A follower that hears nothing waits this long to twice this long before it stands for election. */
  readonly electionMs: number;
}

/** Nothing happens at the beginning, so that there is something to lose, and at the end. */
const quietMs = 3_000;

/** The faults in the order of their times. Mostly one at a time, sometimes two. */
export function drawSchedule({ seed, nodes, seconds, kinds, electionMs }: ScheduleOptions): readonly Step[] {
  const random = createSeededRandom(seed);
  const steps: Step[] = [];
  const endMs = seconds * 1000 - quietMs;
  let bag: FaultKind[] = [];
  const nextKind = () => {
    // Every kind comes before one comes again.
    if (bag.length === 0) bag = shuffled(random, kinds);
    return bag.pop() as FaultKind;
  };
  for (let atMs = quietMs; kinds.length > 0 && atMs < endMs; ) {
    const together = random.float() < 0.3 && kinds.length > 1 ? 2 : 1;
    let longestMs = 0;
    let before: FaultKind | undefined;
    for (let i = 0; i < together; i++) {
      const kind = nextKind();
      if (kind === before) break;
      before = kind;
      const fault = drawFault(random, kind, shuffled(random, idsOf(nodes)));
      const startMs = Math.min(endMs, atMs + (i === 0 ? 0 : random.below(1500)));
      const forMs = Math.min(durationMs(random, fault, electionMs), Math.max(500, endMs - startMs));
      steps.push({ atMs: startMs, forMs, fault });
      longestMs = Math.max(longestMs, startMs - atMs + forMs);
    }
    atMs += longestMs + 800 + random.below(2500);
  }
  return steps.sort((a, b) => a.atMs - b.atMs);
}

/** A step in a few words. */
export function describeStep({ atMs, forMs, fault }: Step): string {
  return `${(atMs / 1000).toFixed(1).padStart(6)} s  ${describeFault(fault)}, for ${(forMs / 1000).toFixed(1)} s`;
}

/** A fault in a few words, without the ids that a leader may still change. */
export function describeFault(fault: Fault): string {
  const whom = (target: Target) =>
    target === 'leader' || target === 'all' ? target : `${target} (${fault.order[0]} …)`;
  switch (fault.kind) {
    case 'kill':
    case 'restart':
    case 'pause':
      return `${fault.kind} ${whom(fault.target)}`;
    case 'partition':
      return `partition ${fault.shape} of ${whom(fault.target)}`;
    case 'disk':
      return `disk ${fault.what} of ${whom(fault.target)}`;
    case 'clock':
      return `clock of ${whom(fault.target)} by ${fault.byMs} ms`;
    case 'clients':
      return `clients cut off from ${whom(fault.target)}`;
    case 'change':
      return `change: ${fault.what}`;
    case 'damage':
      return `kill of ${fault.order[0]} and damage of its copy of another's stream`;
  }
}

function idsOf(nodes: number): number[] {
  return Array.from({ length: nodes }, (_, i) => i + 1);
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const mixed = [...items];
  for (let i = mixed.length - 1; i > 0; i--) {
    const other = random.below(i + 1);
    [mixed[i], mixed[other]] = [mixed[other] as T, mixed[i] as T];
  }
  return mixed;
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[random.below(items.length)] as T;
}

function drawFault(random: Random, kind: FaultKind, order: readonly number[]): Fault {
  switch (kind) {
    case 'kill':
      return { kind, order, target: pick(random, ['leader', 'leader', 'one', 'minority', 'all']) };
    case 'restart':
    case 'pause':
      return { kind, order, target: pick(random, ['leader', 'leader', 'one', 'minority']) };
    case 'partition':
      return { kind, order, shape: pick(random, partitionShapes), target: pick(random, ['leader', 'one']) };
    case 'disk':
      return {
        kind,
        order,
        what: pick(random, ['full', 'silent', 'slow']),
        target: pick(random, ['leader', 'one', 'minority', 'all']),
      };
    case 'clock': {
      const byMs = pick(random, [-3_600_000, -60_000, -5_000, -500, 500, 5_000, 60_000, 3_600_000]);
      return { kind, order, byMs, target: pick(random, ['leader', 'one', 'minority']) };
    }
    case 'clients':
      return { kind, order, target: pick(random, ['leader', 'minority']) };
    case 'change':
      return { kind, order, what: pick(random, ['join', 'leave', 'replace']) };
    case 'damage':
      return { kind, order };
  }
}

function durationMs(random: Random, fault: Fault, electionMs: number): number {
  switch (fault.kind) {
    case 'kill':
    case 'restart':
    case 'damage':
      return 300 + random.below(4000);
    case 'pause':
      // Up to twice the longest election time, so that a leader comes back both before and after it was replaced.
      return 200 + random.below(electionMs * 4);
    case 'disk':
      return fault.what === 'silent' ? 300 + random.below(electionMs * 4) : 2000 + random.below(4000);
    case 'clock':
      return 1000 + random.below(5000);
    case 'partition':
    case 'clients':
      return 1500 + random.below(7000);
    case 'change':
      return 10_000;
  }
}
