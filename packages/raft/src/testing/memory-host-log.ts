/**
 * The durable logs of a process in memory. What is written becomes durable with the next sync, which runs soon unless the
 * disk is stalled; a full disk refuses; a crash takes away what was not synced.
 */
import { type Clock, invariant } from '@shanghai/env';
import type { ConfState } from '../core/configuration/configuration.js';
import { type Entry, type HardState, isEmptyHardState, noData } from '../core/entry.js';
import type { LogGap } from '../core/log/log-storage.js';
import { RaftError } from '../core/raft-error.js';
import type { GroupLog, HostLog, LogWrite } from '../ports/group-log.js';
import { MemoryLogStorage } from './memory-log-storage.js';

/** One write on its way to the disk. */
interface PendingWrite {
  readonly group: MemoryGroupLog;
  readonly sinceMs: number;
  /** What it does to a store; done once to the durable one. */
  readonly change: (store: MemoryLogStorage) => void;
  readonly needsSpace: boolean;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** A `HostLog` that can be stalled, filled and crashed. It stays when hosts come and go. */
export class MemoryHostLog implements HostLog {
  /** Syncs that wrote something. */
  syncs = 0;
  /** Whether writes are refused with `LOG_FULL`. */
  isFull = false;
  readonly #clock: Clock;
  readonly #durable = new Map<number, MemoryLogStorage>();
  readonly #open = new Map<number, MemoryGroupLog>();
  #pending: PendingWrite[] = [];
  #isStalled = false;
  #isScheduled = false;
  #failure: Error | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async open(groupId: number): Promise<GroupLog> {
    invariant(!this.#open.has(groupId), `group ${groupId} is open already`);
    const log = new MemoryGroupLog(groupId, this, this.#storeOf(groupId));
    this.#open.set(groupId, log);
    return log;
  }

  groups(): readonly number[] {
    const kept = [...this.#durable].filter(([, store]) => isWritten(store));
    return kept.map(([groupId]) => groupId).sort((a, b) => a - b);
  }

  waitingSinceMs(): number | undefined {
    return this.#pending[0]?.sinceMs;
  }

  /** The disk answers no more, until `resume`. */
  stall(): void {
    this.#isStalled = true;
  }

  resume(): void {
    this.#isStalled = false;
    this.#schedule();
  }

  /** Every write that waits or comes is rejected with this. */
  fail(error: Error): void {
    this.#failure = error;
    this.#isStalled = false;
    this.#schedule();
  }

  /** The process is gone, and with it what was not synced. Its groups can be opened anew; nobody hears of the writes. */
  crash(): void {
    this.#pending = [];
    this.#open.clear();
  }

  /** What is durable now, to be put back later: a backup, as it were. */
  copy(): ReadonlyMap<number, MemoryLogStorage> {
    return new Map([...this.#durable].map(([groupId, store]) => [groupId, copyOf(store)]));
  }

  /** Puts a copy in the place of everything. No group is open. */
  restoreFrom(copy: ReadonlyMap<number, MemoryLogStorage>): void {
    invariant(this.#open.size === 0, 'a group is open');
    this.#durable.clear();
    for (const [groupId, store] of copy) this.#durable.set(groupId, copyOf(store));
  }

  /** Takes a write over. Only for the groups of this log. */
  write(group: MemoryGroupLog, needsSpace: boolean, change: (store: MemoryLogStorage) => void): Promise<void> {
    // Of a process that is gone: it does not hear of anything any more.
    if (this.#open.get(group.groupId) !== group) return new Promise(() => {});
    return new Promise((resolve, reject) => {
      const sinceMs = this.#clock.monotonicMs();
      this.#pending.push({ group, sinceMs, change, needsSpace, resolve, reject });
      this.#schedule();
    });
  }

  /** Gives a group back. Only for the groups of this log. */
  release(group: MemoryGroupLog): void {
    if (this.#open.get(group.groupId) === group) this.#open.delete(group.groupId);
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isStalled || this.#pending.length === 0) return;
    this.#isScheduled = true;
    this.#clock.soon(() => {
      this.#isScheduled = false;
      if (!this.#isStalled) this.#sync();
    });
  }

  #sync(): void {
    const writes = this.#pending.splice(0);
    if (writes.length > 0) this.syncs++;
    const refused = new Set<MemoryGroupLog>();
    for (const write of writes) {
      if (this.#failure === undefined && this.isFull && write.needsSpace) refused.add(write.group);
      if (this.#failure === undefined && !refused.has(write.group)) write.change(this.#storeOf(write.group.groupId));
    }
    for (const group of refused) group.rollBack(this.#storeOf(group.groupId));
    for (const { group, resolve, reject } of writes) {
      if (this.#failure !== undefined) reject(this.#failure);
      else if (refused.has(group)) reject(noSpace(group.groupId));
      else resolve();
    }
  }

  #storeOf(groupId: number): MemoryLogStorage {
    const known = this.#durable.get(groupId);
    if (known !== undefined) return known;
    const store = new MemoryLogStorage();
    this.#durable.set(groupId, store);
    return store;
  }
}

/** A group's log: what can be read is ahead of what is durable. */
class MemoryGroupLog implements GroupLog {
  readonly groupId: number;
  readonly #host: MemoryHostLog;
  #view: MemoryLogStorage;
  #bytes = 0;
  #isClosed = false;

  constructor(groupId: number, host: MemoryHostLog, durable: MemoryLogStorage) {
    this.groupId = groupId;
    this.#host = host;
    this.#view = copyOf(durable);
    this.#bytes = bytesOf(this.#view);
  }

  get bytes(): number {
    return this.#bytes;
  }

  initialState(): { readonly hardState: HardState; readonly confState: ConfState } {
    return this.#view.initialState();
  }

  entries(from: number, to: number, maxBytes: number): readonly Entry[] | LogGap {
    return this.#view.entries(from, to, maxBytes);
  }

  term(index: number): number | LogGap {
    return this.#view.term(index);
  }

  lastIndex(): number {
    return this.#view.lastIndex();
  }

  firstIndex(): number {
    return this.#view.firstIndex();
  }

  append({ snapshot, entries, hardState }: LogWrite): Promise<void> {
    const isGap = snapshot === undefined && (entries[0]?.index ?? 0) > this.lastIndex() + 1;
    if (isGap) return Promise.reject(noSpace(this.groupId));
    const copied = entries.map((entry) => ({ ...entry, data: entry.data.slice() }));
    return this.#write(true, (store) => {
      if (snapshot !== undefined) store.reset({ metadata: snapshot, data: noData });
      store.append(copied);
      if (!isEmptyHardState(hardState)) store.setHardState(hardState);
    });
  }

  compact(index: number, confState: ConfState): Promise<void> {
    return this.#write(false, (store) => {
      const term = store.term(index);
      if (typeof term !== 'number') return;
      store.createSnapshot({ metadata: { index, term, confState }, data: noData });
      store.compact(index);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#host.release(this);
  }

  /** What can be read is what is durable. */
  rollBack(durable: MemoryLogStorage): void {
    this.#view = copyOf(durable);
    this.#bytes = bytesOf(this.#view);
  }

  #write(needsSpace: boolean, change: (store: MemoryLogStorage) => void): Promise<void> {
    invariant(!this.#isClosed, `the log of group ${this.groupId} is closed`);
    change(this.#view);
    this.#bytes = bytesOf(this.#view);
    return this.#host.write(this, needsSpace, change);
  }
}

function noSpace(groupId: number): RaftError {
  return new RaftError('LOG_FULL', `no space for the log of group ${groupId}`);
}

function isWritten(store: MemoryLogStorage): boolean {
  const { hardState, confState } = store.initialState();
  return store.lastIndex() > 0 || !isEmptyHardState(hardState) || confState.voters.length > 0;
}

function copyOf(store: MemoryLogStorage): MemoryLogStorage {
  const copy = new MemoryLogStorage();
  const { hardState, confState } = store.initialState();
  const index = store.firstIndex() - 1;
  const term = store.term(index);
  invariant(typeof term === 'number', 'the entry before the first has a term');
  copy.reset({ metadata: { index, term, confState }, data: noData });
  copy.append(entriesOf(store));
  copy.setHardState(hardState);
  return copy;
}

function entriesOf(store: MemoryLogStorage): readonly Entry[] {
  if (store.lastIndex() < store.firstIndex()) return [];
  const entries = store.entries(store.firstIndex(), store.lastIndex() + 1, Number.POSITIVE_INFINITY);
  return typeof entries === 'string' ? [] : entries;
}

function bytesOf(store: MemoryLogStorage): number {
  return store.dataBytes;
}
