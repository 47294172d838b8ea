import type { ConfState } from './configuration/configuration.js';

/** What an entry holds: a command of the application (or nothing), or a change of the configuration. */
export type EntryType = 'EntryNormal' | 'EntryConfChange' | 'EntryConfChangeV2';

/**
 * One entry of the log. Immutable once it was handed over: it may be in messages, in the log and in a state machine at
 * the same time.
 */
export interface Entry {
  readonly term: number;
  readonly index: number;
  readonly type: EntryType;
  readonly data: Uint8Array;
}

/** An entry before it has a place in the log. */
export type Proposal = Pick<Entry, 'type' | 'data'>;

/** A place in the log that exists at most once: entries with equal index and term are equal, with all before them. */
export interface EntryId {
  readonly term: number;
  readonly index: number;
}

/** What must be durable before anything that depends on it is sent. */
export interface HardState {
  readonly term: number;
  /** Whom this node voted for in `term`; 0 = nobody. */
  readonly vote: number;
  readonly commit: number;
}

/** What nobody has to remember. */
export interface SoftState {
  /** 0 = not known. */
  readonly lead: number;
  readonly state: StateType;
}

/** A node's part in the group. */
export type StateType = 'StateFollower' | 'StatePreCandidate' | 'StateCandidate' | 'StateLeader';

/** Where a snapshot stands in the log. */
export interface SnapshotMetadata extends EntryId {
  readonly confState: ConfState;
}

/** A state of the state machine in place of the log up to it. `data` is the application's: the state, or where it lies. */
export interface Snapshot {
  readonly metadata: SnapshotMetadata;
  readonly data: Uint8Array;
}

/** No bytes. */
export const noData = new Uint8Array(0);

/** The state of a node that has never been part of anything. */
export const emptyHardState: HardState = { term: 0, vote: 0, commit: 0 };

/** Whether nothing of it needs to be written. */
export function isEmptyHardState({ term, vote, commit }: HardState): boolean {
  return term === 0 && vote === 0 && commit === 0;
}

/** Bytes of the applications' data: what bounds of uncommitted entries and appends in flight count. */
export function payloadBytes(entries: readonly Pick<Entry, 'data'>[]): number {
  let bytes = 0;
  for (const { data } of entries) bytes += data.length;
  return bytes;
}

/** Bytes that an entry takes in a message: its fields as tagged variable-length integers, and its data. */
export function entryBytes({ term, index, data }: Entry): number {
  const dataBytes = data.length === 0 ? 0 : 1 + varintBytes(data.length) + data.length;
  return 2 + 1 + varintBytes(term) + 1 + varintBytes(index) + dataBytes;
}

/** `entryBytes` of several. */
export function entriesBytes(entries: readonly Entry[]): number {
  let bytes = 0;
  for (const entry of entries) bytes += entryBytes(entry);
  return bytes;
}

/** The first entries that together have at most `maxBytes`; always at least one. */
export function limitEntries(entries: readonly Entry[], maxBytes: number): readonly Entry[] {
  if (entries.length <= 1 || maxBytes === Number.POSITIVE_INFINITY) return entries;
  let bytes = 0;
  for (let count = 0; count < entries.length; count++) {
    bytes += entryBytes(entries[count] as Entry);
    if (count > 0 && bytes > maxBytes) return entries.slice(0, count);
  }
  return entries;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}
