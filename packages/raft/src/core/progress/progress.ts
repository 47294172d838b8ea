/**
 * What a leader knows of a follower's log, and how fast it may send.
 *
 *   Probe ──ack──► Replicate ──rejection, unreachable──► Probe
 *   Probe | Replicate ──log compacted──► Snapshot ──ack, report──► Probe | Replicate
 *
 * `Probe` sends one append at a time until the logs are known to match; `Replicate` sends ahead of the acknowledgements,
 * up to the window; `Snapshot` sends nothing.
 */
import { invariant } from '@shanghai/env';
import { Inflights } from './inflights.js';

/** How a leader treats a follower. */
export type ProgressState = 'StateProbe' | 'StateReplicate' | 'StateSnapshot';

/** What a progress begins with. */
export interface NewProgress {
  readonly match: number;
  readonly next: number;
  readonly inflights: Inflights;
  readonly isLearner: boolean;
  readonly recentActive: boolean;
}

/** A follower as its leader sees it. Invariant: `match < next`. */
export class Progress {
  /** The highest index known to be in the follower's log durably. */
  match: number;
  /** The next index to send. */
  next: number;
  /** The highest commit index that was sent, as far as it can have had an effect. */
  sentCommit = 0;
  state: ProgressState = 'StateProbe';
  /** Index of the snapshot under way; 0 = none. */
  pendingSnapshot = 0;
  /** Something was heard of it since the quorum was last checked. */
  recentActive: boolean;
  /** Held back until it answers: a probe is under way, or the window is full. */
  appendsPaused = false;
  readonly inflights: Inflights;
  isLearner: boolean;

  constructor({ match, next, inflights, isLearner, recentActive }: NewProgress) {
    invariant(match < next, `match ${match} is not below next ${next}`);
    this.match = match;
    this.next = next;
    this.inflights = inflights;
    this.isLearner = isLearner;
    this.recentActive = recentActive;
  }

  /** Whether no append should be sent now. */
  get isPaused(): boolean {
    return this.state === 'StateSnapshot' || this.appendsPaused;
  }

  becomeProbe(): void {
    // Behind a snapshot that arrived, nothing before it needs to be probed.
    const next = this.state === 'StateSnapshot' ? Math.max(this.match + 1, this.pendingSnapshot + 1) : this.match + 1;
    this.#reset('StateProbe');
    this.next = next;
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
  }

  becomeReplicate(): void {
    this.#reset('StateReplicate');
    this.next = this.match + 1;
  }

  /** A snapshot up to `index` is on its way. */
  becomeSnapshot(index: number): void {
    this.#reset('StateSnapshot');
    this.pendingSnapshot = index;
    this.next = index + 1;
    this.sentCommit = index;
  }

  /** Notes an append of so many entries that was just sent. */
  sentEntries(count: number, bytes: number): void {
    if (this.state === 'StateReplicate') {
      if (count > 0) {
        this.next += count;
        this.inflights.add(this.next - 1, bytes);
      }
      // What is sent into a full window is a probe: one, and then an answer is waited for.
      this.appendsPaused = this.inflights.isFull;
    } else if (count > 0) {
      invariant(this.state === 'StateProbe', 'an append was sent to a follower that waits for a snapshot');
      this.appendsPaused = true;
    }
  }

  /** Whether sending this commit index now tells the follower more than it will learn by what was sent. */
  canRaiseCommit(index: number): boolean {
    return index > this.sentCommit && this.sentCommit < this.next - 1;
  }

  /** Takes an acknowledgement up to `index`; false where it is not news. */
  maybeUpdate(index: number): boolean {
    if (index <= this.match) return false;
    this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.appendsPaused = false;
    return true;
  }

  /** Takes a rejection of the append behind `rejected`; the follower may match at `hint`. False where it is stale. */
  maybeDecrease(rejected: number, hint: number): boolean {
    if (this.state === 'StateReplicate') {
      if (rejected <= this.match) return false;
      this.next = this.match + 1;
      this.sentCommit = Math.min(this.sentCommit, this.next - 1);
      return true;
    }
    // A probe is sent one at a time: only the last one's rejection counts.
    if (this.next - 1 !== rejected) return false;
    this.next = Math.max(Math.min(rejected, hint + 1), this.match + 1);
    this.sentCommit = Math.min(this.sentCommit, this.next - 1);
    this.appendsPaused = false;
    return true;
  }

  #reset(state: ProgressState): void {
    this.appendsPaused = false;
    this.pendingSnapshot = 0;
    this.state = state;
    this.inflights.reset();
  }
}

/** A progress that knows nothing of its follower beyond where the log ends. */
export function freshProgress(lastIndex: number, limits: InflightLimits, isLearner: boolean): Progress {
  return new Progress({
    match: 0,
    next: lastIndex + 1,
    inflights: new Inflights(limits.maxMessages, limits.maxBytes),
    isLearner,
    recentActive: false,
  });
}

/** The window of every follower. */
export interface InflightLimits {
  /** ≥ 1. */
  readonly maxMessages: number;
  /** 0 = no limit. */
  readonly maxBytes: number;
}
