/**
 * The source's side of a session: what a follower lacks of what it wants, read from the store when there is credit for it
 * and not before. A follower that stands still costs this object, whose size is that of its vector, and nothing else.
 *
 *     positions, want, grant ──▶ ┌──────┐ ──▶ read (one at a time) ─ ─ store ─ ─┐
 *     the store has more     ──▶ │ step │ ◀── readDone ◀─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─┘
 *     tick, pause, drained   ──▶ └──────┘ ──▶ send on data, end
 *
 * Streams with something to ship stand in a ring and take turns, a run each. Of each stream `next` is what goes out next:
 * behind what the follower said it has, or what was sent since. What is sent is sent once: the lane keeps it, or breaks.
 */
import { invariant } from '@shanghai/env';
import { CreditAccount } from './credit.js';
import { type StreamId, streamKey } from './entry-id.js';
import type { ControlMessage, DataMessage } from './message.js';
import { emptyMark, markWithout, saysMore } from './origin-marks.js';
import { ReplicationError } from './replication-error.js';
import type { Run } from './run.js';
import type { OriginMark, StreamPosition } from './stream-position.js';
import { positionMessages } from './vector-messages.js';
import { VersionVector } from './version-vector.js';

/**
 * What a source session is told. `held`: streams of this node's store that have changed, the vector is up to date. `again`:
 * a stream of which nothing could be read when it was read last.
 */
export type SourceEvent =
  | { readonly type: 'open' }
  | { readonly type: 'held'; readonly positions: readonly StreamPosition[] }
  | { readonly type: 'positions'; readonly positions: readonly StreamPosition[]; readonly isComplete: boolean }
  | { readonly type: 'want'; readonly origins: readonly number[] }
  | { readonly type: 'grant'; readonly entries: number; readonly bytes: number }
  | { readonly type: 'readDone'; readonly stream: StreamId; readonly result: SourceReadResult }
  | { readonly type: 'rowsDone'; readonly page: SourceRowsPage | undefined }
  | { readonly type: 'rowsFailed' }
  | { readonly type: 'again'; readonly stream: StreamId }
  | { readonly type: 'logRemoved'; readonly logId: number }
  | { readonly type: 'pause'; readonly isPaused: boolean }
  | { readonly type: 'full'; readonly isFull: boolean }
  | { readonly type: 'tick' };

/** What a read has found, as the store says it. */
export type SourceReadResult =
  | { readonly type: 'run'; readonly run: Run }
  | { readonly type: 'trimmed'; readonly firstSequence: number }
  | { readonly type: 'nothing' };

/** What a read of rows has found, as the store says it. */
export interface SourceRowsPage {
  readonly rows: Uint8Array;
  readonly next?: Uint8Array;
  readonly covered?: readonly { readonly stream: StreamId; readonly firstSequence: number }[];
}

/** What it wants done. `read`: then `readDone`; `readRows`: then `rowsDone` or `rowsFailed`. `end`: the session is over. */
export type SourceEffect =
  | {
      readonly type: 'read';
      readonly stream: StreamId;
      readonly from: number;
      readonly maxEntries: number;
      readonly maxBytes: number;
    }
  | { readonly type: 'readRows'; readonly stream: StreamId; readonly cursor: Uint8Array; readonly maxBytes: number }
  | { readonly type: 'send'; readonly message: DataMessage }
  | { readonly type: 'sendControl'; readonly message: ControlMessage }
  | { readonly type: 'end'; readonly error: ReplicationError };

/** What it shares with its node. Read, never changed. */
export interface SourceContext {
  /** What this node durably holds. */
  readonly held: VersionVector;
  /** What this node knows of origins. */
  readonly marks: ReadonlyMap<number, OriginMark>;
  readonly runBytes: number;
  readonly maxBehindLogs: number;
}

interface Shipping {
  readonly stream: StreamId;
  /** What goes out next; `undefined` while the origin is not wanted. */
  next: number;
  isInRing: boolean;
}

/** Rows that go out in the place of entries. */
interface RowsInstead {
  readonly stream: StreamId;
  /** Of all streams of the log that the rows stand for, this one among them. */
  covered: readonly { readonly stream: StreamId; readonly firstSequence: number }[];
  /** A page that waits for credit. */
  page: Uint8Array | undefined;
  /** Where the page behind it begins; absent where there is none. */
  cursor: Uint8Array | undefined;
}

const noBytes = new Uint8Array(0);

/** One follower, as its source sees it. */
export class SourceSession {
  readonly #context: SourceContext;
  readonly #told = new VersionVector();
  readonly #account = new CreditAccount();
  readonly #streams = new Map<string, Shipping>();
  readonly #ring: Shipping[] = [];
  /** What this node holds since it last said so: the follower chooses its sources by that, and has time. */
  readonly #late = new Map<string, StreamPosition>();
  readonly #sentMarks = new Map<number, OriginMark>();
  #wanted: ReadonlySet<number> = new Set();
  #isTold = false;
  #isPaused = false;
  #isFull = false;
  #isEnded = false;
  #isReading = false;
  /** An entry that is larger than the credit there is: read again when there is so much, or when all of it is home. */
  #neededBytes = 0;
  #rows: RowsInstead | undefined;
  #effects: SourceEffect[] = [];

  constructor(context: SourceContext) {
    this.#context = context;
  }

  /** What the follower durably holds, as far as it has said. */
  get told(): VersionVector {
    return this.#told;
  }

  get credit(): CreditAccount {
    return this.#account;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  wants(origin: number): boolean {
    return this.#wanted.has(origin);
  }

  /** Whether something is there to be shipped and no credit for it. */
  get isBlocked(): boolean {
    const hasWork = this.#ring.length > 0 || this.#rows?.page !== undefined;
    return hasWork && !this.#isPaused && !this.#isReading && this.#account.window.entries > 0 && !this.#mayRead();
  }

  /** Takes an event in and gives what is to be done about it, in this order. */
  step(event: SourceEvent): SourceEffect[] {
    this.#effects = [];
    if (this.#isEnded) return this.#effects;
    try {
      this.#take(event);
      this.#pump();
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error;
      this.#isEnded = true;
      this.#effects = [{ type: 'end', error }];
    }
    return this.#effects;
  }

  #take(event: SourceEvent): void {
    switch (event.type) {
      case 'open':
        this.#tell(positionMessages(this.#context.held.all()));
        return;
      case 'held':
        for (const position of event.positions) {
          this.#late.set(streamKey(position.stream), position);
          this.#consider(position.stream);
        }
        return;
      case 'positions':
        for (const position of event.positions) this.#told.set(position);
        if (event.isComplete && !this.#isTold) {
          this.#isTold = true;
          this.#considerAll(this.#wanted);
        } else for (const { stream } of event.positions) this.#catchUp(stream);
        return;
      case 'want':
        this.#want(new Set(event.origins));
        return;
      case 'grant':
        this.#account.grant(event);
        return;
      case 'readDone':
        this.#takeRead(event.stream, event.result);
        return;
      case 'rowsDone':
        this.#takeRows(event.page);
        return;
      case 'rowsFailed':
        this.#dropRows();
        return;
      case 'again':
        this.#consider(event.stream);
        return;
      case 'logRemoved':
        this.#told.removeLog(event.logId);
        for (const [key, { stream }] of this.#streams) if (stream.logId === event.logId) this.#streams.delete(key);
        if (this.#rows?.stream.logId === event.logId) this.#rows = undefined;
        return;
      case 'pause':
        this.#isPaused = event.isPaused;
        return;
      case 'full':
        this.#isFull = event.isFull;
        return;
      case 'tick':
        if (this.#late.size > 0) this.#tell(positionMessages(this.#late.values()));
        this.#late.clear();
        this.#sendMarks();
        return;
    }
  }

  #tell(messages: readonly ControlMessage[]): void {
    for (const message of messages) this.#effects.push({ type: 'sendControl', message });
  }

  #want(origins: ReadonlySet<number>): void {
    const before = this.#wanted;
    this.#wanted = origins;
    const added = new Set([...origins].filter((origin) => !before.has(origin)));
    for (const [key, { stream }] of this.#streams) {
      // What was sent when it was wanted before may have been left lying: what the follower says it has counts.
      if (!origins.has(stream.origin) || added.has(stream.origin)) this.#streams.delete(key);
    }
    for (const origin of added) this.#sentMarks.delete(origin);
    // Whoever is asked for the origin now sends the rows too.
    if (this.#rows !== undefined && !origins.has(this.#rows.stream.origin)) this.#rows = undefined;
    if (this.#isTold) this.#considerAll(added);
  }

  #considerAll(origins: Iterable<number>): void {
    for (const origin of origins) for (const { stream } of this.#context.held.ofOrigin(origin)) this.#consider(stream);
  }

  /** The follower has got further, from another source perhaps: what it has is not sent again. */
  #catchUp(stream: StreamId): void {
    const shipping = this.#streams.get(streamKey(stream));
    const told = this.#told.get(stream)?.lastSequence ?? 0;
    if (shipping !== undefined && told >= shipping.next && !this.#isReading) shipping.next = told + 1;
  }

  /** Puts a stream into the ring where there is something of it to ship. */
  #consider(stream: StreamId): void {
    if (!this.#isTold || !this.#wanted.has(stream.origin)) return;
    const key = streamKey(stream);
    let shipping = this.#streams.get(key);
    if (shipping === undefined) {
      shipping = { stream, next: this.#told.lastOf(key) + 1, isInRing: false };
      this.#streams.set(key, shipping);
    }
    if (shipping.isInRing || shipping.next > this.#context.held.lastOf(key)) return;
    shipping.isInRing = true;
    this.#ring.push(shipping);
  }

  #mayRead(): boolean {
    const { entries, bytes } = this.#account.left;
    return entries > 0 && bytes > 0 && (bytes >= this.#neededBytes || this.#account.isWhole);
  }

  /** Does the next thing, if there is one and it may be done now. */
  #pump(): void {
    if (!this.#isTold || this.#isPaused || this.#isFull || this.#isReading || this.#isEnded) return;
    if (this.#rows !== undefined) {
      this.#pumpRows(this.#rows);
      return;
    }
    while (this.#ring.length > 0) {
      const shipping = this.#ring[0] as Shipping;
      const held = this.#context.held.get(shipping.stream);
      const isCurrent = this.#streams.get(streamKey(shipping.stream)) === shipping;
      if (!isCurrent || held === undefined || shipping.next > held.lastSequence) {
        shipping.isInRing = false;
        this.#ring.shift();
        this.#neededBytes = 0;
        continue;
      }
      if (!this.#mayRead()) return;
      this.#isReading = true;
      const { entries, bytes } = this.#account.left;
      const maxEntries = Math.min(entries, held.lastSequence - shipping.next + 1);
      const maxBytes = Math.min(bytes, this.#context.runBytes);
      this.#effects.push({ type: 'read', stream: shipping.stream, from: shipping.next, maxEntries, maxBytes });
      return;
    }
  }

  #takeRead(stream: StreamId, result: SourceReadResult): void {
    this.#isReading = false;
    const shipping = this.#ring[0];
    const key = streamKey(stream);
    // While it was read, the origin ceased to be wanted, or its log went.
    if (shipping === undefined || this.#streams.get(key) !== shipping || streamKey(shipping.stream) !== key) return;
    switch (result.type) {
      case 'run':
        this.#ship(shipping, result.run);
        return;
      case 'trimmed':
        invariant(result.firstSequence > shipping.next, `trimmed up to ${result.firstSequence}, read ${shipping.next}`);
        this.#turn(shipping);
        this.#rows = {
          ...{ stream, covered: [{ stream, firstSequence: result.firstSequence }] },
          ...{ page: undefined, cursor: noBytes },
        };
        return;
      case 'nothing':
        this.#ring.shift();
        shipping.isInRing = false;
        return;
    }
  }

  #ship(shipping: Shipping, run: Run): void {
    invariant(run.firstSequence === shipping.next, `read from ${run.firstSequence}, asked for ${shipping.next}`);
    const cost = { entries: run.count, bytes: run.bytes.length };
    if (!this.#account.admits(cost)) {
      this.#neededBytes = cost.bytes;
      return;
    }
    this.#neededBytes = 0;
    this.#account.spend(cost);
    shipping.next += run.count;
    this.#turn(shipping);
    this.#effects.push({ type: 'send', message: { type: 'run', run } });
  }

  /** The next stream's turn; this one's again behind all others. */
  #turn(shipping: Shipping): void {
    this.#ring.shift();
    this.#ring.push(shipping);
  }

  #pumpRows(instead: RowsInstead): void {
    const { stream, covered, page, cursor } = instead;
    if (page !== undefined) {
      const cost = { entries: 1, bytes: page.length };
      if (!this.#account.admits(cost)) return;
      this.#account.spend(cost);
      instead.page = undefined;
      this.#effects.push({ type: 'send', message: { type: 'rows', logId: stream.logId, rows: page } });
    }
    if (cursor !== undefined) {
      if (!this.#mayRead()) return;
      this.#isReading = true;
      const maxBytes = Math.min(this.#account.left.bytes, this.#context.runBytes);
      this.#effects.push({ type: 'readRows', stream, cursor, maxBytes });
      return;
    }
    this.#rows = undefined;
    for (const one of covered) this.#passOver(one.stream, one.firstSequence);
    this.#pump();
  }

  /** What comes before that entry of a stream does not go out any more. */
  #passOver(stream: StreamId, firstSequence: number): void {
    const key = streamKey(stream);
    const shipping = this.#streams.get(key);
    if (shipping !== undefined) shipping.next = Math.max(shipping.next, firstSequence);
    // What the follower has anyway it need not be told, unless it was under way.
    if (firstSequence - 1 <= this.#told.lastOf(key)) return;
    this.#effects.push({ type: 'send', message: { type: 'trimmed', stream, firstSequence } });
  }

  /** They begin anew when the stream is considered again; until then nothing of it goes out. */
  #dropRows(): void {
    this.#isReading = false;
    const shipping = this.#rows === undefined ? undefined : this.#streams.get(streamKey(this.#rows.stream));
    this.#rows = undefined;
    if (shipping === undefined || !shipping.isInRing) return;
    shipping.isInRing = false;
    this.#ring.splice(this.#ring.indexOf(shipping), 1);
  }

  #takeRows(page: SourceRowsPage | undefined): void {
    this.#isReading = false;
    const instead = this.#rows;
    // While they were read, the origin ceased to be wanted, or its log went.
    if (instead === undefined) return;
    instead.page = page?.rows;
    instead.cursor = page?.next;
    instead.covered = [...instead.covered, ...(page?.covered ?? [])];
  }

  /** Everything of an origin that has not gone out is of a log of which its mark says nothing. */
  #sendMarks(): void {
    if (!this.#isTold || this.#isPaused || this.#isFull) return;
    for (const origin of this.#wanted) {
      const mark = this.#context.marks.get(origin);
      if (mark === undefined) continue;
      const lacking = new Set<number>();
      for (const { stream, lastSequence } of this.#context.held.ofOrigin(origin)) {
        const next = this.#streams.get(streamKey(stream))?.next ?? 1;
        if (next <= lastSequence) lacking.add(stream.logId);
      }
      const sent = markWithout(mark, lacking);
      if (sent.behind.length > this.#context.maxBehindLogs) continue;
      if (!saysMore(sent, this.#sentMarks.get(origin) ?? emptyMark(origin))) continue;
      this.#sentMarks.set(origin, sent);
      this.#effects.push({ type: 'send', message: { type: 'mark', mark: sent } });
    }
  }
}
