/**
 * Commands that are proposed in one turn, as one entry. An entry costs consensus, log and transport the same whatever is in
 * it, on every member; so where many small commands come at a time, most of what they cost is the entries. Which commands
 * may share one, and what it then looks like, is the state machine's matter.
 */
import type { PlacedProposals, Proposal } from './proposal-tracker.js';

/** Makes one entry of several commands. Of one state machine, which takes the entry apart again. */
export interface CommandJoiner<Result> {
  /** Bytes of the commands of one entry; one that is larger stays by itself. */
  readonly maxBytes: number;
  /** Whether all members understand such entries by now. Asked once a turn. */
  isUnderstood(): boolean;
  mayJoin(command: Uint8Array): boolean;
  /** At least two commands, in the order in which they are to be applied. */
  join(commands: readonly Uint8Array[]): Uint8Array;
  /** The results of the commands, from that of their entry. */
  split(result: Result): readonly Result[];
}

/** The entries that the proposals of a turn become, in their order. */
export function placesOf(
  proposals: readonly Proposal[],
  joiner: CommandJoiner<unknown> | undefined,
): readonly PlacedProposals[] {
  if (joiner === undefined || proposals.length < 2 || !joiner.isUnderstood()) return proposals.map(alone);
  const places: PlacedProposals[] = [];
  let first = 0;
  while (first < proposals.length) {
    const end = joinedEnd(proposals, first, joiner);
    if (end - first < 2) places.push(alone(proposals[first] as Proposal));
    else places.push(joined(proposals.slice(first, end), joiner));
    first = Math.max(end, first + 1);
  }
  return places;
}

/** Behind the last one that may share an entry with the first; `first` where that one may not. */
function joinedEnd(proposals: readonly Proposal[], first: number, joiner: CommandJoiner<unknown>): number {
  let bytes = 0;
  let end = first;
  for (; end < proposals.length; end++) {
    const { data, isChange } = proposals[end] as Proposal;
    bytes += data.length;
    if (isChange || bytes > joiner.maxBytes || !joiner.mayJoin(data)) break;
  }
  return end;
}

function alone(proposal: Proposal): PlacedProposals {
  return { data: proposal.data, proposals: [proposal] };
}

function joined(proposals: readonly Proposal[], joiner: CommandJoiner<unknown>): PlacedProposals {
  return {
    data: joiner.join(proposals.map(({ data }) => data)),
    proposals,
    split: (result) => joiner.split(result),
  };
}
