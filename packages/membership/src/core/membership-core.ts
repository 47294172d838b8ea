/**
 * One node's part in the protocol of docs/protocols/CLUSTER.md: messages and time in, effects out. No clock, no I/O; the
 * only chance is the seeded port. `learning` keeps the view, `detector` finds out who is alive, `antiEntropy` makes views
 * equal, `joining` finds others; here is who gets which event, the heartbeat, and the rounds of gossip.
 */
import type { Random } from '@shanghai/env';
import { AntiEntropy } from './anti-entropy.js';
import { CoreContext, type MembershipEffect } from './core-context.js';
import { Detector } from './detector.js';
import { Joining } from './joining.js';
import { Learning } from './learning.js';
import type { Member } from './member.js';
import { checkMember } from './member-limits.js';
import type { MemberView } from './member-view.js';
import type { MembershipSettings } from './membership-options.js';
import type { Message } from './message.js';
import { rumourLimit } from './rumours.js';

/** What happens to a core. `nowMs` is monotonic and never falls. */
export type MembershipInput = { readonly nowMs: number } & (
  | { readonly type: 'start'; readonly seeds: readonly string[] }
  /** `delayMs`: how much later than it was due. */
  | { readonly type: 'tick'; readonly delayMs: number }
  | { readonly type: 'receive'; readonly from: number; readonly message: Message }
  | { readonly type: 'seeds'; readonly seeds: readonly string[] }
  | { readonly type: 'tags'; readonly tags: Readonly<Record<string, string>> }
  | { readonly type: 'remove'; readonly nodeId: number }
  /** Says that it will go; and, some time later, that it has gone. */
  | { readonly type: 'leave' }
  | { readonly type: 'left' }
);

/** Who a node is, and what it stands on. */
export interface CoreOptions {
  readonly clusterId: string;
  readonly self: Omit<Member, 'state'>;
  readonly settings: MembershipSettings;
  readonly random: Random;
}

/** So often it is to be ticked at least, so that it notices when it is held up. */
const ticksEveryMs = 1_000;

/** The state machine of one node. */
export class MembershipCore {
  readonly #context: CoreContext;
  readonly #learning: Learning;
  readonly #detector: Detector;
  readonly #antiEntropy: AntiEntropy;
  readonly #joining: Joining;
  #nextHeartbeatMs = Number.POSITIVE_INFINITY;
  #nextGossipMs = 0;
  #tickedMs = 0;
  #nextStalledMs = 0;

  /** Throws `MembershipError` `LIMIT_EXCEEDED` where the node says too much of itself. */
  constructor(options: CoreOptions) {
    checkMember(options.self);
    const { clusterId, self, settings, random } = options;
    this.#context = new CoreContext(self.nodeId, clusterId, settings, random);
    this.#context.view.take({ ...self, state: 'joining' });
    this.#learning = new Learning(this.#context);
    this.#detector = new Detector(this.#context, this.#learning);
    this.#antiEntropy = new AntiEntropy(this.#context, this.#learning);
    this.#joining = new Joining(this.#context, this.#learning, this.#antiEntropy, () => this.isIsolated);
  }

  /** What it knows; not to be changed. */
  get view(): MemberView {
    return this.#context.view;
  }

  get self(): Member {
    return this.#context.self;
  }

  get isIsolated(): boolean {
    return this.#detector.isIsolated;
  }

  /** Whether it takes part no more. */
  get isStopped(): boolean {
    return this.#context.isStopped;
  }

  /** Whom it observes. */
  get observed(): readonly number[] {
    return this.#detector.observed;
  }

  /** What waits to be gossiped. */
  get rumours(): number {
    return this.#context.rumours.size;
  }

  /** When it wants the next tick. */
  get dueMs(): number {
    if (this.#context.isStopped) return Number.POSITIVE_INFINITY;
    const gossipMs = this.#hasGossip() ? this.#nextGossipMs : Number.POSITIVE_INFINITY;
    const ownMs = Math.min(this.#nextHeartbeatMs, gossipMs, this.#tickedMs + ticksEveryMs);
    return Math.min(ownMs, this.#detector.dueMs, this.#antiEntropy.dueMs, this.#joining.dueMs);
  }

  /** Takes one thing in and says what follows from it. */
  step(input: MembershipInput): readonly MembershipEffect[] {
    const context = this.#context;
    if (context.isStopped) return [];
    // Whole milliseconds: sums and differences of them are exact, so that what is due is never due a little later still.
    context.nowMs = Math.max(context.nowMs, Math.floor(input.nowMs));
    this.#take(input);
    if (!context.isStopped && this.#hasGossip() && context.nowMs >= this.#nextGossipMs) this.#gossip();
    return context.takeEffects();
  }

  #take(input: MembershipInput): void {
    switch (input.type) {
      case 'start':
        this.#start(input.seeds);
        return;
      case 'tick':
        this.#tick(input.delayMs);
        return;
      case 'receive':
        this.#receive(input.from, input.message);
        return;
      case 'seeds':
        this.#joining.setSeeds(input.seeds);
        return;
      case 'tags':
        this.#setTags(input.tags);
        return;
      case 'remove':
        this.#remove(input.nodeId);
        return;
      case 'leave':
        this.#learning.become('leaving');
        return;
      case 'left':
        this.#leave();
        return;
    }
  }

  #start(seeds: readonly string[]): void {
    const { nowMs, settings, random } = this.#context;
    this.#tickedMs = nowMs;
    // Nodes that start together do not send together for ever after.
    this.#nextHeartbeatMs = nowMs + Math.ceil(settings.heartbeatMs * random.float());
    this.#detector.start();
    this.#antiEntropy.start();
    this.#joining.start(seeds);
    this.#joining.tick();
  }

  #tick(delayMs: number): void {
    const { nowMs, settings } = this.#context;
    this.#tickedMs = nowMs;
    if (delayMs >= settings.stallMs) {
      this.#detector.heldUp(Math.ceil(delayMs));
      this.#tellStalled(delayMs);
    }
    if (nowMs >= this.#nextHeartbeatMs) this.#beat();
    this.#detector.tick();
    this.#antiEntropy.tick();
    this.#joining.tick();
  }

  /** One that is held up all the time says so now and then. */
  #tellStalled(delayMs: number): void {
    const { nowMs, settings } = this.#context;
    if (nowMs < this.#nextStalledMs) return;
    this.#nextStalledMs = nowMs + settings.downAfterMs;
    this.#context.tell({ type: 'stalled', delayMs });
  }

  #beat(): void {
    const { nowMs, settings, view, selfId, self } = this.#context;
    this.#nextHeartbeatMs = Math.max(this.#nextHeartbeatMs, nowMs - settings.heartbeatMs) + settings.heartbeatMs;
    const observers = view.ring.after(selfId, settings.observers);
    this.#context.send(observers, { type: 'heartbeat', incarnation: self.incarnation, viewHash: view.hash });
  }

  #receive(from: number, message: Message): void {
    this.#detector.heard(from);
    switch (message.type) {
      case 'heartbeat':
        this.#antiEntropy.takeHeartbeat(from, message.incarnation, message.viewHash);
        return;
      case 'ping':
        this.#context.send([from], { type: 'ack', number: message.number, subject: this.#context.selfId });
        return;
      case 'ack':
        this.#detector.takeAck(from, message.number, message.subject);
        return;
      case 'ask':
        this.#detector.takeQuestion(from, message.number, message.subject);
        return;
      case 'nack':
        this.#detector.takeNack(message.number, message.subject);
        return;
      case 'accuse':
        this.#takeAccusation(from, message.subject, message.incarnation);
        return;
      case 'gossip':
        for (const record of message.records) this.#learning.learn(record);
        return;
      case 'digest':
        this.#antiEntropy.takeDigest(from, message.hashes);
        return;
      case 'versions':
        this.#antiEntropy.takeVersions(from, message.buckets, message.versions);
        return;
      case 'records':
        this.#antiEntropy.takeRecords(from, message.wanted, message.records);
        return;
      case 'join':
        this.#joining.takeJoin(from, message.clusterId, message.record);
        return;
      case 'welcome':
        this.#joining.takeWelcome(message.records);
        return;
      case 'refusal':
        this.#context.tell({ type: 'refused', by: from, reason: message.reason, text: message.text });
        return;
    }
  }

  /** Who is accused itself answers at once: whoever votes has not heard from it for long. */
  #takeAccusation(from: number, subject: number, incarnation: number): void {
    const { selfId, self, view } = this.#context;
    if (subject !== selfId) {
      this.#detector.takeVote(from, subject, incarnation);
      return;
    }
    this.#context.send([from], { type: 'heartbeat', incarnation: self.incarnation, viewHash: view.hash });
  }

  #setTags(tags: Readonly<Record<string, string>>): void {
    checkMember({ ...this.#context.self, tags });
    this.#learning.restate({ tags });
  }

  #remove(nodeId: number): void {
    const record = this.#context.recordOf(nodeId);
    if (record !== undefined && nodeId !== this.#context.selfId) this.#learning.learn({ ...record, state: 'removed' });
  }

  #leave(): void {
    const context = this.#context;
    const { view, selfId, settings } = context;
    this.#learning.become('left');
    const observers = view.ring.after(selfId, settings.observers);
    context.send(observers, { type: 'gossip', records: [context.self] });
    context.stop();
  }

  #hasGossip(): boolean {
    return this.#context.rumours.size > 0 && this.#context.view.ring.size > 1;
  }

  #gossip(): void {
    const { nowMs, settings, view, random, selfId, rumours } = this.#context;
    this.#nextGossipMs = nowMs + settings.gossipEveryMs;
    const to = view.pick(settings.gossipFanOut, random, (nodeId) => nodeId !== selfId);
    if (to.length === 0) return;
    const recordOf = (nodeId: number) => this.#context.recordOf(nodeId);
    const records = rumours.take(rumourLimit(view.size), to.length, settings.gossipBytes, recordOf);
    if (records.length > 0) this.#context.send(to, { type: 'gossip', records });
  }
}
