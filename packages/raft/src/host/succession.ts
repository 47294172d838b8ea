/**
 * What follows when the process of a leader has ended. Silence tells so after an election timeout; that its connection
 * broke and nobody listens at its address any more tells so at once, and then there is nothing to wait for:
 *
 *   leader gone ─ one and a half ticks, in which one that is there would beat ─► it is forgotten, so that votes are given
 *               ─ and as many quarters as voters of lesser ids are left ─► an election, unless somebody leads by then
 *
 * The first of those who are left has a head start over the next, so that they do not split their votes as chance would
 * have it now and then. It is only a hint: whoever has it wrong asks for votes before the election (pre-vote) and is
 * refused by all who hear their leader.
 */
import type { Timer } from '@shanghai/env';
import type { RawNode } from '../core/raw-node.js';
import type { HostContext } from './host-context.js';

/** A group as its succession sees it. */
export interface SucceedingGroup {
  /** `undefined` where it takes no part. */
  readonly raw: RawNode | undefined;
  readonly voters: readonly number[];
  /** Whether this node may stand for election now. */
  readonly mayStand: boolean;
  /** It ticks again, and is looked at. */
  wake(): void;
  /** Does something with the core. */
  guard(call: (core: { readonly raw: RawNode }) => void): void;
}

const patienceTicks = 1.5;
/** Share of the election timeout. */
const headStart = 1 / 4;

/** The succession in one group, on one node. */
export class Succession {
  readonly #host: HostContext;
  readonly #group: SucceedingGroup;
  #timer: Timer | undefined;
  /** Whose succession is under way. */
  #gone: number | undefined;

  constructor(host: HostContext, group: SucceedingGroup) {
    this.#host = host;
    this.#group = group;
  }

  /** The process of a node has ended. */
  nodeGone(nodeId: number): void {
    if (this.#gone === nodeId || !this.#follows(nodeId)) return;
    const { clock } = this.#host;
    this.#gone = nodeId;
    const goneMs = clock.monotonicMs();
    // What it sent last may still wait to be looked at, too, and would bring it back to mind.
    this.#after(patienceTicks, () => {
      this.#gone = undefined;
      const isBack = (this.#host.heardMs(nodeId) ?? 0) > goneMs;
      if (isBack || !this.#follows(nodeId)) return;
      this.#group.wake();
      this.#group.guard(({ raw }) => raw.forgetLeader());
      const others = this.#group.voters.filter((id) => id !== nodeId).sort((a, b) => a - b);
      const place = others.indexOf(this.#host.nodeId);
      if (place !== -1) this.#after(place * headStart * this.#host.limits.electionTicks, () => this.#stand());
    });
  }

  /** Nothing follows any more. */
  stop(): void {
    this.#gone = undefined;
    this.#timer?.cancel();
  }

  #stand(): void {
    const marks = this.#group.raw?.marks();
    if (marks?.state !== 'StateFollower' || marks.lead !== 0 || !this.#group.mayStand) return;
    this.#group.guard(({ raw }) => raw.campaign());
  }

  #follows(nodeId: number): boolean {
    const marks = this.#group.raw?.marks();
    return marks?.lead === nodeId && marks.state === 'StateFollower' && nodeId !== this.#host.nodeId;
  }

  #after(ticks: number, call: () => void): void {
    const { clock, limits } = this.#host;
    this.#timer?.cancel();
    this.#timer = clock.setTimer(ticks * limits.tickMs, call);
  }
}
