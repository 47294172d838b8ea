/**
 * Whether this node's wall clock can be believed: it is compared with those of the peers.
 *
 * A peer's clock was read at some moment between question and answer, so what is known is an interval: how much its wall
 * time is ahead of this node's *monotonic* time. Reckoned like that, a jump of the own wall clock shows at the next look,
 * without a word from anybody, and only a jump of a peer's needs a new answer. An interval counts by the end that is
 * kinder to the own clock: delays, whichever way, never make it look worse than it is.
 *
 * One clock against one other proves nothing, one that is apart from most of the others in one direction does. A clock is
 * off beyond `maxOffsetMs` and stays so until it is within `endOffsetMs`, so that one at the edge does not change all the
 * time. The drift of good clocks within the age of an answer is some milliseconds, and is not reckoned with.
 */

/** An answer to the question for the time. Times are this node's monotonic ones but for `wallMs`, the peer's. */
export interface ClockReading {
  readonly askedMs: number;
  readonly answeredMs: number;
  readonly wallMs: number;
}

/** What is held of the own clock. */
export interface ClockVerdict {
  /**
   * Milliseconds by which the own clock is ahead of a majority of the peers that were heard, by the least they agree on;
   * negative: behind; 0: they do not agree on any. `undefined`: too few were heard.
   */
  readonly offsetMs: number | undefined;
  /** The own clock is not to be believed. */
  readonly isOff: boolean;
  /** Enough peers were heard to say so, or there are none to hear. */
  readonly isKnown: boolean;
  /** Peers whose clocks are known. */
  readonly peersHeard: number;
  /**
   * What the wall time that is surely not ahead of every good clock is ahead of the own *monotonic* time, in ms: of the
   * own clock and the known ones the latest are left out, half as many as there are members. `undefined` where fewer are known.
   */
  readonly safeLeadMs: number | undefined;
}

/** Beyond this a clock is off. Milliseconds. */
export const maxClockOffsetMs = 10_000;

/** Within this it is not any more. Milliseconds. */
export const endClockOffsetMs = 5_000;

/** A better answer counts for so long before one that took longer. Milliseconds. */
const keptMs = 10_000;

/** How much a peer's wall time is ahead of the own monotonic time: at least, at most, and since when that is known. */
interface Lead {
  readonly least: number;
  readonly most: number;
  readonly answeredMs: number;
}

/** Judges one node's clock. */
export class ClockJudge {
  readonly #leads = new Map<number, Lead>();
  #isOff = false;

  /** Takes an answer in. */
  hear(nodeId: number, { askedMs, answeredMs, wallMs }: ClockReading): void {
    // Wall time is told in whole milliseconds, rounded down.
    const lead = { least: wallMs - answeredMs, most: wallMs + 1 - askedMs, answeredMs };
    const known = this.#leads.get(nodeId);
    if (known === undefined || !isBetter(known, lead)) this.#leads.set(nodeId, lead);
  }

  /** Whether a peer's clock is known. */
  knows(nodeId: number): boolean {
    return this.#leads.has(nodeId);
  }

  /** Looks at the own clock, as it is at a moment. `peers`: who counts; what is known of others is forgotten. */
  judge(wallMs: number, monotonicMs: number, peers: readonly number[]): ClockVerdict {
    for (const nodeId of this.#leads.keys()) if (!peers.includes(nodeId)) this.#leads.delete(nodeId);
    const own = wallMs - monotonicMs;
    const leads = [...this.#leads.values()];
    const peersHeard = leads.length;
    const safeLeadMs = peersHeard === 0 ? undefined : safest(own, leads, peers.length + 1);
    // With itself they make a majority of everybody.
    const isEnough = peersHeard > 0 && peersHeard >= Math.floor((peers.length + 1) / 2);
    if (!isEnough) {
      if (peers.length === 0) this.#isOff = false;
      return { offsetMs: undefined, isOff: this.#isOff, isKnown: peers.length === 0, peersHeard, safeLeadMs };
    }
    const ahead = agreed(leads.map(({ most }) => own - most));
    const behind = agreed(leads.map(({ least }) => least - own));
    const offsetMs = ahead > 0 ? ahead : behind > 0 ? -behind : 0;
    const limitMs = this.#isOff ? endClockOffsetMs : maxClockOffsetMs;
    this.#isOff = Math.abs(offsetMs) > limitMs;
    return { offsetMs, isOff: this.#isOff, isKnown: true, peersHeard, safeLeadMs };
  }
}

/** The known one says more, and the newer one does not contradict it. */
function isBetter(known: Lead, newer: Lead): boolean {
  if (newer.answeredMs - known.answeredMs > keptMs) return false;
  const isContradicted = newer.least > known.most || newer.most < known.least;
  return !isContradicted && known.most - known.least < newer.most - newer.least;
}

/** The most that a majority of the values reaches. */
function agreed(values: readonly number[]): number {
  const descending = [...values].sort((a, b) => b - a);
  return descending[Math.floor(values.length / 2)] as number;
}

/** The latest clock behind as many as half of the members are. */
function safest(own: number, leads: readonly Lead[], members: number): number | undefined {
  const descending = [own, ...leads.map(({ least, most }) => (least + most) / 2)].sort((a, b) => b - a);
  return descending[Math.floor(members / 2)];
}
