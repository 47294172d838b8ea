/**
 * What a majority of voters has in common: the highest index that more than half have acknowledged, and how a vote
 * stands. Pure functions over sets of node ids.
 */

/** How a vote stands: still open, lost (no majority can come together any more), or won. */
export type VoteResult = 'VotePending' | 'VoteLost' | 'VoteWon';

/** The index a voter has acknowledged, or `undefined` where nothing was heard of it. */
export type AckedIndex = (id: number) => number | undefined;

/** The vote of a node: `true` for, `false` against, `undefined` where it has not voted. */
export type VoteOf = (id: number) => boolean | undefined;

/** Larger than any index: what an empty majority has committed. It makes the minimum of two majorities right. */
export const unboundedIndex = Number.POSITIVE_INFINITY;

const scratch: number[] = [];

/** The highest index that a majority of `voters` has acknowledged; `unboundedIndex` without voters. */
export function majorityCommitted(voters: ReadonlySet<number>, acked: AckedIndex): number {
  if (voters.size === 0) return unboundedIndex;
  scratch.length = 0;
  for (const id of voters) insertSorted(scratch, acked(id) ?? 0);
  // Ascending: of n indexes, those from this place on are a majority and all at least as high.
  return scratch[voters.size - (Math.floor(voters.size / 2) + 1)] as number;
}

/** How a vote among `voters` stands; an empty set has voted for. */
export function majorityVote(voters: ReadonlySet<number>, voteOf: VoteOf): VoteResult {
  if (voters.size === 0) return 'VoteWon';
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = voteOf(id);
    if (vote === undefined) missing++;
    else if (vote) granted++;
  }
  const majority = Math.floor(voters.size / 2) + 1;
  if (granted >= majority) return 'VoteWon';
  return granted + missing >= majority ? 'VotePending' : 'VoteLost';
}

/** Insertion sort: groups have few voters. */
function insertSorted(sorted: number[], value: number): void {
  let at = sorted.length;
  sorted.push(value);
  while (at > 0 && (sorted[at - 1] as number) > value) {
    sorted[at] = sorted[at - 1] as number;
    at--;
  }
  sorted[at] = value;
}
