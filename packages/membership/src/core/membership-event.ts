import type { Member, MemberState } from './member.js';
import type { RefusalReason } from './message.js';

/** A member is now seen in the state that the event is called after; `joined` also where it was new or came back as another start. */
export interface MemberEvent {
  readonly type: 'joined' | 'up' | 'suspect' | 'down' | 'leaving' | 'left' | 'removed';
  readonly member: Member;
  /** Absent: it was not known. */
  readonly before?: MemberState;
}

/** What is told, each once for each change that this node sees. */
export type MembershipEvent =
  | MemberEvent
  /** A member says something else of itself: name, address, instance or tags. */
  | { readonly type: 'changed'; readonly member: Member; readonly previous: Member }
  /** Others held this node for `accused`; it has told them better. */
  | { readonly type: 'refuted'; readonly accused: MemberState; readonly incarnation: number }
  /** This node hears nobody any more, or somebody again. */
  | { readonly type: 'isolated' }
  | { readonly type: 'reconnected' }
  /** This node's event loop was held up: what it did not hear meanwhile proves nothing. At most once in the time to `down`. */
  | { readonly type: 'stalled'; readonly delayMs: number }
  /** Two living members have one name. */
  | { readonly type: 'nameConflict'; readonly member: Member; readonly other: Member }
  /** Another process goes by this node's id, and has the better right to it: this one takes part no more. */
  | { readonly type: 'superseded'; readonly by: Member }
  /** This node was removed: it takes part no more. */
  | { readonly type: 'expelled' }
  /** A node that was asked to let this one in does not want it. */
  | { readonly type: 'refused'; readonly by: number; readonly reason: RefusalReason; readonly text: string };
