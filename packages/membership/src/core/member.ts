/** What is known of a node. States as in SWIM (Das, Gupta, Motivala, 2002), with those of an orderly coming and going around them. */
export type MemberState = 'joining' | 'up' | 'suspect' | 'down' | 'leaving' | 'left' | 'removed';

/** The states in the order in which one takes the place of another of the same incarnation; the index is the byte on the wire. */
export const memberStates: readonly MemberState[] = ['joining', 'up', 'suspect', 'down', 'leaving', 'left', 'removed'];

/** A member as one node sees it. Never changed: what is learned makes another one. */
export interface Member {
  /** Never reused. An integer from 1 on. */
  readonly nodeId: number;
  readonly name: string;
  /** `host:port` where it listens for members. */
  readonly address: string;
  /** Other for each directory or installation under the same node id. */
  readonly instanceId: string;
  /** Grows with each start of the node, whenever it refutes a suspicion, and when it says something else of itself. */
  readonly incarnation: number;
  readonly state: MemberState;
  readonly tags: Readonly<Record<string, string>>;
}

/** The place of a state in the order. */
export function rankOf(state: MemberState): number {
  return memberStates.indexOf(state);
}

/** Whether what `next` says is newer than what `known`, of the same node, says. Of two different ones at most one is. */
export function supersedes(next: Pick<Member, 'incarnation' | 'state'>, known: Member): boolean {
  if (known.state === 'removed') return false;
  if (next.state === 'removed') return true;
  if (next.incarnation !== known.incarnation) return next.incarnation > known.incarnation;
  return rankOf(next.state) > rankOf(known.state);
}

/** Whether a member stands on the ring: it observes others and is observed. */
export function isPresent(state: MemberState): boolean {
  return state === 'joining' || state === 'up' || state === 'suspect' || state === 'leaving';
}

/** Whether a member has gone on purpose, and is only remembered so that nobody takes it for one that may come back. */
export function isGone(state: MemberState): boolean {
  return state === 'left' || state === 'removed';
}
