import type { EntryId, EntryStamp } from '../../../packages/replication/src/core/entry-id.js';
import {
  compareHlc,
  earlierHlc,
  type Hlc,
  laterHlc,
  stampHlc,
  zeroHlc,
} from '../../../packages/replication/src/core/hlc.js';
import { KeyspaceFold } from '../../../packages/replication/src/core/keyspace/keyspace-fold.js';
import type { GivingId, LastEntry } from '../../../packages/replication/src/core/keyspace/keyspace-store.js';
import type {
  KeyspaceEntry,
  KeyspaceOperation,
  VerdictOperation,
} from '../../../packages/replication/src/core/keyspace/operation.js';
import { decodeOperation, encodeOperation } from '../../../packages/replication/src/core/keyspace/operation-codec.js';
import {
  decodeRowPage,
  encodeRowPage,
  type GivenPage,
} from '../../../packages/replication/src/core/keyspace/row-page-codec.js';
import {
  cleanRows,
  endTakeover,
  mergeRows,
  takeTail,
} from '../../../packages/replication/src/core/keyspace/row-snapshot.js';
import { seenVector } from '../../../packages/replication/src/core/keyspace/seen-vector.js';
import { MemoryKeyspaceStore } from '../../../packages/replication/src/testing/memory-keyspace-store.js';

/** Later than everything that is written in a simulation. */
export const endOfTime: Hlc = { ms: 2 ** 45, counter: 0 };

/** A stream as one replica holds it. */
interface HeldStream {
  readonly origin: number;
  readonly epoch: number;
  /** Entries before this were let go of, or never came. */
  firstSequence: number;
  readonly entries: KeyspaceEntry[];
}

/** A takeover of another replica's rows that is under way. */
interface Takeover {
  readonly source: SimulatedReplica;
  /** Which life of the source it began with. */
  readonly life: number;
  readonly marks: ReadonlyMap<number, Hlc>;
  /** Those that are left, as they travel. */
  readonly pages: Uint8Array[];
}

/** A write as a client asks for it. */
export type SimulatedWrite =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array; readonly ttlMs: number }
  | { readonly type: 'delete'; readonly key: Uint8Array };

/** One replica: a copy of the log, its fold, and what it knows of how far everyone is. */
export class SimulatedReplica {
  readonly id: number;
  store = new MemoryKeyspaceStore();
  fold: KeyspaceFold;
  /** Counted up when all of it is lost. */
  life = 1;
  epoch = 1;
  /** Beside true time. */
  clockOffsetMs = 0;
  /** Entries are folded in this time; it never falls. */
  logTimeMs = 0;
  takeover: Takeover | undefined;
  readonly #hasOwn: (replica: SimulatedReplica) => boolean;
  #lastHlc: Hlc = zeroHlc;
  readonly #streams = new Map<string, HeldStream>();
  /** Up to where every entry of an origin is here. */
  readonly #marks = new Map<number, Hlc>();
  /** What others said of theirs: the least of their marks. */
  readonly #reports = new Map<number, Hlc>();
  readonly #lasts = new Map<number, LastEntry>();
  #givings = 0;

  /** `hasOwn`: whether a replica has of its own streams all that others have. */
  constructor(id: number, hasOwn: (replica: SimulatedReplica) => boolean) {
    this.id = id;
    this.#hasOwn = hasOwn;
    this.fold = new KeyspaceFold({ self: id, store: this.store });
  }

  /** Lets this replica's clock show what it shows at a true time. */
  setTime(trueMs: number): void {
    this.logTimeMs = Math.max(this.logTimeMs, trueMs + this.clockOffsetMs);
    this.fold.advance(this.logTimeMs);
  }

  /**
   * Loses everything. Goes on in another epoch, above all that anyone has of it. Until it has back what others hold of its
   * earlier epochs (`hasOwn`) it says nothing of being complete.
   */
  wipe(epoch: number, above: Hlc): void {
    this.store = new MemoryKeyspaceStore();
    this.fold = new KeyspaceFold({ self: this.id, store: this.store });
    for (const map of [this.#streams, this.#marks, this.#reports]) map.clear();
    this.takeover = undefined;
    for (const last of this.#lasts.values()) this.fold.removeOrigin(last);
    this.life++;
    this.epoch = epoch;
    this.#lastHlc = above;
  }

  /** Writes as a client of this replica. */
  write(wanted: SimulatedWrite): KeyspaceEntry {
    const seen = this.#seen();
    if (wanted.type === 'delete') return this.#append({ type: 'delete', seen, key: wanted.key });
    const { key, value, ttlMs } = wanted;
    const expiresAtMs = ttlMs === 0 ? 0 : this.logTimeMs + ttlMs;
    return this.#append({ type: 'put', seen, key, value, expiresAtMs });
  }

  /** Gives a verdict on entries of one stream that are held here. */
  judge(verdict: Pick<VerdictOperation, 'decision' | 'origin' | 'epoch' | 'targets'>): KeyspaceEntry {
    return this.#append({ type: 'verdict', seen: this.#seen(), ...verdict });
  }

  /** Makes the own mark later. */
  mark(): void {
    this.#lastHlc = stampHlc(this.#lastHlc, this.logTimeMs);
    this.#markOwn();
  }

  /** The latest moment of this origin of which this replica knows. */
  markOf(origin: number): Hlc {
    return origin === this.id ? this.#lastHlc : (this.#marks.get(origin) ?? zeroHlc);
  }

  /** Everything up to here is here. */
  report(members: readonly number[]): Hlc {
    let least = endOfTime;
    for (const origin of members) least = earlierHlc(least, this.#marks.get(origin) ?? zeroHlc);
    for (const last of this.#lasts.values()) {
      if (!this.#reaches(last)) least = earlierHlc(least, this.#marks.get(last.origin) ?? zeroHlc);
    }
    return least;
  }

  /**
   * Takes some of what a source has of a stream; what the source has let go of begins a takeover of its rows, also in the
   * place of another one where it `replaces`.
   */
  fetch(source: SimulatedReplica, name: string, most: number, members: readonly number[], replaces: boolean): void {
    const theirs = source.#streams.get(name);
    if (theirs === undefined) return;
    const { origin, epoch } = theirs;
    const at = this.#next(name);
    if (at < theirs.firstSequence) {
      // Who is taking over rows has some of entries that it never received, and gives none.
      const mayBegin = this.takeover === undefined || replaces;
      if (mayBegin && source.store.state().takeover === undefined) this.takeover = source.#give();
      return;
    }
    for (const entry of theirs.entries.slice(at - theirs.firstSequence, at - theirs.firstSequence + most)) {
      if (!this.#isRefused(entry)) this.#take(entry);
    }
    this.#learn(source, origin, epoch);
    this.#reports.set(source.id, source.report(members));
  }

  /** Learns marks of origins of which a source has no entry at all. */
  learnMarks(source: SimulatedReplica, members: readonly number[]): void {
    for (const origin of members) {
      const mark = source.#marks.get(origin);
      const isEmpty = [...source.#streams.values()].every((stream) => stream.origin !== origin);
      if (mark !== undefined && isEmpty) this.#raiseMark(origin, mark);
    }
  }

  /** Goes on with a takeover by one page. Where its source is no more it stays as it is. */
  takePage(members: readonly number[]): void {
    const { takeover } = this;
    if (takeover === undefined) return;
    const { source, pages, marks } = takeover;
    if (source.life !== takeover.life || !members.includes(source.id)) {
      this.takeover = undefined;
      return;
    }
    const page: GivenPage = decodeRowPage(pages.shift() as Uint8Array);
    const own = { keys: this.store.keysIn(page), isReceived: (id: EntryId) => this.#isReceived(id) };
    mergeRows(this.fold, this.store, page, own, this.logTimeMs);
    if (page.end === undefined) return;
    this.takeover = undefined;
    takeTail(this.fold, this.store, page.end.tail, this.logTimeMs);
    for (const { origin, epoch, sequence } of page.end.positions) {
      this.#skip(`${origin}.${epoch}`, origin, epoch, sequence + 1);
      this.#marks.set(origin, laterHlc(this.#marks.get(origin) ?? zeroHlc, marks.get(origin) ?? zeroHlc));
    }
  }

  /** Gives up a takeover that was broken off. */
  giveUp(): void {
    if (this.takeover !== undefined || this.store.state().takeover === undefined) return;
    cleanRows(this.fold, this.store, { keys: this.store.keys(), isReceived: (id) => this.#isReceived(id) });
    endTakeover(this.store);
  }

  /** Repeats the last entry of a stream. */
  repeat(name: string): void {
    const entry = this.#streams.get(name)?.entries.at(-1);
    if (entry !== undefined) this.fold.fold(entry, this.logTimeMs);
  }

  /** Lets rows forget what they may. */
  settle(members: readonly number[]): void {
    this.giveUp();
    let stable = this.report(members);
    for (const member of members) {
      if (member !== this.id) stable = earlierHlc(stable, this.#reports.get(member) ?? zeroHlc);
    }
    this.fold.raiseFloor(stable);
    this.fold.settle(this.store.dueKeys(this.fold.effective(stable)), stable);
  }

  /** Lets go of the first part of a stream. */
  trim(name: string, count: number): void {
    const stream = this.#streams.get(name);
    if (stream === undefined) return;
    const gone = stream.entries.splice(0, count);
    stream.firstSequence += gone.length;
  }

  /** A member is removed. */
  remove(last: LastEntry): void {
    this.#lasts.set(last.origin, last);
    this.fold.removeOrigin(last);
  }

  /** How much of an origin is here. */
  lastOf(origin: number): LastEntry {
    let best: LastEntry = { origin, epoch: 0, sequence: 0 };
    for (const stream of this.#streams.values()) {
      const sequence = stream.firstSequence + stream.entries.length - 1;
      if (stream.origin === origin && stream.epoch > best.epoch) best = { origin, epoch: stream.epoch, sequence };
    }
    return best;
  }

  /** Names of the streams here. */
  streams(): string[] {
    return [...this.#streams.keys()].sort();
  }

  /** How far a stream is here. */
  position(name: string): number {
    return this.#next(name) - 1;
  }

  #append(operation: KeyspaceOperation): KeyspaceEntry {
    const hlc = stampHlc(laterHlc(this.#lastHlc, this.store.state().clock), this.logTimeMs);
    const sequence = this.#next(`${this.id}.${this.epoch}`);
    const stamp = { hlc, origin: this.id, epoch: this.epoch, sequence };
    const entry = { stamp, operation: decodeOperation(encodeOperation(operation)) };
    this.#lastHlc = hlc;
    this.#take(entry);
    this.#markOwn();
    return entry;
  }

  #markOwn(): void {
    if (this.#hasOwn(this)) this.#marks.set(this.id, this.#lastHlc);
  }

  #take(entry: KeyspaceEntry): void {
    const { origin, epoch } = entry.stamp;
    this.#stream(`${origin}.${epoch}`, origin, epoch).entries.push(entry);
    this.fold.fold(entry, this.logTimeMs);
  }

  #seen() {
    const positions = [...this.#streams.values()].map(({ origin, epoch, firstSequence, entries }) => {
      return { origin, epoch, sequence: firstSequence + entries.length - 1 };
    });
    return seenVector(positions, { origin: this.id, epoch: this.epoch });
  }

  /** What a source says of an origin holds here as soon as nothing of the origin that the source has is lacking. */
  #learn(source: SimulatedReplica, origin: number, epoch: number): void {
    const mark = source.#marks.get(origin) ?? zeroHlc;
    for (const stream of source.#streams.values()) {
      if (stream.origin !== origin) continue;
      const name = `${origin}.${stream.epoch}`;
      if (this.position(name) >= source.position(name)) continue;
      const last = this.#streams.get(`${origin}.${epoch}`)?.entries.at(-1);
      const isFirst = [...source.#streams.values()].every((other) => other.origin !== origin || other.epoch >= epoch);
      if (stream.epoch === epoch && isFirst && last !== undefined) this.#raiseMark(origin, last.stamp.hlc);
      return;
    }
    this.#raiseMark(origin, mark);
  }

  #raiseMark(origin: number, mark: Hlc): void {
    const known = this.#marks.get(origin) ?? zeroHlc;
    if (compareHlc(mark, known) > 0) this.#marks.set(origin, mark);
  }

  #isRefused({ stamp: { origin, epoch, sequence } }: KeyspaceEntry): boolean {
    const last = this.#lasts.get(origin);
    return last !== undefined && (epoch > last.epoch || (epoch === last.epoch && sequence > last.sequence));
  }

  /** Whether everything of a removed member is here. */
  hasLasts(): boolean {
    return [...this.#lasts.values()].every((last) => this.#reaches(last));
  }

  #reaches({ origin, epoch, sequence }: LastEntry): boolean {
    return epoch === 0 || this.position(`${origin}.${epoch}`) >= sequence;
  }

  #give(): Takeover {
    const giving: GivingId = { origin: this.id, epoch: this.epoch, number: ++this.#givings };
    const positions = this.#positions().filter(({ sequence }) => sequence > 0);
    const end = { tail: this.store.tail(), positions };
    const pages: Uint8Array[] = [];
    for (let from: Uint8Array | undefined; pages.length === 0 || from !== undefined; ) {
      const page = this.store.page(from, 2, giving);
      pages.push(encodeRowPage(page.to === undefined ? { ...page, end } : page));
      from = page.to;
    }
    return { source: this, life: this.life, marks: new Map(this.#marks), pages };
  }

  #isReceived({ origin, epoch, sequence }: EntryId): boolean {
    return this.position(`${origin}.${epoch}`) >= sequence;
  }

  #positions(): EntryStamp[] {
    return [...this.#streams.values()].map(({ origin, epoch, firstSequence, entries }) => {
      const hlc = entries.at(-1)?.stamp.hlc ?? zeroHlc;
      return { hlc, origin, epoch, sequence: firstSequence + entries.length - 1 };
    });
  }

  #skip(name: string, origin: number, epoch: number, firstSequence: number): void {
    const stream = this.#stream(name, origin, epoch);
    if (firstSequence <= stream.firstSequence + stream.entries.length) return;
    stream.entries.length = 0;
    stream.firstSequence = firstSequence;
  }

  #stream(name: string, origin: number, epoch: number): HeldStream {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = { origin, epoch, firstSequence: 1, entries: [] };
      this.#streams.set(name, stream);
    }
    return stream;
  }

  #next(name: string): number {
    const stream = this.#streams.get(name);
    return stream === undefined ? 1 : stream.firstSequence + stream.entries.length;
  }
}
