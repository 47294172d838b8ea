/**
 * Finding others: at the start by the addresses one was given, and for ever after those who are down. Nobody is given up
 * but by being removed, so that parts of a cluster find each other however long they were apart.
 */
import type { AntiEntropy } from './anti-entropy.js';
import type { CoreContext } from './core-context.js';
import type { Learning } from './learning.js';
import { isGone, type Member } from './member.js';
import type { RefusalReason } from './message.js';

/** How many are tried at a time. */
const triedAtOnce = 3;
const firstRetryMs = 1_000;

/** Joining, letting in, and coming back. */
export class Joining {
  readonly #context: CoreContext;
  readonly #learning: Learning;
  readonly #antiEntropy: AntiEntropy;
  readonly #isIsolated: () => boolean;
  #seeds: readonly string[] = [];
  #at = 0;
  #nextJoinMs = Number.POSITIVE_INFINITY;
  #retryMs = firstRetryMs;
  #nextRejoinMs = 0;
  /** Addresses of no member, as of a view with this hash. */
  #unknownSeeds: readonly string[] = [];
  #unknownOfHash = -1;

  /** `isIsolated`: whether nobody is heard. */
  constructor(context: CoreContext, learning: Learning, antiEntropy: AntiEntropy, isIsolated: () => boolean) {
    this.#context = context;
    this.#learning = learning;
    this.#antiEntropy = antiEntropy;
    this.#isIsolated = isIsolated;
  }

  get dueMs(): number {
    return Math.min(this.#nextJoinMs, this.#nextRejoinMs);
  }

  /** Begins to look for others; without an address there is nobody to wait for. */
  start(seeds: readonly string[]): void {
    const { nowMs, settings, random } = this.#context;
    this.setSeeds(seeds);
    this.#nextRejoinMs = nowMs + Math.ceil(settings.rejoinEveryMs * (0.5 + random.float()));
    if (this.#seeds.length === 0) this.#learning.become('up');
    else this.#nextJoinMs = nowMs;
  }

  /** Where others may be found from now on. */
  setSeeds(seeds: readonly string[]): void {
    const own = this.#context.self.address;
    this.#seeds = [...new Set(seeds)].filter((address) => address !== own);
    this.#unknownOfHash = -1;
  }

  tick(): void {
    const { nowMs, settings, random } = this.#context;
    if (nowMs >= this.#nextJoinMs) {
      this.#nextJoinMs = nowMs + this.#retryMs;
      this.#retryMs = Math.min(2 * this.#retryMs, settings.rejoinEveryMs);
      this.#join(this.#nextSeeds(this.#seeds, triedAtOnce));
    }
    if (nowMs < this.#nextRejoinMs) return;
    this.#nextRejoinMs = nowMs + Math.ceil(settings.rejoinEveryMs * (0.9 + 0.2 * random.float()));
    this.#rejoin();
  }

  /** Somebody wants to come in. */
  takeJoin(from: number, clusterId: string, record: Member): void {
    const context = this.#context;
    const refuse = (reason: RefusalReason, text: string) =>
      context.sendTo([{ nodeId: from, address: record.address }], { type: 'refusal', reason, text });
    if (clusterId !== context.clusterId) {
      refuse('otherCluster', `this is cluster '${context.clusterId}', not '${clusterId}'; correct the address`);
      return;
    }
    if (record.nodeId !== from) return;
    const holder = context.view.holderOf(record.name, record.nodeId);
    if (holder !== undefined) {
      refuse('nameTaken', `node ${holder.nodeId} at ${holder.address} is called '${record.name}'; take another name`);
      return;
    }
    if (context.recordOf(from)?.state === 'removed') {
      refuse('removed', `node ${from} was removed; join under a new node id`);
      return;
    }
    this.#learning.learn(record);
    const known = context.recordOf(from);
    if (known === undefined) refuse('tooMuch', `there are ${context.view.size} members already`);
    else if (known.instanceId === record.instanceId) this.#antiEntropy.welcome(from);
    // Another process is believed to be this node: the two must settle that.
    else context.sendTo([{ nodeId: from, address: record.address }], { type: 'records', wanted: [], records: [known] });
  }

  /** This node was let in. */
  takeWelcome(records: readonly Member[]): void {
    for (const record of records) this.#learning.learn(record);
    const { self, isStopped } = this.#context;
    if (isStopped || self.state !== 'joining') return;
    this.#nextJoinMs = Number.POSITIVE_INFINITY;
    this.#learning.become('up');
  }

  #rejoin(): void {
    const { view, random, self } = this.#context;
    const down = [...view.down];
    for (let i = 0; i < triedAtOnce && down.length > 0; i++) {
      const [nodeId] = down.splice(random.below(down.length), 1);
      if (nodeId === undefined) break;
      this.#context.send([nodeId], { type: 'records', wanted: [], records: [self] });
      this.#antiEntropy.offer(nodeId);
    }
    if (self.state === 'joining') return;
    if (this.#isIsolated()) {
      this.#join(this.#nextSeeds(this.#seeds, triedAtOnce));
      return;
    }
    this.#join(this.#nextSeeds(this.#findUnknownSeeds(), 1));
  }

  /** Looked for again only when the view is another: it may be long. */
  #findUnknownSeeds(): readonly string[] {
    const { view } = this.#context;
    if (this.#unknownOfHash === view.hash) return this.#unknownSeeds;
    const unknown = new Set(this.#seeds);
    for (const { record } of view.all()) if (!isGone(record.state)) unknown.delete(record.address);
    this.#unknownSeeds = [...unknown];
    this.#unknownOfHash = view.hash;
    return this.#unknownSeeds;
  }

  #join(addresses: readonly string[]): void {
    const { clusterId, self } = this.#context;
    const to = addresses.map((address) => ({ nodeId: 0, address }));
    this.#context.sendTo(to, { type: 'join', clusterId, record: self });
  }

  /** The next ones, in turn. */
  #nextSeeds(seeds: readonly string[], count: number): string[] {
    const wanted = Math.min(count, seeds.length);
    return Array.from({ length: wanted }, () => seeds[this.#at++ % seeds.length] as string);
  }
}
