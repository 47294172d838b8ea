/**
 * The follower's side of a session: says what it has and wants, takes what comes, hands it to the store in order, and gives
 * credit back when the store has it durably.
 */
import { type Credit, CreditGranter } from './credit.js';
import { type StreamId, streamKey } from './entry-id.js';
import type { Intake } from './intake.js';
import type { ControlMessage, DataMessage } from './message.js';
import { ReplicationError } from './replication-error.js';
import { lastSequenceOf, type Run } from './run.js';
import type { OriginMark, StreamPosition } from './stream-position.js';
import { positionMessages } from './vector-messages.js';
import { VersionVector } from './version-vector.js';

/** What a follower session is told. `stored`: what `store` effects of this session cost, now durable. */
export type FollowerEvent =
  | { readonly type: 'open' }
  | { readonly type: 'want'; readonly origins: readonly number[] }
  | { readonly type: 'data'; readonly message: DataMessage }
  | { readonly type: 'stored'; readonly cost: Credit }
  | { readonly type: 'sourcePositions'; readonly positions: readonly StreamPosition[]; readonly isComplete: boolean }
  | { readonly type: 'held'; readonly positions: readonly StreamPosition[] }
  | { readonly type: 'marks'; readonly marks: readonly OriginMark[] }
  | { readonly type: 'tick' };

/** Something for the store, in this order. `cost` is told back by `stored`. */
export type StoreOrder =
  | { readonly type: 'run'; readonly run: Run }
  | { readonly type: 'mark'; readonly mark: OriginMark }
  | { readonly type: 'rows'; readonly logId: number; readonly rows: Uint8Array }
  | { readonly type: 'skip'; readonly stream: StreamId; readonly firstSequence: number };

/** What it wants done. */
export type FollowerEffect =
  | { readonly type: 'send'; readonly message: ControlMessage }
  | { readonly type: 'store'; readonly order: StoreOrder | undefined; readonly cost: Credit }
  | { readonly type: 'end'; readonly error: ReplicationError };

/** What it shares with its node. Read, and `intake` changed by what comes. */
export interface FollowerContext {
  readonly source: number;
  readonly held: VersionVector;
  readonly marks: ReadonlyMap<number, OriginMark>;
  readonly intake: Intake;
  /** The present epoch of the own origin, of which nothing is taken from others. */
  readonly own: () => { readonly origin: number; readonly epoch: number };
}

const free: Credit = { entries: 0, bytes: 0 };

/** One source, as its follower sees it. */
export class FollowerSession {
  readonly #context: FollowerContext;
  readonly #granter: CreditGranter;
  /** What the source says that it holds. */
  readonly #source = new VersionVector();
  readonly #late = new Map<string, StreamPosition>();
  readonly #lateMarks = new Map<number, OriginMark>();
  #origins: ReadonlySet<number> = new Set();
  #isSourceKnown = false;
  #isOpen = false;
  #isEnded = false;
  #effects: FollowerEffect[] = [];

  constructor(context: FollowerContext, window: Credit) {
    this.#context = context;
    this.#granter = new CreditGranter(window);
  }

  get source(): VersionVector {
    return this.#source;
  }

  /** Whether the source has said all that it holds. */
  get isSourceKnown(): boolean {
    return this.#isSourceKnown;
  }

  get origins(): ReadonlySet<number> {
    return this.#origins;
  }

  /** What came and is not durable yet. */
  get underWay(): Credit {
    return this.#granter.underWay;
  }

  step(event: FollowerEvent): FollowerEffect[] {
    this.#effects = [];
    if (this.#isEnded) return this.#effects;
    try {
      this.#take(event);
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error;
      this.#isEnded = true;
      // What was taken before it broke is taken.
      this.#effects.push({ type: 'end', error });
    }
    return this.#effects;
  }

  #take(event: FollowerEvent): void {
    switch (event.type) {
      case 'open':
        this.#open();
        return;
      case 'want':
        this.#want(new Set(event.origins));
        return;
      case 'data':
        this.#takeData(event.message);
        return;
      case 'stored': {
        this.#granter.settle(event.cost);
        const granted = this.#granter.take();
        if (granted !== undefined) this.#send({ type: 'grant', ...granted });
        return;
      }
      case 'sourcePositions':
        for (const position of event.positions) this.#source.set(position);
        if (event.isComplete) this.#isSourceKnown = true;
        return;
      case 'held':
        this.#tell(event.positions);
        return;
      case 'marks':
        for (const mark of event.marks) this.#lateMarks.set(mark.origin, mark);
        return;
      case 'tick':
        this.#flush();
        return;
    }
  }

  #open(): void {
    this.#isOpen = true;
    this.#sendPositions(this.#context.held.all());
    this.#send({ type: 'marks', marks: [...this.#context.marks.values()] });
    this.#send({ type: 'grant', ...this.#granter.open() });
    this.#send({ type: 'want', origins: [...this.#origins] });
  }

  #want(origins: ReadonlySet<number>): void {
    const isSame = origins.size === this.#origins.size && [...origins].every((origin) => this.#origins.has(origin));
    if (isSame) return;
    this.#origins = origins;
    if (!this.#isOpen) return;
    // The source begins behind what it knows to be here.
    this.#flush();
    this.#send({ type: 'want', origins: [...origins] });
  }

  #takeData(message: DataMessage): void {
    const { intake } = this.#context;
    switch (message.type) {
      case 'run': {
        const cost = { entries: message.run.count, bytes: message.run.bytes.length };
        this.#granter.receive(cost);
        this.#refuseOwn(message.run.stream, lastSequenceOf(message.run));
        const run = intake.take(message.run);
        this.#store(run === undefined ? undefined : { type: 'run', run }, cost);
        return;
      }
      case 'rows': {
        const cost = { entries: 1, bytes: message.rows.length };
        this.#granter.receive(cost);
        this.#store({ type: 'rows', logId: message.logId, rows: message.rows }, cost);
        return;
      }
      case 'trimmed': {
        const { stream, firstSequence } = message;
        this.#refuseOwn(stream, firstSequence - 1);
        if (intake.skip(stream, firstSequence)) this.#store({ type: 'skip', stream, firstSequence }, free);
        return;
      }
      case 'mark': {
        const isOwn = message.mark.origin === this.#context.own().origin;
        const mark = isOwn ? undefined : intake.mark(message.mark);
        if (mark !== undefined) this.#store({ type: 'mark', mark }, free);
        return;
      }
    }
  }

  /** Nobody else writes what this node writes now; it may come back before its source has heard that it is here. */
  #refuseOwn(stream: StreamId, lastSequence: number): void {
    const { origin, epoch } = this.#context.own();
    if (stream.origin !== origin || stream.epoch < epoch) return;
    if (lastSequence <= this.#context.held.lastOf(streamKey(stream))) return;
    throw new ReplicationError(
      'DIVERGED',
      `node ${this.#context.source} ships stream ${streamKey(stream)} to its own origin`,
    );
  }

  #store(order: StoreOrder | undefined, cost: Credit): void {
    this.#effects.push({ type: 'store', order, cost });
  }

  /** What the source ships, or has written, it is told at once: acknowledgements wait for it. The rest has time. */
  #tell(positions: readonly StreamPosition[]): void {
    if (!this.#isOpen) return;
    const urgent: StreamPosition[] = [];
    for (const position of positions) {
      const { origin } = position.stream;
      const key = streamKey(position.stream);
      if (origin === this.#context.source || this.#origins.has(origin)) {
        urgent.push(position);
        this.#late.delete(key);
      } else this.#late.set(key, position);
    }
    if (urgent.length > 0) this.#sendPositions(urgent);
  }

  #flush(): void {
    if (!this.#isOpen) return;
    if (this.#late.size > 0) this.#sendPositions(this.#late.values());
    this.#late.clear();
    if (this.#lateMarks.size > 0) this.#send({ type: 'marks', marks: [...this.#lateMarks.values()] });
    this.#lateMarks.clear();
  }

  #sendPositions(positions: Iterable<StreamPosition>): void {
    for (const message of positionMessages(positions)) this.#send(message);
  }

  #send(message: ControlMessage): void {
    this.#effects.push({ type: 'send', message });
  }
}
