import type { LogStorage } from './log/log-storage.js';
import type { TraceListener } from './trace.js';

/** How a leader knows that a read is not stale. */
export type ReadOnlyOption =
  /** A majority confirms the leader in a round that began after the read came. */
  | 'safe'
  /** The leader trusts that nobody else was elected, from one check of the quorum to the next but one. Needs `checkQuorum`; can be stale. */
  | 'leaseBased';

/** What a node is made of. Times are in ticks; what a tick is, the caller decides. */
export interface RaftOptions {
  /** This node, in [1, 2^53). */
  readonly id: number;
  readonly storage: LogStorage;
  /** What the state machine holds already. Default: nothing behind the snapshot. */
  readonly applied?: number;
  /** Ticks without a leader before an election, drawn anew from [this, 2 × this) each time. Above `heartbeatTick`. */
  readonly electionTick: number;
  /** Ticks between a leader's heartbeats, ≥ 1. */
  readonly heartbeatTick: number;
  /** A whole number in [0, limit): for election timeouts. Seeded, the node's whole behaviour can be repeated. */
  readonly random: (limit: number) => number;
  /** Bytes of entries in one append; at least one entry is sent. Default: no limit. */
  readonly maxSizePerMessage?: number;
  /** Bytes of entries with the state machine at a time. Default: `maxSizePerMessage`. */
  readonly maxCommittedSizePerReady?: number;
  /** Bytes of a leader's entries that are not committed; beyond it proposals are refused. Default: no limit. */
  readonly maxUncommittedBytes?: number;
  /** Appends on their way to one follower, ≥ 1. Default 256. */
  readonly maxInflightMessages?: number;
  /** Bytes on their way to one follower. 0 (default) = no limit. */
  readonly maxInflightBytes?: number;
  /** Storage is written to by messages that are answered, beside everything else. Default false: by `ready` and `advance`. */
  readonly asyncStorageWrites?: boolean;
  /** A leader that hears no majority for an election timeout steps down; who hears a leader does not vote. Default false. */
  readonly checkQuorum?: boolean;
  /** Ask whether an election could be won before the term is raised. Default false. */
  readonly preVote?: boolean;
  /** Default `'safe'`. */
  readonly readOnly?: ReadOnlyOption;
  /** Refuse proposals at followers rather than pass them on. Default false. */
  readonly disableProposalForwarding?: boolean;
  /** Take configuration changes that are not known to be safe now; the application checks them. Default false. */
  readonly disableConfChangeValidation?: boolean;
  /** A leader that a change removes, or makes a learner, steps down when it applies it. Default false. */
  readonly stepDownOnRemoval?: boolean;
  /** Told of every decision; for tests and the curious. */
  readonly trace?: TraceListener;
}

/** Options with their defaults. */
export type ResolvedRaftOptions = Required<Omit<RaftOptions, 'applied' | 'trace'>> &
  Pick<RaftOptions, 'applied' | 'trace'>;

/** Fills in defaults. Throws `RangeError` for what is out of range. */
export function resolveRaftOptions(options: RaftOptions): ResolvedRaftOptions {
  const maxSizePerMessage = options.maxSizePerMessage ?? Number.POSITIVE_INFINITY;
  const resolved = {
    maxSizePerMessage,
    maxCommittedSizePerReady: maxSizePerMessage,
    maxUncommittedBytes: Number.POSITIVE_INFINITY,
    maxInflightMessages: 256,
    maxInflightBytes: 0,
    asyncStorageWrites: false,
    checkQuorum: false,
    preVote: false,
    readOnly: 'safe' as const,
    disableProposalForwarding: false,
    disableConfChangeValidation: false,
    stepDownOnRemoval: false,
    ...options,
  };
  checkOptions(resolved);
  return resolved;
}

function checkOptions(options: ResolvedRaftOptions): void {
  const { id, electionTick, heartbeatTick, applied, maxInflightMessages, maxInflightBytes, readOnly } = options;
  const { maxSizePerMessage, maxUncommittedBytes, maxCommittedSizePerReady, checkQuorum } = options;
  if (!isWhole(id, 1)) throw new RangeError(`id must be a whole number above 0, not ${id}`);
  if (applied !== undefined && !isWhole(applied, 0)) {
    throw new RangeError(`applied must be a whole number from 0, not ${applied}`);
  }
  if (!isWhole(heartbeatTick, 1)) {
    throw new RangeError(`heartbeatTick must be a whole number above 0, not ${heartbeatTick}`);
  }
  if (!isWhole(electionTick, heartbeatTick + 1)) {
    throw new RangeError(`electionTick must be above heartbeatTick (${heartbeatTick}), not ${electionTick}`);
  }
  if (!isWhole(maxInflightMessages, 1)) {
    throw new RangeError(`maxInflightMessages must be a whole number above 0, not ${maxInflightMessages}`);
  }
  if (!(maxSizePerMessage >= 0)) throw new RangeError(`maxSizePerMessage must be at least 0, not ${maxSizePerMessage}`);
  if (maxInflightBytes !== 0 && !(maxInflightBytes >= maxSizePerMessage)) {
    throw new RangeError(`maxInflightBytes must be at least maxSizePerMessage (${maxSizePerMessage}), or 0`);
  }
  if (!(maxUncommittedBytes >= 0)) {
    throw new RangeError(`maxUncommittedBytes must be at least 0, not ${maxUncommittedBytes}`);
  }
  if (!(maxCommittedSizePerReady > 0)) {
    throw new RangeError(`maxCommittedSizePerReady must be above 0, not ${maxCommittedSizePerReady}`);
  }
  if (readOnly === 'leaseBased' && !checkQuorum) throw new RangeError("readOnly 'leaseBased' needs checkQuorum");
}

function isWhole(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least;
}
