import type { ConfState } from '../core/configuration/configuration.js';

/** A configuration and the entry, or snapshot, from which on it holds. */
export interface ConfigurationAt {
  readonly index: number;
  readonly confState: ConfState;
}

/** The configurations of a group along its log, from where the log begins: a cut of the log needs the one at its place. */
export class ConfigurationHistory {
  #known: ConfigurationAt[];

  constructor(index: number, confState: ConfState) {
    this.#known = [{ index, confState }];
  }

  get latest(): ConfigurationAt {
    return this.#known[this.#known.length - 1] as ConfigurationAt;
  }

  /** The one that holds at an index not before the start of the log. */
  at(index: number): ConfState {
    let found = this.#known[0] as ConfigurationAt;
    for (const one of this.#known) if (one.index <= index) found = one;
    return found.confState;
  }

  /** A change was applied. What is known of it already changes nothing. */
  add(index: number, confState: ConfState): void {
    if (index > this.latest.index) this.#known.push({ index, confState });
  }

  /** A snapshot took the place of everything. */
  reset(index: number, confState: ConfState): void {
    this.#known = [{ index, confState }];
  }

  /** The log begins behind `index` now. */
  cut(index: number): void {
    const confState = this.at(index);
    this.#known = [{ index, confState }, ...this.#known.filter((one) => one.index > index)];
  }
}

/** Everybody who is in it in any part, ascending. */
export function membersOf({ voters, votersOutgoing, learners, learnersNext }: ConfState): readonly number[] {
  return [...new Set([...voters, ...votersOutgoing, ...learners, ...learnersNext])].sort((a, b) => a - b);
}

/** Whether nobody but this node is in it. */
export function isAlone(confState: ConfState, nodeId: number): boolean {
  const members = membersOf(confState);
  return members.length === 1 && confState.voters[0] === nodeId;
}

/** Whether nobody but this node votes. */
export function isOnlyVoter({ voters, votersOutgoing }: ConfState, nodeId: number): boolean {
  return votersOutgoing.length === 0 && voters.length === 1 && voters[0] === nodeId;
}
