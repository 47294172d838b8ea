import type { EntryId, EntryStamp } from '../entry-id.js';
import type { Hlc } from '../hlc.js';
import type { KeyOperation } from './operation.js';
import type { LostVersion, Row } from './row.js';

/** A write with its name and time. */
export interface KeyEntry {
  readonly stamp: EntryStamp;
  readonly operation: KeyOperation;
}

/** What verdicts say of one entry. */
export interface StoredVerdict {
  readonly isAccepted: boolean;
  /** Time of the earliest verdict that drops it. It counts for an entry that is later than this. */
  readonly droppedAt?: Hlc;
}

/** The last entry of a removed member that counts: whatever it wrote behind that is refused. */
export interface LastEntry {
  readonly origin: number;
  readonly epoch: number;
  /** 0 = none of that epoch counts. */
  readonly sequence: number;
}

/** Which set of rows a copy gives: the copy as an origin, and a number that it gives no other set. */
export interface GivingId {
  readonly origin: number;
  readonly epoch: number;
  readonly number: number;
}

/** Rows of another copy are being taken over. */
export interface Takeover {
  /** That of the giver. */
  readonly floor: Hlc;
  /** Keys before this one are taken over. */
  readonly before: Uint8Array;
  readonly giving: GivingId;
  /** One before it was broken off: what that left is removed on the way. */
  readonly cleans: boolean;
}

/** The few numbers of a fold. */
export interface FoldState {
  /** The latest time that was folded: a stamp that is given out here is later. */
  readonly clock: Hlc;
  /** The latest accepted entry: what follows it is not ahead. */
  readonly acceptedMs: number;
  /** The rows stand for all entries up to here, whatever of them came: what comes of them later changes nothing. */
  readonly floor: Hlc;
  /** While rows of another copy are taken over. */
  readonly takeover?: Takeover;
  readonly removed: readonly LastEntry[];
}

/** A fold of which nothing is known yet. */
export const emptyFoldState: FoldState = {
  clock: { ms: 0, counter: 0 },
  acceptedMs: 0,
  floor: { ms: 0, counter: 0 },
  removed: [],
};

/**
 * Where a fold keeps what it knows: the port of `KeyspaceFold`. Everything is synchronous and in memory's reach: a host
 * fetches beforehand what an event will touch, and makes the changes of an event durable together, together with the
 * position up to which entries are folded. Keys and values that are handed over are not changed afterwards by either side.
 */
export interface KeyspaceStore {
  state(): FoldState;
  setState(state: FoldState): void;

  row(key: Uint8Array): Row | undefined;
  /** `undefined` takes the row away. A host that settles rows keeps them findable by `settlementOf`. */
  setRow(key: Uint8Array, row: Row | undefined): void;

  /** Held entries with a time of at most `upToMs`, in the order of their stamps; not more than a host fetched, but if any, some. */
  held(upToMs: number): readonly KeyEntry[];
  heldEntry(id: EntryId): KeyEntry | undefined;
  /** The earliest. */
  firstHeld(): EntryStamp | undefined;
  /** Idempotent. */
  hold(entry: KeyEntry): void;
  letGo(stamp: EntryStamp): void;

  verdict(id: EntryId): StoredVerdict | undefined;
  /** `key`: that of the entry. */
  setVerdict(id: EntryId, key: Uint8Array, verdict: StoredVerdict): void;

  /** Lists a version that lost; one by each losing stamp, the later call replaces the earlier. */
  addLost(key: Uint8Array, lost: LostVersion): void;
  removeLost(key: Uint8Array, loser: EntryStamp): void;
}
