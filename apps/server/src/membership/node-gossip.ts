import type { MemberSight } from '@shanghai/membership';
import type { NodeStatus } from '../node.js';

/** Something that this node was told of a member, or noticed of itself. */
export interface GossipEvent {
  /** From 1 on since the node started, without gaps. */
  readonly number: number;
  /** Wall time, milliseconds since 1970. */
  readonly atMs: number;
  readonly type: string;
  readonly nodeId: number;
  readonly name: string;
  readonly address: string;
  /** The state before; empty: none, or the event is about something else. */
  readonly before: string;
  /** In words, where there is more to say. */
  readonly detail: string;
}

/** Events from a question on. */
export interface GossipEventPage {
  readonly events: readonly GossipEvent[];
  /** Of the last event there is; 0: none yet. */
  readonly last: number;
}

/** A member as this node sees it, called as the people call it. */
export type GossipMember = MemberSight;

/** Who is there and alive, as this node sees it. Decides nothing. */
export interface NodeGossip {
  /** By id, this node among them. */
  members(): readonly GossipMember[];
  view(): { readonly isIsolated: boolean; readonly viewHash: number };
  /** At most `limit` of those kept that are behind `after`, the oldest first. */
  events(after: number, limit: number): GossipEventPage;
  /** Resolves when there is an event behind `after`, when `waitMs` are over, or when the node closes. */
  waitForEvent(after: number, waitMs: number): Promise<void>;
}

/** The view of a node that is alone: itself. */
export function aloneGossip(status: () => NodeStatus): NodeGossip {
  return {
    members() {
      const { nodeId, nodeName: name, instanceId } = status();
      const said = { name, address: '', instanceId, incarnation: 1, tags: {} };
      return [{ nodeId, ...said, state: 'up', heardAgoMs: 0, isObserved: false }];
    },
    view: () => ({ isIsolated: false, viewHash: 0 }),
    events: () => ({ events: [], last: 0 }),
    // Nothing will come: who waits asks again at once, and must not ask all the time.
    waitForEvent: (_after, waitMs) => new Promise((resolve) => setTimeout(resolve, waitMs).unref()),
  };
}
