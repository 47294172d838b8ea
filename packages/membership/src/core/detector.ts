/**
 * Finding out who is alive. A node is observed by the next ten on the ring. An observer that does not hear from it asks
 * before it accuses: the node itself, then others, who must say that they cannot reach it either; and it takes two
 * observers to make a node suspect, where there are two. So neither a lost message nor a broken link between two nodes nor
 * an observer that is itself cut off or held up accuses anybody. Votes of several observers follow Orleans; questions
 * through others are those of SWIM (Das, Gupta, Motivala, 2002); the distrust of oneself after a stall is that of Lifeguard
 * (Dadgar, Phillips, Currey, 2017).
 */
import type { CoreContext } from './core-context.js';
import type { Learning } from './learning.js';
import type { MemberState } from './member.js';
import { type OwedAnswer, RelayedPings } from './relayed-pings.js';
import { Votes } from './votes.js';

/** A node that this one observes. */
interface Target {
  readonly nodeId: number;
  /** Silence counts from here at the earliest: since when it is observed, and later by the time this node was held up. */
  sinceMs: number;
  /** Of this silence: pings sent, when the next is due, and whether others said that they cannot reach it. */
  probes: number;
  nextProbeMs: number;
  isConfirmed: boolean;
  /** When questions to others went out, by their numbers; the last few. */
  readonly askedMs: Map<number, number>;
}

const keptQuestions = 8;

/** The observer's side of the protocol. */
export class Detector {
  readonly #context: CoreContext;
  readonly #learning: Learning;
  readonly #votes: Votes;
  readonly #relays = new RelayedPings();
  readonly #targets = new Map<number, Target>();
  #ringVersion = -1;
  #number = 0;
  #lastHeardMs = 0;
  #isIsolated = false;
  /** When the first target is due, or earlier: that one was heard only puts it off. */
  #targetsDueMs = Number.NEGATIVE_INFINITY;

  constructor(context: CoreContext, learning: Learning) {
    this.#context = context;
    this.#learning = learning;
    this.#votes = new Votes(context.settings.downAfterMs);
  }

  /** Whether this node hears nobody. */
  get isIsolated(): boolean {
    return this.#isIsolated;
  }

  /** Whom it observes. */
  get observed(): readonly number[] {
    return [...this.#targets.keys()];
  }

  /** Begins to count. */
  start(): void {
    this.#lastHeardMs = this.#context.nowMs;
  }

  /** The first moment at which there may be something to do. */
  get dueMs(): number {
    if (this.#targetsDueMs <= this.#context.nowMs) this.#findDue();
    return Math.min(this.#relays.dueMs, this.#targetsDueMs);
  }

  #findDue(): void {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const target of this.#targets.values()) dueMs = Math.min(dueMs, this.#dueOf(target));
    this.#targetsDueMs = dueMs;
  }

  /** A frame came from a node. */
  heard(nodeId: number): void {
    const { view, nowMs, selfId } = this.#context;
    this.#lastHeardMs = nowMs;
    if (this.#isIsolated) {
      this.#isIsolated = false;
      this.#context.tell({ type: 'reconnected' });
    }
    const known = view.get(nodeId);
    if (known === undefined || nodeId === selfId) return;
    known.heardMs = nowMs;
    this.#votes.withdraw(nodeId, selfId);
    const { state } = known.record;
    if (state === 'joining' || state === 'up' || state === 'leaving') return;
    if (known.toldMs !== undefined && nowMs - known.toldMs < 1_000) return;
    known.toldMs = nowMs;
    this.#context.send([nodeId], { type: 'records', wanted: [], records: [known.record] });
  }

  /** This node was held up: it has not heard what it might have heard. */
  heldUp(delayMs: number): void {
    this.#lastHeardMs += delayMs;
    this.#relays.forget();
    this.#targetsDueMs = Number.NEGATIVE_INFINITY;
    for (const target of this.#targets.values()) {
      target.sinceMs = this.#signOf(target) + delayMs;
      begin(target);
    }
  }

  tick(): void {
    const { nowMs, view, settings } = this.#context;
    for (const owed of this.#relays.expired(nowMs)) this.#answer('nack', owed);
    this.#observe();
    if (this.#targetsDueMs <= nowMs) for (const target of this.#targets.values()) this.#check(target);
    const isAlone = view.ring.size <= 1 && view.down.size === 0 && this.#context.self.state === 'up';
    if (!this.#isIsolated && !isAlone && nowMs - this.#lastHeardMs >= settings.suspectAfterMs) {
      this.#isIsolated = true;
      this.#context.tell({ type: 'isolated' });
    }
  }

  /** Somebody asks this node to ping another for it. Who is not known is not answered for. */
  takeQuestion(from: number, number: number, subject: number): void {
    const { nowMs, settings, selfId } = this.#context;
    if (subject === selfId) {
      this.#context.send([from], { type: 'ack', number, subject });
      return;
    }
    if (this.#context.recordOf(subject) === undefined) return;
    const own = ++this.#number;
    const dueMs = nowMs + Math.floor(settings.probeEveryMs * 0.8);
    if (!this.#relays.add(own, from, number, subject, dueMs)) return;
    this.#context.send([subject], { type: 'ping', number: own });
  }

  /** An answer: of the node itself, which was heard by that, or of one that has reached it. */
  takeAck(from: number, number: number, subject: number): void {
    const owed = this.#relays.answered(number, from);
    if (owed !== undefined) this.#answer('ack', owed);
    const askedMs = this.#targets.get(subject)?.askedMs.get(number);
    const known = this.#context.view.get(subject);
    if (from === subject || askedMs === undefined || known === undefined) return;
    known.heardMs = Math.max(known.heardMs ?? askedMs, askedMs);
    this.#votes.withdraw(subject, this.#context.selfId);
  }

  takeNack(number: number, subject: number): void {
    const target = this.#targets.get(subject);
    if (target?.askedMs.has(number)) {
      target.isConfirmed = true;
      this.#check(target);
    }
  }

  takeVote(from: number, subject: number, incarnation: number): void {
    const target = this.#targets.get(subject);
    if (target === undefined || this.#context.recordOf(from) === undefined) return;
    this.#votes.cast(subject, incarnation, from, this.#context.nowMs);
    this.#check(target);
  }

  /** Observes those before this node on the ring, from now on where they are new. */
  #observe(): void {
    const { view, selfId, settings, nowMs } = this.#context;
    if (this.#ringVersion === view.ring.version) return;
    this.#ringVersion = view.ring.version;
    this.#targetsDueMs = Number.NEGATIVE_INFINITY;
    const wanted = new Set(view.ring.before(selfId, settings.observers));
    for (const nodeId of this.#targets.keys()) {
      if (wanted.has(nodeId)) continue;
      this.#targets.delete(nodeId);
      this.#votes.forget(nodeId);
    }
    for (const nodeId of wanted) {
      if (this.#targets.has(nodeId)) continue;
      const counts = { probes: 0, nextProbeMs: 0, isConfirmed: false };
      this.#targets.set(nodeId, { nodeId, sinceMs: nowMs, askedMs: new Map(), ...counts });
    }
  }

  #check(target: Target): void {
    this.#targetsDueMs = Number.NEGATIVE_INFINITY;
    const { view, nowMs, settings, selfId } = this.#context;
    const known = view.get(target.nodeId);
    if (known === undefined) return;
    const silentMs = nowMs - this.#signOf(target);
    if (silentMs < settings.probeAfterMs) {
      if (target.probes > 0) begin(target);
      return;
    }
    const { incarnation } = known.record;
    const isProbeDue = target.probes === 0 || nowMs >= target.nextProbeMs;
    if (isProbeDue) this.#probe(target);
    const hasVoted = this.#votes.has(target.nodeId, incarnation, selfId);
    const mayVote = silentMs >= settings.accuseAfterMs && target.probes > 2 && target.isConfirmed;
    if (mayVote && (isProbeDue || !hasVoted)) this.#accuse(target.nodeId, incarnation);
    const next = stateAfter(known.record.state, silentMs, settings);
    if (next === undefined || !this.#votes.has(target.nodeId, incarnation, selfId)) return;
    if (this.#votes.count(target.nodeId, incarnation, nowMs) < this.#votesNeeded(target.nodeId)) return;
    this.#learning.learn({ ...known.record, state: next });
  }

  #probe(target: Target): void {
    const { nowMs, settings, selfId, view, random } = this.#context;
    target.probes++;
    target.nextProbeMs = nowMs + settings.probeEveryMs;
    this.#context.send([target.nodeId], { type: 'ping', number: ++this.#number });
    if (target.probes === 1) return;
    const isHelper = (nodeId: number) =>
      nodeId !== selfId && nodeId !== target.nodeId && view.get(nodeId)?.record.state === 'up';
    const helpers = view.pick(settings.helpers, random, isHelper);
    // With nobody to ask there is nobody to contradict either.
    if (helpers.length === 0) target.isConfirmed = true;
    const number = ++this.#number;
    target.askedMs.set(number, nowMs);
    if (target.askedMs.size > keptQuestions) target.askedMs.delete(target.askedMs.keys().next().value as number);
    this.#context.send(helpers, { type: 'ask', number, subject: target.nodeId });
  }

  /** Votes, and lets the others who observe it know; and itself, so that it can say something to it. */
  #accuse(subject: number, incarnation: number): void {
    const { selfId, view, settings, nowMs } = this.#context;
    this.#votes.cast(subject, incarnation, selfId, nowMs);
    const observers = view.ring.after(subject, settings.observers);
    this.#context.send([...observers, subject], { type: 'accuse', subject, incarnation });
  }

  /** Two, or one where no other observer is left to be heard from. */
  #votesNeeded(subject: number): number {
    const { view, settings, selfId, nowMs } = this.#context;
    let heard = 0;
    for (const nodeId of view.ring.after(subject, settings.observers)) {
      const isUp = view.get(nodeId)?.record.state === 'up';
      const target = this.#targets.get(nodeId);
      const isSilent = target !== undefined && nowMs - this.#signOf(target) >= settings.suspectAfterMs;
      if (nodeId === selfId || (isUp && !isSilent)) heard++;
    }
    return Math.max(1, Math.min(2, heard));
  }

  #answer(type: 'ack' | 'nack', { asker, number, subject }: OwedAnswer): void {
    this.#context.send([asker], { type, number, subject });
  }

  /** The last sign of a node, or since when it is awaited. */
  #signOf({ nodeId, sinceMs }: Target): number {
    const heardMs = this.#context.view.get(nodeId)?.heardMs;
    return heardMs === undefined ? sinceMs : Math.max(heardMs, sinceMs);
  }

  #dueOf(target: Target): number {
    const { settings, nowMs } = this.#context;
    const signMs = this.#signOf(target);
    if (target.probes === 0) return signMs + settings.probeAfterMs;
    const { accuseAfterMs, suspectAfterMs, downAfterMs } = settings;
    let dueMs = target.nextProbeMs;
    for (const afterMs of [accuseAfterMs, suspectAfterMs, downAfterMs]) {
      if (signMs + afterMs > nowMs) dueMs = Math.min(dueMs, signMs + afterMs);
    }
    return dueMs;
  }
}

/** A new silence: nothing was asked yet. */
function begin(target: Target): void {
  target.probes = 0;
  target.isConfirmed = false;
  target.askedMs.clear();
}

function stateAfter(
  state: MemberState,
  silentMs: number,
  limits: { readonly suspectAfterMs: number; readonly downAfterMs: number },
): MemberState | undefined {
  switch (state) {
    case 'joining':
    case 'up':
      return silentMs >= limits.suspectAfterMs ? 'suspect' : undefined;
    case 'suspect':
      return silentMs >= limits.downAfterMs ? 'down' : undefined;
    case 'leaving':
      return silentMs >= limits.suspectAfterMs ? 'left' : undefined;
    case 'down':
    case 'left':
    case 'removed':
      return undefined;
  }
}
