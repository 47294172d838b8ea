/**
 * How a group without work comes to rest, and wakes. Asleep it neither ticks nor sends; that its leader lives is seen by
 * the beats of the leader's node, and that it still is the same process by the node's start id.
 *
 *   leader: idle for `sleepTicks`, everybody holds everything ──sleep(term, last)──► all others
 *   other:  same term, leader and last entry, committed and applied ──asleep(term, last)──► leader
 *   leader: all have agreed, still idle ──rest(term, last)──► all others; each sleeps
 *
 * Whoever misses `rest` goes on ticking, hears nothing, asks for votes before an election, and so wakes the others: a lost
 * signal costs a round, never a leader. A leader that wakes asks first who follows it.
 */
import type { RawNode } from '../core/raw-node.js';
import type { GroupSignal } from '../ports/peer-transport.js';
import type { HostContext } from './host-context.js';
import type { ReceivedSignal } from './inbox.js';

/** A group as its sleep sees it. */
export interface SleepingGroup {
  readonly groupId: number;
  /** `undefined` where it takes no part. */
  readonly raw: RawNode | undefined;
  /** Everybody who is in it. */
  readonly members: readonly number[];
  /** Nothing is under way here: no proposals, reads, writes, applying, snapshots. */
  readonly isQuiet: boolean;
  onSleep(isAsleep: boolean): void;
}

/** Ticks between one try and the next. */
const retryTicks = 5;

/** The sleep of one group on this node. */
export class Sleeper {
  readonly #host: HostContext;
  readonly #group: SleepingGroup;
  #isAsleep = false;
  #idleTicks = 0;
  #idleIndex: number | undefined;
  #leaderlessTicks = 0;
  #agreed = new Set<number>();
  #agreedIndex = 0;
  #agreedTerm = 0;

  constructor(host: HostContext, group: SleepingGroup) {
    this.#host = host;
    this.#group = group;
  }

  get isAsleep(): boolean {
    return this.#isAsleep;
  }

  /** A tick, awake: a leader sees whether it could rest; who knows none asks whether one sleeps. */
  tick(): void {
    const { sleepTicks } = this.#host.limits;
    this.#callForLeader();
    const index = this.#restIndex();
    const raw = this.#group.raw;
    const isBusy = index === undefined || index !== this.#idleIndex || raw?.marks().state !== 'StateLeader';
    this.#idleIndex = index;
    if (sleepTicks === 0 || isBusy) {
      this.#idleTicks = 0;
      return;
    }
    this.#idleTicks++;
    if (this.#idleTicks < sleepTicks || (this.#idleTicks - sleepTicks) % retryTicks !== 0) return;
    const { progress, term, configuration } = raw.status();
    const isSettled = configuration.voters.outgoing.size === 0 && progress.every(({ match }) => match === index);
    if (!isSettled) return;
    this.#agreed = new Set();
    this.#agreedTerm = term;
    this.#agreedIndex = index;
    this.#tellOthers({ groupId: this.#group.groupId, type: 'sleep', term, index });
  }

  onSignal({ from, signal }: ReceivedSignal): void {
    const { type, term, index } = signal;
    if (type === 'wake') this.wake();
    else if (type === 'asleep') this.#onAgreement(from, term, index);
    else if (this.#follows(from, term, index)) {
      if (type === 'rest') this.#fallAsleep();
      else this.#host.outbox.signal(from, { ...signal, type: 'asleep' });
    }
  }

  /** There is work: a group that has just had some is not put to rest. */
  disturb(): void {
    this.#idleTicks = 0;
    this.wake();
  }

  /** There is something to hear, or to fear. */
  wake(): void {
    if (!this.#isAsleep) return;
    this.#isAsleep = false;
    this.#idleTicks = 0;
    this.#group.raw?.wake();
    this.#group.onSleep(false);
  }

  /** A learner that comes late cannot ask for votes, by which others wake the group. */
  #callForLeader(): void {
    const { raw, groupId } = this.#group;
    const { electionTicks, sleepTicks } = this.#host.limits;
    const marks = raw?.marks();
    if (marks === undefined || marks.lead !== 0 || sleepTicks === 0) {
      this.#leaderlessTicks = 0;
      return;
    }
    if (++this.#leaderlessTicks % electionTicks !== 0) return;
    this.#tellOthers({ groupId, type: 'wake', term: marks.term, index: marks.lastIndex });
  }

  #onAgreement(from: number, term: number, index: number): void {
    const isOfNow = term === this.#agreedTerm && index === this.#agreedIndex && this.#restIndex() === index;
    const marks = this.#group.raw?.marks();
    if (!isOfNow || marks?.state !== 'StateLeader' || marks.term !== term || this.#isAsleep) return;
    if (this.#idleTicks < this.#host.limits.sleepTicks) return;
    this.#agreed.add(from);
    if (!this.#others().every((nodeId) => this.#agreed.has(nodeId))) return;
    this.#tellOthers({ groupId: this.#group.groupId, type: 'rest', term, index });
    this.#fallAsleep();
  }

  /** Whether a leader's last entry in its term is all there is here. */
  #follows(from: number, term: number, index: number): boolean {
    const marks = this.#group.raw?.marks();
    return (
      marks?.state === 'StateFollower' && marks.lead === from && marks.term === term && this.#restIndex() === index
    );
  }

  /** The last entry, where it is committed and applied and nothing is under way. */
  #restIndex(): number | undefined {
    const { raw, isQuiet } = this.#group;
    if (raw === undefined || !isQuiet || this.#host.isStalled) return undefined;
    const { lastIndex, commit, applied } = raw.marks();
    return commit === lastIndex && applied === lastIndex ? lastIndex : undefined;
  }

  #fallAsleep(): void {
    if (this.#isAsleep) return;
    this.#isAsleep = true;
    this.#group.onSleep(true);
  }

  #others(): readonly number[] {
    return this.#group.members.filter((nodeId) => nodeId !== this.#host.nodeId);
  }

  #tellOthers(signal: GroupSignal): void {
    for (const nodeId of this.#others()) this.#host.outbox.signal(nodeId, signal);
  }
}
