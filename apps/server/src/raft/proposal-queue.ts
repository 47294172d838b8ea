/**
 * Proposals that are not applied yet, in index order: first those that are committed, then those whose append is still
 * under way or has failed. What is durable behind something that is not, is not committed.
 */
import { invariant } from '@shanghai/env';
import type { CommittedEntry } from './command-log.js';

/** A proposal in flight. `bytes` counts against the bounds. */
export interface Proposal<Result> extends CommittedEntry {
  readonly bytes: number;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: Error) => void;
  /** Where its record is, once it is durable. */
  lsn: number;
  settled: 'pending' | 'durable' | 'failed';
}

/** Entries applied as one run, at most. */
const maxRunEntries = 1024;

/** A run ends with the entry that reaches so many bytes. */
const maxRunBytes = 8 * 1024 * 1024;

/** The proposals in flight of one group. */
export class ProposalQueue<Result> {
  #pending: Proposal<Result>[] = [];
  #committed = 0;
  #bytes = 0;
  #unsettled = 0;

  get length(): number {
    return this.#pending.length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How many of the first are committed. */
  get committed(): number {
    return this.#committed;
  }

  /** Appends that have neither succeeded nor failed. */
  get unsettled(): number {
    return this.#unsettled;
  }

  add(proposal: Proposal<Result>): void {
    this.#pending.push(proposal);
    this.#bytes += proposal.bytes;
    this.#unsettled++;
  }

  /** Notes that a proposal is durable; returns the index of the last one committed by it, if any. */
  durable(proposal: Proposal<Result>, lsn: number): number | undefined {
    this.#unsettled--;
    proposal.lsn = lsn;
    proposal.settled = 'durable';
    let commitIndex: number | undefined;
    let next = this.#pending[this.#committed];
    while (next?.settled === 'durable') {
      commitIndex = next.index;
      this.#committed++;
      next = this.#pending[this.#committed];
    }
    return commitIndex;
  }

  failed(proposal: Proposal<Result>): void {
    this.#unsettled--;
    proposal.settled = 'failed';
  }

  /** Takes out the first failed proposal and all behind it; none where none failed. */
  takeFromHole(): Proposal<Result>[] {
    const hole = this.#pending.findIndex(({ settled }) => settled === 'failed');
    if (hole === -1) return [];
    invariant(hole >= this.#committed, 'a committed entry failed');
    const taken = this.#pending.splice(hole);
    for (const { bytes } of taken) this.#bytes -= bytes;
    return taken;
  }

  /** The committed proposals to be applied next. They stay until `applied`. */
  nextRun(): Proposal<Result>[] {
    let count = 0;
    let bytes = 0;
    while (count < this.#committed && count < maxRunEntries && bytes < maxRunBytes) {
      bytes += (this.#pending[count] as Proposal<Result>).bytes;
      count++;
    }
    return this.#pending.slice(0, count);
  }

  applied(run: readonly Proposal<Result>[]): void {
    this.#pending.splice(0, run.length);
    this.#committed -= run.length;
    for (const { bytes } of run) this.#bytes -= bytes;
  }

  /** Those with an index up to `index`. */
  upTo(index: number): Proposal<Result>[] {
    return this.#pending.filter((proposal) => proposal.index <= index);
  }

  /** Takes out everything. */
  takeAll(): Proposal<Result>[] {
    const all = this.#pending;
    this.#pending = [];
    this.#committed = 0;
    this.#bytes = 0;
    return all;
  }
}
