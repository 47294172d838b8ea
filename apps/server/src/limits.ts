/** The bounds of a node, with units. Those that apply enforces (`maxValueBytes`) are recorded in the cluster's settings at the first start. */
export interface NodeLimits {
  /** Default 65,536, the most there can be. */
  readonly maxKeyBytes: number;
  /** Largest value. Default 16 MiB. */
  readonly maxValueBytes: number;
  /** Keys and values of a request. Default 20 MiB. */
  readonly maxRequestBytes: number;
  /** Operations of a batch, records of an append. Default 10,000. */
  readonly maxOperations: number;
  /** Writes of a group in flight. Default 16,384. */
  readonly maxProposals: number;
  /** Their bytes. Default 64 MiB. */
  readonly maxProposalBytes: number;
  /** A write that waits for longer (up to twice as long) is an unknown outcome. Default 5,000. */
  readonly proposalTimeoutMs: number;
  /** A read that waits for longer until what it must see is applied here is refused. Default 3,000. */
  readonly readTimeoutMs: number;
  /** Pairs in a page of a range. Default 1,000. */
  readonly pagePairs: number;
  /** Bytes in a page, of a range, a log or a watch; one item is returned all the same. Default 1 MiB. */
  readonly pageBytes: number;
  /** Applied changes a group keeps for watchers. Default 16,384. */
  readonly watchChanges: number;
  /** Their bytes. Default 32 MiB. */
  readonly watchBytes: number;
  /** Named logs whose files are open at once. Default 64. */
  readonly openLogs: number;
}

/** What holds where nothing else is said. */
export const defaultLimits: NodeLimits = {
  maxKeyBytes: 65_536,
  maxValueBytes: 16 * 1024 * 1024,
  maxRequestBytes: 20 * 1024 * 1024,
  maxOperations: 10_000,
  maxProposals: 16_384,
  maxProposalBytes: 64 * 1024 * 1024,
  proposalTimeoutMs: 5_000,
  readTimeoutMs: 3_000,
  pagePairs: 1_000,
  pageBytes: 1024 * 1024,
  watchChanges: 16_384,
  watchBytes: 32 * 1024 * 1024,
  openLogs: 64,
};

/** Fills and checks limits. `RangeError` where they contradict each other: value ≤ request ≤ bytes in flight. */
export function resolveLimits(given: Partial<NodeLimits> = {}): NodeLimits {
  const limits = { ...defaultLimits, ...given };
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 1) throw new RangeError(`${name} must be an integer ≥ 1, got ${value}`);
  }
  if (limits.maxKeyBytes > 65_536) throw new RangeError(`maxKeyBytes must be at most 65536, got ${limits.maxKeyBytes}`);
  if (limits.maxValueBytes > limits.maxRequestBytes) {
    throw new RangeError(
      `maxValueBytes (${limits.maxValueBytes}) is beyond maxRequestBytes (${limits.maxRequestBytes})`,
    );
  }
  if (limits.maxRequestBytes + framingBytes(limits) > limits.maxProposalBytes) {
    throw new RangeError(
      `maxRequestBytes (${limits.maxRequestBytes}) and its framing are beyond maxProposalBytes (${limits.maxProposalBytes})`,
    );
  }
  return limits;
}

/** The largest entry of a command log, and so the largest record of the write-ahead log. */
export function maxEntryBytes(limits: NodeLimits): number {
  return limits.maxRequestBytes + framingBytes(limits);
}

/** What framing adds to a request of the largest number of operations, at most. */
function framingBytes(limits: NodeLimits): number {
  return 1024 + 64 * limits.maxOperations;
}
