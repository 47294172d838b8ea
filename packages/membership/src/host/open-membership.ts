/**
 * The core on a clock, a transport and a memory. Each thing that happens is one step of the core; its effects are carried
 * out before the next. One timer wakes it, and how late that comes is told to the core, which then trusts itself less.
 */
import { delay } from '@shanghai/env';
import type { MembershipEffect } from '../core/core-context.js';
import { EventCoalescer } from '../core/event-coalescer.js';
import { isGone, type Member } from '../core/member.js';
import { checkMember } from '../core/member-limits.js';
import { MembershipCore, type MembershipInput } from '../core/membership-core.js';
import { MembershipError } from '../core/membership-error.js';
import type { MembershipEvent } from '../core/membership-event.js';
import { type MembershipSettings, resolveMembershipSettings } from '../core/membership-options.js';
import type { Destination, Message } from '../core/message.js';
import type { RememberedMembership } from '../ports/membership-memory.js';
import { decodeMessage, encodeMessage } from '../wire/message-codec.js';
import { DueTimer } from './due-timer.js';
import type { MemberSight, Membership, MembershipOptions, MembershipStatus } from './membership.js';
import { Remembering } from './remembering.js';

/** So many addresses are remembered. */
const rememberedAddresses = 256;

/**
 * Takes part. Resolves when the node's incarnation is kept and it has begun to look for others; the event `up` of others
 * and `self()` say how that goes. Throws `RangeError` for settings that cannot work, `MembershipError` `LIMIT_EXCEEDED`
 * where the node says too much of itself; rejects with what the memory fails with.
 */
export async function openMembership(options: MembershipOptions): Promise<Membership> {
  const settings = resolveMembershipSettings(options.tuning);
  const { self, tags = {}, clock, memory, clusterId } = options;
  checkMember({ ...self, tags });
  if (!/^[!-~]{1,128}$/.test(clusterId)) {
    throw new TypeError(`clusterId is '${clusterId}'; 1 to 128 printable characters without spaces`);
  }
  const remembered = await memory?.load();
  const incarnation = remembered === undefined ? clock.nowMs() : remembered.incarnation + 1;
  const addresses = remembered?.addresses ?? [];
  await memory?.save({ incarnation, addresses });
  return new OpenMembership(options, settings, { incarnation, addresses });
}

class OpenMembership implements Membership {
  readonly #options: MembershipOptions;
  readonly #settings: MembershipSettings;
  readonly #core: MembershipCore;
  readonly #timer: DueTimer;
  readonly #coalescer: EventCoalescer | undefined;
  readonly #coalescing: DueTimer;
  readonly #discovering: DueTimer;
  readonly #remembering: Remembering;
  readonly #rememberedAddresses: readonly string[];
  readonly #stop = new AbortController();
  readonly #counts = { framesSent: 0, bytesSent: 0, framesReceived: 0, bytesReceived: 0 };
  #discovered: readonly string[] = [];
  #given: readonly string[] = [];
  #isStarted = false;
  #leaving: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: MembershipOptions, settings: MembershipSettings, remembered: RememberedMembership) {
    const { clusterId, self, tags = {}, random, clock, transport, coalesce } = options;
    const { nodeId, name, address, instanceId } = self;
    this.#options = options;
    this.#settings = settings;
    this.#rememberedAddresses = remembered.addresses;
    this.#remembering = new Remembering(options.memory, (error) => options.listener?.failed?.(error));
    const member = { nodeId, name, address, instanceId, incarnation: remembered.incarnation, tags: { ...tags } };
    this.#core = new MembershipCore({ clusterId, self: member, settings, random });
    this.#timer = new DueTimer(clock, (delayMs) => this.#step({ nowMs: this.#nowMs(), type: 'tick', delayMs }));
    this.#coalescer = coalesce === undefined ? undefined : new EventCoalescer(coalesce);
    this.#coalescing = new DueTimer(clock, () => this.#tellDue());
    this.#discovering = new DueTimer(clock, () => this.#discover());
    transport.open({ onFrame: (from, frame) => this.#receive(from, frame) });
    this.#discover();
  }

  self(): Member {
    return this.#core.self;
  }

  members(): MemberSight[] {
    const nodeIds = [...this.#core.view.all()].map(({ record }) => record.nodeId).sort((a, b) => a - b);
    const observed = new Set(this.#core.observed);
    return nodeIds.flatMap((nodeId) => this.#sightOf(nodeId, observed) ?? []);
  }

  member(nodeId: number): MemberSight | undefined {
    return this.#sightOf(nodeId, new Set(this.#core.observed));
  }

  status(): MembershipStatus {
    const { view, isIsolated, rumours } = this.#core;
    const isClosed = this.#closing !== undefined || this.#core.isStopped;
    return { isIsolated, isClosed, members: view.size, viewHash: view.hash, rumours, ...this.#counts };
  }

  setTags(tags: Readonly<Record<string, string>>): void {
    this.#checkOpen();
    this.#step({ nowMs: this.#nowMs(), type: 'tags', tags: { ...tags } });
  }

  setAddresses(addresses: readonly string[]): void {
    this.#given = addresses;
    this.#setSeeds();
  }

  remove(nodeId: number): void {
    this.#checkOpen();
    this.#step({ nowMs: this.#nowMs(), type: 'remove', nodeId });
  }

  leave(): Promise<void> {
    this.#leaving ??= this.#leave();
    return this.#leaving;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #leave(): Promise<void> {
    const { clock } = this.#options;
    if (this.#closing === undefined && !this.#core.isStopped) {
      this.#step({ nowMs: this.#nowMs(), type: 'leave' });
      // Two rounds: the others go on with it.
      const waitMs = Math.min(1_000, 2 * this.#settings.gossipEveryMs);
      await delay(clock, waitMs, this.#stop.signal, { keepsProcess: true }).catch(() => undefined);
      if (this.#closing === undefined) this.#step({ nowMs: this.#nowMs(), type: 'left' });
    }
    await this.close();
  }

  async #close(): Promise<void> {
    this.#stop.abort();
    for (const timer of [this.#timer, this.#coalescing, this.#discovering]) timer.cancel();
    await this.#options.transport.close();
    await this.#remembering.settled();
  }

  #checkOpen(): void {
    if (this.#closing !== undefined || this.#core.isStopped) {
      throw new MembershipError('CLOSED', `node ${this.#core.self.nodeId} takes part no more; open it anew`);
    }
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }

  #sightOf(nodeId: number, observed: ReadonlySet<number>): MemberSight | undefined {
    const known = this.#core.view.get(nodeId);
    if (known === undefined) return undefined;
    const { record, heardMs } = known;
    const isSelf = nodeId === this.#core.self.nodeId;
    const heardAgoMs = isSelf ? 0 : heardMs === undefined ? undefined : Math.max(0, this.#nowMs() - heardMs);
    return { ...record, heardAgoMs, isObserved: observed.has(nodeId) };
  }

  #receive(from: number, frame: Uint8Array): void {
    if (this.#closing !== undefined || !this.#isStarted) return;
    const { listener } = this.#options;
    this.#counts.framesReceived++;
    this.#counts.bytesReceived += frame.length;
    let message: Message | undefined;
    try {
      message = decodeMessage(frame);
    } catch (error) {
      if (!(error instanceof MembershipError)) throw error;
      listener?.unreadable?.(from, error);
      return;
    }
    if (message === undefined) return;
    listener?.received?.(message.type, frame.length);
    this.#step({ nowMs: this.#nowMs(), type: 'receive', from, message });
  }

  #step(input: MembershipInput): void {
    if (this.#closing !== undefined) return;
    for (const effect of this.#core.step(input)) this.#carryOut(effect);
    if (this.#isStarted) this.#timer.set(this.#core.dueMs);
  }

  #carryOut(effect: MembershipEffect): void {
    switch (effect.type) {
      case 'send':
        this.#send(effect.to, effect.message);
        return;
      case 'tell':
        this.#take(effect.event);
        return;
      case 'keep':
        this.#remember();
        return;
      case 'stop':
        // A node that leaves closes by itself, when its last words are sent.
        if (this.#leaving === undefined) void this.close();
        return;
    }
  }

  #send(to: readonly Destination[], message: Message): void {
    const { transport, listener } = this.#options;
    const frame = encodeMessage(message);
    for (const one of to) transport.send(one, frame);
    this.#counts.framesSent += to.length;
    this.#counts.bytesSent += to.length * frame.length;
    listener?.sent?.(message.type, frame.length, to.length);
  }

  #take(event: MembershipEvent): void {
    if (event.type === 'joined' || event.type === 'changed') this.#remember();
    const passed = this.#coalescer === undefined ? event : this.#coalescer.take(event, this.#nowMs());
    if (passed !== undefined) this.#options.onEvent?.(passed);
    else if (this.#coalescer !== undefined) this.#coalescing.set(this.#coalescer.dueMs);
  }

  #tellDue(): void {
    if (this.#coalescer === undefined) return;
    for (const event of this.#coalescer.due(this.#nowMs())) this.#options.onEvent?.(event);
    this.#coalescing.set(this.#coalescer.dueMs);
  }

  #remember(): void {
    const { view, self } = this.#core;
    const addresses: string[] = [];
    for (const { record } of view.all()) {
      if (record.nodeId !== self.nodeId && !isGone(record.state)) addresses.push(record.address);
    }
    this.#remembering.save({ incarnation: self.incarnation, addresses: addresses.slice(0, rememberedAddresses) });
  }

  /** Asks where others are, until that is known, and again as long as nobody is heard from. */
  #discover(): void {
    const { discovery, listener } = this.#options;
    const again = () => {
      if (this.#closing !== undefined) return;
      const retryMs = this.#isStarted ? this.#settings.rejoinEveryMs : Math.min(1_000, this.#settings.rejoinEveryMs);
      this.#discovering.set(this.#nowMs() + retryMs);
    };
    const isNeeded = !this.#isStarted || this.#core.isIsolated || this.#core.self.state === 'joining';
    if (!isNeeded || discovery === undefined) {
      if (!this.#isStarted) this.#setSeeds();
      if (discovery !== undefined) again();
      return;
    }
    discovery.addresses().then(
      (addresses) => {
        this.#discovered = addresses;
        this.#setSeeds();
        again();
      },
      (error: unknown) => {
        listener?.failed?.(error);
        again();
      },
    );
  }

  #setSeeds(): void {
    if (this.#closing !== undefined) return;
    const seeds = [...this.#discovered, ...this.#given, ...this.#rememberedAddresses];
    const isFirst = !this.#isStarted;
    this.#isStarted = true;
    this.#step({ nowMs: this.#nowMs(), type: isFirst ? 'start' : 'seeds', seeds });
  }
}
