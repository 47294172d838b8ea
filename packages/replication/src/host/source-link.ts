/** A session in which this node ships: does what the core wants, and reads for it. */
import type { Credit } from '../core/credit.js';
import { type StreamId, streamKey } from '../core/entry-id.js';
import type { ControlMessage } from '../core/message.js';
import { lastSequenceOf } from '../core/run.js';
import { type SourceContext, type SourceEffect, type SourceEvent, SourceSession } from '../core/source-session.js';
import type { OriginMark } from '../core/stream-position.js';
import type { TransportSession } from '../ports/replication-transport.js';
import type { ShippingStatus } from './replication-status.js';
import type { ReplicatorContext } from './replicator-context.js';

/** One follower. */
export class SourceLink {
  readonly follower: number;
  /** What the follower knows of origins. */
  readonly marks = new Map<number, OriginMark>();
  readonly #context: ReplicatorContext;
  readonly #session: TransportSession;
  readonly #core: SourceSession;
  readonly #onEnd: (reason: string) => void;
  /** Streams of which something could not be read: they are tried again, and do not keep the others waiting. */
  readonly #unreadable = new Map<string, StreamId>();
  #isOver = false;
  #sentEntries = 0;
  #sentBytes = 0;
  #blockedMs = 0;
  #blockedSinceMs: number | undefined;

  /** `onEnd`: this side ended it. */
  constructor(
    context: ReplicatorContext,
    core: SourceContext,
    session: TransportSession,
    onEnd: (reason: string) => void,
  ) {
    this.follower = session.peer;
    this.#context = context;
    this.#session = session;
    this.#core = new SourceSession(core);
    this.#onEnd = onEnd;
  }

  /** What the follower durably holds, as far as it has said. */
  get told() {
    return this.#core.told;
  }

  get isBlocked(): boolean {
    return this.#blockedSinceMs !== undefined;
  }

  get isPaused(): boolean {
    return this.#core.isPaused;
  }

  /** What may still be sent before more is granted. */
  get credit(): Credit {
    return this.#core.credit.left;
  }

  /** Streams of an origin of which something could not be read when it was last tried. */
  unreadable(origin: number): number {
    let count = 0;
    for (const stream of this.#unreadable.values()) if (stream.origin === origin) count++;
    return count;
  }

  wants(origin: number): boolean {
    return this.#core.wants(origin);
  }

  /** Ends it. */
  end(reason: string): void {
    if (this.#isOver) return;
    this.stop();
    this.#session.close(reason);
    this.#onEnd(reason);
  }

  /** The session is over, whoever ended it. */
  stop(): void {
    this.#isOver = true;
    this.#unblock();
  }

  /** The follower has said something that is for the core. `marks` are kept here. */
  takeControl(message: ControlMessage): void {
    if (message.type !== 'marks') this.step(message);
    else for (const mark of message.marks) this.marks.set(mark.origin, mark);
  }

  /** Says what is not urgent, and tries again what could not be read. */
  tick(): void {
    this.step({ type: 'tick' });
    for (const stream of this.#unreadable.values()) this.step({ type: 'again', stream });
  }

  step(event: SourceEvent): void {
    if (this.#isOver) return;
    for (const effect of this.#core.step(event)) this.#do(effect);
    this.#watchCredit();
  }

  status(): ShippingStatus {
    const { left, window } = this.#core.credit;
    const blockedMs = this.#blockedSinceMs === undefined ? 0 : this.#context.clock.monotonicMs() - this.#blockedSinceMs;
    return {
      follower: this.follower,
      creditEntries: left.entries,
      creditBytes: left.bytes,
      windowEntries: window.entries,
      windowBytes: window.bytes,
      isPaused: this.#core.isPaused,
      sentEntries: this.#sentEntries,
      sentBytes: this.#sentBytes,
      blockedMs: this.#blockedMs + blockedMs,
    };
  }

  #do(effect: SourceEffect): void {
    if (this.#isOver) return;
    switch (effect.type) {
      case 'read':
        this.#read(effect.stream, effect.from, effect.maxEntries, effect.maxBytes);
        return;
      case 'readRows':
        this.#readRows(effect.stream, effect.cursor, effect.maxBytes);
        return;
      case 'send': {
        const { message } = effect;
        if (message.type === 'run') {
          const { count, bytes } = message.run;
          this.#sentEntries += count;
          this.#sentBytes += bytes.length;
          this.#context.listener.shipped?.(this.follower, count, bytes.length);
        }
        if (!this.#session.sendData(message)) this.step({ type: 'full', isFull: true });
        return;
      }
      case 'sendControl':
        this.#session.sendControl(effect.message);
        return;
      case 'end':
        this.end(effect.error.message);
        return;
    }
  }

  #read(stream: StreamId, from: number, maxEntries: number, maxBytes: number): void {
    this.#context.cache.read(stream, from, maxEntries, maxBytes).then(
      (result) => {
        const isAhead = result.type === 'run' && lastSequenceOf(result.run) >= from + maxEntries;
        if (isAhead) this.end(`the store gave more than ${maxEntries} entries`);
        else this.step({ type: 'readDone', stream, result });
        if (result.type !== 'nothing') this.#unreadable.delete(streamKey(stream));
      },
      (error: unknown) => {
        this.#couldNotRead(stream, from, error);
        this.step({ type: 'readDone', stream, result: { type: 'nothing' } });
      },
    );
  }

  #readRows(stream: StreamId, cursor: Uint8Array, maxBytes: number): void {
    this.#context.store.rows(stream.logId, cursor, maxBytes).then(
      (page) => {
        this.step({ type: 'rowsDone', page });
        this.#unreadable.delete(streamKey(stream));
      },
      (error: unknown) => {
        this.#couldNotRead(stream, 0, error);
        this.step({ type: 'rowsFailed' });
      },
    );
  }

  /** Told once, until it can be read. */
  #couldNotRead(stream: StreamId, from: number, error: unknown): void {
    const key = streamKey(stream);
    if (!this.#unreadable.has(key)) this.#context.listener.unreadable?.(stream, from, this.follower, error);
    this.#unreadable.set(key, stream);
  }

  #watchCredit(): void {
    const isBlocked = !this.#isOver && this.#core.isBlocked;
    if (!isBlocked) this.#unblock();
    else if (this.#blockedSinceMs === undefined) {
      this.#blockedSinceMs = this.#context.clock.monotonicMs();
      this.#context.listener.blocked?.(this.follower);
    }
  }

  #unblock(): void {
    if (this.#blockedSinceMs === undefined) return;
    const blockedMs = this.#context.clock.monotonicMs() - this.#blockedSinceMs;
    this.#blockedSinceMs = undefined;
    this.#blockedMs += blockedMs;
    this.#context.listener.unblocked?.(this.follower, blockedMs);
  }
}
