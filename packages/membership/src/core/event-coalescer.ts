/**
 * Fewer events for those who want to act on what holds and not on every change: the changes of a member within a window
 * become one event, that of where it ended, and none where it ended where it began.
 */
import type { MemberState } from './member.js';
import type { MemberEvent, MembershipEvent } from './membership-event.js';

/** How long events are gathered. */
export interface CoalescingOptions {
  /** A member is told of once nothing was heard of it for so long; milliseconds. */
  readonly quietMs: number;
  /** And at the latest so long after the first change; at least `quietMs`. */
  readonly longestMs: number;
}

interface Held {
  readonly before: MemberState | undefined;
  readonly firstMs: number;
  lastMs: number;
  event: MemberEvent;
}

/** Holds events of members back. Others pass at once. */
export class EventCoalescer {
  readonly #options: CoalescingOptions;
  readonly #held = new Map<number, Held>();

  constructor(options: CoalescingOptions) {
    const { quietMs, longestMs } = options;
    if (!(quietMs > 0 && longestMs >= quietMs)) {
      throw new RangeError(
        `quietMs is ${quietMs}, longestMs ${longestMs}; the first is above 0, the second not below it`,
      );
    }
    this.#options = options;
  }

  /** When the next of those held is due. */
  get dueMs(): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const held of this.#held.values()) dueMs = Math.min(dueMs, this.#dueOf(held));
    return dueMs;
  }

  /** Takes an event, and gives it back where it is not held. */
  take(event: MembershipEvent, nowMs: number): MembershipEvent | undefined {
    if (!isMemberEvent(event)) return event;
    const { nodeId } = event.member;
    const held = this.#held.get(nodeId);
    if (held === undefined) this.#held.set(nodeId, { before: event.before, firstMs: nowMs, lastMs: nowMs, event });
    else {
      held.lastMs = nowMs;
      held.event = event;
    }
    return undefined;
  }

  /** Those that are due, in the order in which they began. */
  due(nowMs: number): MembershipEvent[] {
    const events: MembershipEvent[] = [];
    for (const [nodeId, held] of this.#held) {
      if (this.#dueOf(held) > nowMs) continue;
      this.#held.delete(nodeId);
      const { before, event } = held;
      if (before === event.member.state) continue;
      const { type, member } = event;
      events.push(before === undefined ? { type, member } : { type, member, before });
    }
    return events;
  }

  #dueOf({ firstMs, lastMs }: Held): number {
    return Math.min(lastMs + this.#options.quietMs, firstMs + this.#options.longestMs);
  }
}

/** Whether an event says in which state a member is now. */
export function isMemberEvent(event: MembershipEvent): event is MemberEvent {
  switch (event.type) {
    case 'joined':
    case 'up':
    case 'suspect':
    case 'down':
    case 'leaving':
    case 'left':
    case 'removed':
      return true;
    case 'changed':
    case 'refuted':
    case 'isolated':
    case 'reconnected':
    case 'stalled':
    case 'nameConflict':
    case 'superseded':
    case 'expelled':
    case 'refused':
      return false;
  }
}
