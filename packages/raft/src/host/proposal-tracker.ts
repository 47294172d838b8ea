/**
 * Proposals of this node on their way: waiting for the turn, then in the log at a place that was given to them, until an
 * entry is applied at that place. If it is of the same term it is theirs; of another term, and another command has taken
 * the place: an entry is known by index and term, so theirs will never be.
 *
 * Proposals of one turn form a batch of places with consecutive indexes; a place may hold several, whose commands were
 * joined to one entry (command-joiner.ts), and what becomes of the entry becomes of all of them. Batches of one term
 * ascend. After a change of leaders batches of an older term may overlap with newer ones, so that each is looked at by
 * itself.
 */
import type { ConfState } from '../core/configuration/configuration.js';
import type { Entry } from '../core/entry.js';
import { ProposalError, refusal } from './proposal-error.js';
import type { ProposalStage } from './raft-group.js';

/** One proposal; `isChange` where it is one of the configuration, so that a `ConfState` is its result. */
export interface Proposal {
  readonly data: Uint8Array;
  readonly isChange: boolean;
  readonly resolve: (result: never) => void;
  readonly reject: (error: Error) => void;
}

/** What becomes one entry: a proposal, or several whose commands were joined. */
export interface PlacedProposals {
  readonly data: Uint8Array;
  readonly proposals: readonly Proposal[];
  /** The results of the commands, from that of the entry. Absent: there is one, and its result is the entry's. */
  readonly split?: ((result: never) => readonly unknown[]) | undefined;
}

/** Proposals that follow each other in the log. */
interface Batch {
  readonly term: number;
  readonly firstIndex: number;
  readonly places: readonly PlacedProposals[];
  /** The first place that is still waited for. */
  next: number;
  readonly times: BatchTimes;
  /** Since when their leader leads no more. */
  lostMs: number;
}

/** When a batch reached which stage, by the clock; the last two 0 until then. */
export interface BatchTimes {
  readonly calledMs: number;
  readonly handedMs: number;
  durableMs: number;
  committedMs: number;
}

/** What is known of an index where something is given up. */
export interface LogView {
  /** Of the entry there, durable here or not. */
  termAt(index: number): number | undefined;
  readonly commitIndex: number;
  readonly leaderId: number;
}

/** What applying an entry gave: a configuration for a change, `undefined` for a change that was not made. */
export type Outcome = unknown | ConfState | undefined;

const notLost = Number.POSITIVE_INFINITY;

/** The proposals of one group. */
export class ProposalTracker {
  #queued: Proposal[] = [];
  #queuedSinceMs = 0;
  #batches: Batch[] = [];
  #count = 0;
  #bytes = 0;

  /** In flight: waiting, or in the log and not applied. */
  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get hasQueued(): boolean {
    return this.#queued.length > 0;
  }

  queue(proposal: Proposal, nowMs: number): void {
    if (this.#queued.length === 0) this.#queuedSinceMs = nowMs;
    this.#queued.push(proposal);
    this.#count++;
    this.#bytes += proposal.data.length;
  }

  /** Since when the first one waits that `take` will give. */
  get queuedSinceMs(): number {
    return this.#queuedSinceMs;
  }

  /** Those to be proposed together: at most `maxBytes`, at least one; a change goes alone. */
  take(maxBytes: number): readonly Proposal[] {
    const queued = this.#queued;
    let count = 0;
    for (let bytes = 0; count < queued.length; count++) {
      const { data, isChange } = queued[count] as Proposal;
      bytes += data.length;
      if (count > 0 && (bytes > maxBytes || isChange || queued[0]?.isChange === true)) break;
    }
    if (count < queued.length) return queued.splice(0, count);
    this.#queued = [];
    return queued;
  }

  /** They have their places: consecutive indexes. */
  proposed(places: readonly PlacedProposals[], term: number, firstIndex: number, times: BatchTimes): void {
    this.#batches.push({ term, firstIndex, places, next: 0, times, lostMs: notLost });
  }

  /** They were not taken. */
  refused(proposals: readonly Proposal[], error: Error): void {
    for (const proposal of proposals) this.#reject(proposal, error);
  }

  /** Entries were applied; `outcomes` has the result of each. Returns how many were this node's, and their first batch's times. */
  applied(entries: readonly Entry[], outcomes: readonly Outcome[]): { count: number; times: BatchTimes | undefined } {
    let count = 0;
    let times: BatchTimes | undefined;
    if (this.#batches.length === 0 || entries.length === 0) return { count, times };
    const newestTerm = this.#batches[this.#batches.length - 1]?.term;
    const lastIndex = (entries[entries.length - 1] as Entry).index;
    let finished = 0;
    for (const batch of this.#batches) {
      // Behind this one all others are of the same term, and ascend.
      if (batch.firstIndex + batch.next > lastIndex && batch.term === newestTerm) break;
      const settled = this.#settle(batch, entries, outcomes);
      if (settled > 0) times ??= batch.times;
      count += settled;
      if (batch.next === batch.places.length) finished++;
    }
    if (finished > 0) this.#batches = this.#batches.filter(isWaitedFor);
    return { count, times };
  }

  /** Returns how many proposals ended. */
  #settle(batch: Batch, entries: readonly Entry[], outcomes: readonly Outcome[]): number {
    const firstIndex = (entries[0] as Entry).index;
    let count = 0;
    while (batch.next < batch.places.length) {
      const at = batch.firstIndex + batch.next - firstIndex;
      if (at >= entries.length) break;
      const place = batch.places[batch.next++] as PlacedProposals;
      const isChange = place.proposals[0]?.isChange === true;
      count += place.proposals.length;
      // What a snapshot went past may be in it, or not.
      if (at < 0) this.refused(place.proposals, unknown('a snapshot took the place of the log', 'appended', 0));
      else if (entries[at]?.term !== batch.term) this.refused(place.proposals, superseded(firstIndex + at, batch.term));
      else if (isChange && outcomes[at] === undefined) this.refused(place.proposals, changeRefused());
      else this.#resolve(place, outcomes[at]);
    }
    return count;
  }

  #resolve({ proposals, split }: PlacedProposals, outcome: Outcome): void {
    const results = split === undefined || outcome === undefined ? undefined : split(outcome as never);
    for (let i = 0; i < proposals.length; i++) {
      const proposal = proposals[i] as Proposal;
      this.#forget(proposal);
      proposal.resolve((results === undefined ? outcome : results[i]) as never);
    }
  }

  /** Batches whose first stage is still to come are durable here, or committed, up to `index`. */
  reached(stage: 'durableMs' | 'committedMs', index: number, nowMs: number): void {
    for (const { times, firstIndex } of this.#batches) {
      if (firstIndex > index) return;
      if (times[stage] === 0) times[stage] = nowMs;
    }
  }

  /** This node leads no more: those in the log are waited for no longer than until `expire` is told so. */
  lost(nowMs: number): void {
    for (const batch of this.#batches) if (batch.lostMs === notLost) batch.lostMs = nowMs;
  }

  /** Gives up those that were called before `calledBeforeMs`, or whose leader was lost before `lostBeforeMs`. */
  expire(calledBeforeMs: number, lostBeforeMs: number, view: LogView): void {
    const isOver = ({ times, lostMs }: Batch) => times.calledMs < calledBeforeMs || lostMs <= lostBeforeMs;
    if (!this.#batches.some(isOver)) return;
    for (const batch of this.#batches.filter(isOver)) this.#giveUp(batch, view);
    this.#batches = this.#batches.filter((batch) => !isOver(batch));
  }

  /** Those in the log have an unknown outcome, those waiting end with `queuedError`. */
  end(view: LogView, queuedError: Error): void {
    this.refused(this.#queued.splice(0), queuedError);
    for (const batch of this.#batches.splice(0)) this.#giveUp(batch, view);
  }

  /** The log has lost what was not durable, and nobody else has it: what is not there any more ends with `error`. */
  dropped(termAt: LogView['termAt'], error: Error): void {
    for (const batch of this.#batches) {
      for (let i = batch.next; i < batch.places.length; i++) {
        if (termAt(batch.firstIndex + i) === batch.term) continue;
        // Nothing behind it is there either.
        for (const { proposals } of batch.places.slice(i)) this.refused(proposals, error);
        (batch as { places: readonly PlacedProposals[] }).places = batch.places.slice(0, i);
      }
    }
    this.#batches = this.#batches.filter(isWaitedFor);
  }

  #giveUp(batch: Batch, { termAt, commitIndex, leaderId }: LogView): void {
    for (let i = batch.next; i < batch.places.length; i++) {
      const index = batch.firstIndex + i;
      const isCommitted = index <= commitIndex && termAt(index) === batch.term;
      const stage = isCommitted ? 'committed' : 'appended';
      const { proposals } = batch.places[i] as PlacedProposals;
      this.refused(proposals, unknown(`entry ${index} of term ${batch.term}`, stage, leaderId));
    }
  }

  #reject(proposal: Proposal, error: Error): void {
    this.#forget(proposal);
    proposal.reject(error);
  }

  #forget({ data }: Proposal): void {
    this.#count--;
    this.#bytes -= data.length;
  }
}

function isWaitedFor({ next, places }: Batch): boolean {
  return next < places.length;
}

function unknown(what: string, stage: ProposalStage, leaderId: number): ProposalError {
  const message = `it is not known whether the command is applied: ${what} was ${stage} when waiting ended; ask again under the same number`;
  return new ProposalError('UNKNOWN', message, { stage, leaderId });
}

function superseded(index: number, term: number): ProposalError {
  const message = `another command took the place of entry ${index} of term ${term}; nothing was done, propose it again`;
  return new ProposalError('SUPERSEDED', message, { stage: 'appended' });
}

function changeRefused(): ProposalError {
  return refusal('REFUSED', 'the change does not fit the present configuration, or another one is not applied yet');
}
