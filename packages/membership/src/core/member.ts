/** What is known of a node. States as in SWIM (Das, Gupta, Motivala, 2002), with those of an orderly coming and going around them. */
export type MemberState = 'joining' | 'up' | 'suspect' | 'down' | 'leaving' | 'left';

/** A member as one node sees it. */
export interface Member {
  /** Never reused. */
  readonly nodeId: number;
  readonly name: string;
  /** `host:port` of its peer listener. */
  readonly address: string;
  /** Grows with each start of the node, and whenever it refutes a suspicion. */
  readonly incarnation: number;
  readonly state: MemberState;
  readonly tags: Readonly<Record<string, string>>;
}
