/**
 * Hybrid logical clocks: wall time where it moves, a counter where it does not, so that every event of a node is later than
 * all it has seen (Kulkarni, Demirbas, Madappa, Avva, Leone: "Logical Physical Clocks", 2014). In bytes a stamp is 48 bits
 * of milliseconds and 16 bits of counter, most significant first, and so ordered bytewise; in memory two numbers, because
 * 64 bits do not fit into one.
 */

/** A moment. Immutable. */
export interface Hlc {
  /** Milliseconds since 1970, below 2^48. */
  readonly ms: number;
  /** Below 2^16. */
  readonly counter: number;
}

/** Before every stamp that is given out. */
export const zeroHlc: Hlc = { ms: 0, counter: 0 };

/** Counters go up to this; behind it a millisecond is borrowed from the future. */
export const maxHlcCounter = 0xffff;

/** Bytes of an encoded stamp. */
export const hlcBytes = 8;

/** Below zero where `a` is earlier, above where it is later. */
export function compareHlc(a: Hlc, b: Hlc): number {
  return a.ms - b.ms || a.counter - b.counter;
}

/** The stamp right behind. */
export function nextHlc({ ms, counter }: Hlc): Hlc {
  return counter < maxHlcCounter ? { ms, counter: counter + 1 } : { ms: ms + 1, counter: 0 };
}

/** The first stamp of an event at `nowMs` that is later than `last`. */
export function stampHlc(last: Hlc, nowMs: number): Hlc {
  return nowMs > last.ms ? { ms: nowMs, counter: 0 } : nextHlc(last);
}

/** The stamp `steps` behind `first`, for the events of one batch. `steps` ≥ 0. */
export function advanceHlc({ ms, counter }: Hlc, steps: number): Hlc {
  const sum = counter + steps;
  const range = maxHlcCounter + 1;
  return { ms: ms + Math.floor(sum / range), counter: sum % range };
}

/** The later of two. */
export function laterHlc(a: Hlc, b: Hlc): Hlc {
  return compareHlc(a, b) >= 0 ? a : b;
}

/** The earlier of two. */
export function earlierHlc(a: Hlc, b: Hlc): Hlc {
  return compareHlc(a, b) <= 0 ? a : b;
}
