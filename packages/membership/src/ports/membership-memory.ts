/** What a node knows again after a restart. */
export interface RememberedMembership {
  /** The last that was begun. */
  readonly incarnation: number;
  /** Where other members were, also of those who were down. */
  readonly addresses: readonly string[];
}

/** Keeps it. Losing it is survived: the incarnation then begins at the wall clock, which earlier ones do not reach. */
export interface MembershipMemory {
  /** `undefined`: nothing is remembered. */
  load(): Promise<RememberedMembership | undefined>;
  /** Resolves once it is durable. Not called again before. */
  save(remembered: RememberedMembership): Promise<void>;
}
