/**
 * A keyspace that every node may write, as a fold over its log: last writer wins, and nothing depends on the order of
 * arrival. What a key shows is a function of the *set* of entries that are folded, and of time:
 *
 * - the entry with the highest (HLC, origin, epoch, sequence) wins;
 * - an entry whose time is more than `maxAheadMs` beyond the local clock is *held*: a clock that runs ahead would win for as
 *   long as it does. It is folded when the clock has come near, or when a verdict accepts it;
 * - a verdict that drops an entry takes it out of the set, wherever it had been folded before;
 * - of a member that was removed nothing counts behind its last entry.
 *
 * What every member has is *stable*, and lets rows forget (`row.ts`). From then on the rows stand for everything up
 * to the *floor*: entries below it change nothing, be they late, repeated, or new to a copy that began with another's rows.
 *
 * Delivery: each stream in order, entries at least once. Time (`nowMs`) is the host's, never falls, and is the same when
 * events are replayed.
 */
import { invariant } from '@shanghai/env';
import type { EntryId, EntryStamp } from '../entry-id.js';
import { compareHlc, earlierHlc, type Hlc, laterHlc } from '../hlc.js';
import type { KeyEntry, KeyspaceStore, LastEntry, StoredVerdict } from './keyspace-store.js';
import type { KeyspaceEntry, VerdictOperation } from './operation.js';
import { lostVersions, type Row, settleRow, type Version, versionOf, withoutVersions, withVersion } from './row.js';

/** What a fold is made of. */
export interface KeyspaceFoldOptions {
  /** This node: its own entries are never held. */
  readonly self: number;
  readonly store: KeyspaceStore;
  /** How far beyond the local clock an entry may be to be folded at once. Default 10 s. */
  readonly maxAheadMs?: number;
}

/** How far ahead of the local clock entries are folded at once. */
export const defaultMaxAheadMs = 10_000;

/**
 * What became of an entry: it is in the rows (or changes nothing in them), waits for its time, was dropped by a verdict, or
 * comes from a removed member behind its last.
 */
export type FoldOutcome = 'folded' | 'held' | 'dropped' | 'refused';

/** The fold of one keyspace at one replica. Pure but for its store. */
export class KeyspaceFold {
  readonly #self: number;
  readonly #store: KeyspaceStore;
  readonly #maxAheadMs: number;

  constructor({ self, store, maxAheadMs = defaultMaxAheadMs }: KeyspaceFoldOptions) {
    this.#self = self;
    this.#store = store;
    this.#maxAheadMs = maxAheadMs;
  }

  /** Takes an entry. */
  fold({ stamp, operation }: KeyspaceEntry, nowMs: number): FoldOutcome {
    if (this.#isBehindLast(stamp)) return 'refused';
    if (operation.type === 'verdict') {
      // A verdict is not held: it is about clocks that run ahead, and who gives it may have such a one.
      if (stamp.hlc.ms <= this.#limitMs(nowMs)) this.#seeTime(stamp.hlc);
      this.#judge(stamp.hlc, operation);
      this.advance(nowMs);
      return 'folded';
    }
    const outcome = this.#take({ stamp, operation }, nowMs);
    this.advance(nowMs);
    return outcome;
  }

  /** Lets time pass: folds what was held until now. */
  advance(nowMs: number): void {
    for (;;) {
      const due = this.#store.held(this.#limitMs(nowMs));
      if (due.length === 0) return;
      for (const entry of due) {
        this.#store.letGo(entry.stamp);
        this.#write(entry);
      }
    }
  }

  /** Forgets in the rows of these keys what nobody needs any more. Tell `raiseFloor` first. `stable` as there. */
  settle(keys: Iterable<Uint8Array>, stable: Hlc): void {
    const reached = this.effective(stable);
    for (const key of keys) {
      const row = this.#store.row(key);
      if (row === undefined) continue;
      const settled = settleRow(row, reached);
      if (settled !== row) this.#store.setRow(key, settled);
    }
  }

  /** From now on what is up to `stable` is past: every member, this one too, holds all entries up to there. */
  raiseFloor(stable: Hlc): void {
    const state = this.#store.state();
    const floor = laterHlc(state.floor, this.effective(stable));
    if (floor !== state.floor) this.#store.setState({ ...state, floor });
  }

  /** The part of `stable` that is in the rows: what is held was received, and is not folded yet. */
  effective(stable: Hlc): Hlc {
    const first = this.#store.firstHeld();
    return first === undefined ? stable : earlierHlc(stable, hlcBefore(first.hlc));
  }

  /** A member is removed, and everyone has its entries up to `last`. Idempotent; of several the lowest counts. */
  removeOrigin(last: LastEntry): void {
    const state = this.#store.state();
    const known = state.removed.find(({ origin }) => origin === last.origin);
    if (known !== undefined && (known.epoch - last.epoch || known.sequence - last.sequence) <= 0) return;
    const removed = [...state.removed.filter(({ origin }) => origin !== last.origin), last];
    this.#store.setState({ ...state, removed: removed.sort((a, b) => a.origin - b.origin) });
    for (const { stamp } of this.#store.held(Number.POSITIVE_INFINITY)) {
      if (this.#isBehindLast(stamp)) this.#store.letGo(stamp);
    }
  }

  /** Takes over a verdict that another copy had stored. */
  takeVerdict(id: EntryId, key: Uint8Array, verdict: StoredVerdict, nowMs: number): void {
    this.#addVerdict(id, key, verdict);
    this.advance(nowMs);
  }

  /** Puts the row of another copy together with this one's. `floor`: that copy's; see `mergeRows`. */
  mergeRow(key: Uint8Array, theirs: Row | undefined, floor: Hlc, nowMs: number): void {
    const before = this.#store.row(key);
    const ourFloor = this.#store.state().floor;
    const stays = ({ stamp }: Version) =>
      compareHlc(stamp.hlc, floor) > 0 ||
      compareHlc(stamp.hlc, ourFloor) <= 0 ||
      (theirs?.some((version) => isSame(version.stamp, stamp)) ?? false);
    let row = before === undefined ? undefined : withoutVersions(before, (version) => !stays(version));
    for (const version of theirs ?? []) {
      const { stamp } = version;
      if (this.#isBehindLast(stamp) || this.#isDropped(stamp) || compareHlc(stamp.hlc, ourFloor) <= 0) continue;
      if (this.#isAhead(stamp, nowMs)) {
        this.#store.hold(entryOf(key, version));
        continue;
      }
      row = withVersion(row, version);
      this.#seeTime(stamp.hlc);
    }
    this.#replace(key, before, row, false);
  }

  /** Removes versions that came with another copy's rows and not as entries; see `abandonTakeover`. */
  keepReceived(key: Uint8Array, isReceived: (id: EntryId) => boolean): void {
    const before = this.#store.row(key);
    if (before === undefined) return;
    const after = withoutVersions(before, ({ stamp }) => !isReceived(stamp));
    this.#replace(key, before, after, true);
  }

  #take(entry: KeyEntry, nowMs: number): FoldOutcome {
    const { stamp } = entry;
    if (this.#isDropped(stamp)) return 'dropped';
    if (this.#isAhead(stamp, nowMs)) {
      this.#store.hold(entry);
      return 'held';
    }
    this.#write(entry);
    return 'folded';
  }

  #isAhead(stamp: EntryStamp, nowMs: number): boolean {
    if (stamp.origin === this.#self || this.#store.verdict(stamp)?.isAccepted === true) return false;
    return stamp.hlc.ms > this.#limitMs(nowMs);
  }

  /** Not the clock that was folded: a chain of entries, each a little ahead of the last, would pull it along for ever. */
  #limitMs(nowMs: number): number {
    return Math.max(nowMs, this.#store.state().acceptedMs) + this.#maxAheadMs;
  }

  #write({ stamp, operation }: KeyEntry): void {
    this.#seeTime(stamp.hlc);
    if (this.#store.verdict(stamp)?.isAccepted === true) this.#accept(stamp.hlc);
    if (this.#standsFor(stamp.hlc, operation.key)) return;
    const before = this.#store.row(operation.key);
    this.#replace(operation.key, before, withVersion(before, versionOf(stamp, operation)), false);
  }

  /** Whether the rows stand for an entry already. */
  #standsFor(hlc: Hlc, key: Uint8Array): boolean {
    const { floor, takeover } = this.#store.state();
    if (compareHlc(hlc, floor) <= 0) return true;
    return takeover !== undefined && compareHlc(hlc, takeover.floor) <= 0 && compareKeys(key, takeover.before) < 0;
  }

  #judge(verdictHlc: Hlc, { decision, origin, epoch, targets }: VerdictOperation): void {
    for (const { sequence, key } of targets) {
      const said = decision === 'accept' ? { isAccepted: true } : { isAccepted: false, droppedAt: verdictHlc };
      this.#addVerdict({ origin, epoch, sequence }, key, said);
    }
  }

  #addVerdict(id: EntryId, key: Uint8Array, more: StoredVerdict): void {
    const known = this.#store.verdict(id);
    const verdict = known === undefined ? more : bothVerdicts(known, more);
    this.#store.setVerdict(id, key, verdict);
    const held = this.#store.heldEntry(id);
    if (held !== undefined) {
      if (isDroppedBy(verdict, held.stamp)) this.#store.letGo(held.stamp);
      else if (verdict.isAccepted) {
        this.#store.letGo(held.stamp);
        this.#write(held);
      }
      return;
    }
    const before = this.#store.row(key);
    const version = before?.find(({ stamp }) => isSame(stamp, id));
    if (before === undefined || version === undefined) return;
    if (isDroppedBy(verdict, version.stamp)) {
      const after = withoutVersions(before, ({ stamp }) => isSame(stamp, id));
      this.#replace(key, before, after, true);
    } else if (verdict.isAccepted) this.#accept(version.stamp.hlc);
  }

  #accept(hlc: Hlc): void {
    const state = this.#store.state();
    if (hlc.ms > state.acceptedMs) this.#store.setState({ ...state, acceptedMs: hlc.ms });
  }

  #isDropped(stamp: EntryStamp): boolean {
    const verdict = this.#store.verdict(stamp);
    return verdict !== undefined && isDroppedBy(verdict, stamp);
  }

  #isBehindLast({ origin, epoch, sequence }: EntryId): boolean {
    const last = this.#store.state().removed.find((removed) => removed.origin === origin);
    return last !== undefined && (epoch > last.epoch || (epoch === last.epoch && sequence > last.sequence));
  }

  #seeTime(hlc: Hlc): void {
    const state = this.#store.state();
    if (compareHlc(hlc, state.clock) > 0) this.#store.setState({ ...state, clock: hlc });
  }

  /** Changes a row, and the list of what lost in it. A version that a row merely forgot stays in the list. */
  #replace(key: Uint8Array, before: Row | undefined, after: Row | undefined, wasDropped: boolean): void {
    if (before === after) return;
    this.#store.setRow(key, after);
    const [lostBefore, lostAfter] = [lostVersions(before), lostVersions(after)];
    for (const { loser } of lostBefore) {
      if (lostAfter.some((lost) => isSame(lost.loser.stamp, loser.stamp))) continue;
      const isThere = after?.some(({ stamp }) => isSame(stamp, loser.stamp)) ?? false;
      if (isThere || wasDropped) this.#store.removeLost(key, loser.stamp);
    }
    for (const lost of lostAfter) {
      const known = lostBefore.find(({ loser }) => isSame(loser.stamp, lost.loser.stamp));
      if (known === undefined || !isSame(known.winner.stamp, lost.winner.stamp)) this.#store.addLost(key, lost);
    }
  }
}

/** Bytewise order of keys. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const order = (a[i] as number) - (b[i] as number);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function isDroppedBy({ droppedAt }: StoredVerdict, { hlc }: EntryStamp): boolean {
  return droppedAt !== undefined && compareHlc(droppedAt, hlc) < 0;
}

function bothVerdicts(a: StoredVerdict, b: StoredVerdict): StoredVerdict {
  const isAccepted = a.isAccepted || b.isAccepted;
  const [first, second] = [a.droppedAt, b.droppedAt];
  const droppedAt = first === undefined || second === undefined ? (first ?? second) : earlierHlc(first, second);
  return droppedAt === undefined ? { isAccepted } : { isAccepted, droppedAt };
}

function isSame(a: EntryId, b: EntryId): boolean {
  return a.origin === b.origin && a.epoch === b.epoch && a.sequence === b.sequence;
}

function hlcBefore({ ms, counter }: Hlc): Hlc {
  if (counter > 0) return { ms, counter: counter - 1 };
  invariant(ms > 0, 'an entry is held that lies before all time');
  return { ms: ms - 1, counter: 0xffff };
}

function entryOf(key: Uint8Array, { stamp, seen, value, expiresAtMs }: Version): KeyEntry {
  const operation =
    value === undefined
      ? ({ type: 'delete', seen, key } as const)
      : ({ type: 'put', seen, key, value, expiresAtMs } as const);
  return { stamp, operation };
}
