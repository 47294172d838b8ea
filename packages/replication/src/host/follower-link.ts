/** A session in which this node fetches: does what the core wants, and hands to the store what comes. */
import type { Credit } from '../core/credit.js';
import {
  type FollowerContext,
  type FollowerEffect,
  type FollowerEvent,
  FollowerSession,
} from '../core/follower-session.js';
import type { TransportSession } from '../ports/replication-transport.js';
import type { FetchingStatus } from './replication-status.js';
import type { ReplicatorContext } from './replicator-context.js';

/** One source. */
export class FollowerLink {
  readonly source: number;
  readonly #context: ReplicatorContext;
  readonly #session: TransportSession;
  readonly #core: FollowerSession;
  readonly #onEnd: (reason: string) => void;
  #isOver = false;
  #receivedEntries = 0;
  #receivedBytes = 0;

  /** `onEnd`: this side ended it. */
  constructor(
    context: ReplicatorContext,
    core: FollowerContext,
    window: Credit,
    session: TransportSession,
    onEnd: (reason: string) => void,
  ) {
    this.source = session.peer;
    this.#context = context;
    this.#session = session;
    this.#core = new FollowerSession(core, window);
    this.#onEnd = onEnd;
  }

  /** What the source says that it holds. */
  get held() {
    return this.#core.source;
  }

  get isSourceKnown(): boolean {
    return this.#core.isSourceKnown;
  }

  /** The session is over, whoever ended it. What was handed to the store stays there. */
  stop(): void {
    this.#isOver = true;
  }

  step(event: FollowerEvent): void {
    if (this.#isOver) return;
    for (const effect of this.#core.step(event)) this.#do(effect);
  }

  /** Ends it; the transport makes another one. */
  end(reason: string): void {
    if (this.#isOver) return;
    this.stop();
    this.#session.close(reason);
    this.#onEnd(reason);
  }

  status(): FetchingStatus {
    return {
      source: this.source,
      origins: [...this.#core.origins].sort((a, b) => a - b),
      receivedEntries: this.#receivedEntries,
      receivedBytes: this.#receivedBytes,
    };
  }

  #do(effect: FollowerEffect): void {
    if (this.#isOver) return;
    switch (effect.type) {
      case 'send':
        this.#session.sendControl(effect.message);
        return;
      case 'store': {
        const { order, cost } = effect;
        this.#context.queue.push({ order, onStored: () => this.#stored(cost, order?.type === 'run') });
        if (order?.type === 'skip') this.#context.listener.skipped?.(order.stream, order.firstSequence, this.source);
        return;
      }
      case 'end':
        this.end(effect.error.message);
        return;
    }
  }

  #stored(cost: Credit, isRun: boolean): void {
    if (isRun) {
      this.#receivedEntries += cost.entries;
      this.#receivedBytes += cost.bytes;
      this.#context.listener.received?.(this.source, cost.entries, cost.bytes);
    }
    if (cost.entries > 0) this.step({ type: 'stored', cost });
  }
}
