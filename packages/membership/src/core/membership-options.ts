/**
 * Times and numbers of the protocol. A node is observed by several others; what is not heard for a while is first asked
 * for, directly and then through others, so that a lost message never accuses anybody. Times are no multiples of the
 * heartbeat: a limit of two intervals would trip at the first loss.
 */

/** Milliseconds unless named otherwise. The same on all nodes of a cluster. */
export interface MembershipSettings {
  /** Between heartbeats of a node to its observers. Default 5,000. Lower finds failures sooner and costs messages. */
  readonly heartbeatMs: number;
  /** Silence after which a node is pinged. Default 6,500; above the heartbeat. */
  readonly probeAfterMs: number;
  /** Between pings of a silent node; others have four fifths of it to answer in its place. Default 1,000. */
  readonly probeEveryMs: number;
  /** Silence after which an observer votes. Default 9,000; at least two probes after the first. */
  readonly accuseAfterMs: number;
  /** Silence after which a node is suspect, votes permitting. Default 10,000. */
  readonly suspectAfterMs: number;
  /** Silence after which it is down, votes permitting. Default 15,000. */
  readonly downAfterMs: number;
  /** How many observe each node. Default 10. */
  readonly observers: number;
  /** How many others are asked to ping a silent node at a time. Default 3. */
  readonly helpers: number;
  /** Between rounds of gossip, where there is something to say. Default 200. */
  readonly gossipEveryMs: number;
  /** To how many a round goes. Default 3. */
  readonly gossipFanOut: number;
  /** Bytes of a gossip frame; more waits for the next round. Default 16,384. */
  readonly gossipBytes: number;
  /** Between comparisons of the whole view with a random member. Default 30,000. */
  readonly digestEveryMs: number;
  /** Between attempts to reach members that are down, and addresses where nobody is known. Default 10,000. */
  readonly rejoinEveryMs: number;
  /** Being held up for so long spoils what was not heard meanwhile. Default 500. */
  readonly stallMs: number;
}

/** What holds where nothing is said: nodes in one network. */
export const defaultMembershipSettings: MembershipSettings = {
  heartbeatMs: 5_000,
  probeAfterMs: 6_500,
  probeEveryMs: 1_000,
  accuseAfterMs: 9_000,
  suspectAfterMs: 10_000,
  downAfterMs: 15_000,
  observers: 10,
  helpers: 3,
  gossipEveryMs: 200,
  gossipFanOut: 3,
  gossipBytes: 16_384,
  digestEveryMs: 30_000,
  rejoinEveryMs: 10_000,
  stallMs: 500,
};

/** Where the nodes are: on one machine, in one network, or far from each other. */
export type MembershipProfile = 'local' | 'lan' | 'wan';

/** The profiles, each a function over the defaults. */
export const membershipProfiles: Readonly<
  Record<MembershipProfile, (defaults: MembershipSettings) => MembershipSettings>
> = {
  local: (defaults) => ({
    ...defaults,
    heartbeatMs: 1_000,
    probeAfterMs: 1_300,
    probeEveryMs: 200,
    accuseAfterMs: 1_800,
    suspectAfterMs: 2_000,
    downAfterMs: 3_000,
    gossipEveryMs: 50,
    digestEveryMs: 10_000,
    rejoinEveryMs: 3_000,
    stallMs: 250,
  }),
  lan: (defaults) => defaults,
  wan: (defaults) => ({
    ...defaults,
    heartbeatMs: 10_000,
    probeAfterMs: 13_000,
    probeEveryMs: 3_000,
    accuseAfterMs: 27_000,
    suspectAfterMs: 30_000,
    downAfterMs: 60_000,
    gossipEveryMs: 500,
    digestEveryMs: 60_000,
    rejoinEveryMs: 20_000,
    stallMs: 1_000,
  }),
};

/** What a caller may say: a profile, and what is other than in it. */
export interface MembershipTuning extends Partial<MembershipSettings> {
  /** Default `lan`. */
  readonly profile?: MembershipProfile;
}

/** Fills in what is missing. Throws `RangeError` where a number is not an integer from 1 on, or times are out of order. */
export function resolveMembershipSettings(tuning: MembershipTuning = {}): MembershipSettings {
  const { profile = 'lan', ...said } = tuning;
  const settings = { ...membershipProfiles[profile](defaultMembershipSettings), ...said };
  for (const [name, value] of Object.entries(settings)) {
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${name} is ${value}; it is at least 1`);
  }
  const { heartbeatMs, probeAfterMs, probeEveryMs, accuseAfterMs, suspectAfterMs, downAfterMs } = settings;
  const order = [
    ['heartbeatMs', heartbeatMs, 'probeAfterMs', probeAfterMs],
    ['probeAfterMs plus two times probeEveryMs', probeAfterMs + 2 * probeEveryMs - 1, 'accuseAfterMs', accuseAfterMs],
    ['accuseAfterMs', accuseAfterMs, 'suspectAfterMs', suspectAfterMs],
    ['suspectAfterMs', suspectAfterMs, 'downAfterMs', downAfterMs],
  ] as const;
  for (const [less, lessMs, more, moreMs] of order) {
    if (lessMs >= moreMs) throw new RangeError(`${more} is ${moreMs}; it is more than ${less}, ${lessMs}`);
  }
  return settings;
}
