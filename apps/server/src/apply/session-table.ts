/**
 * Sessions: what makes a retried request happen once. After "Implementing linearizability at large scale and low
 * latency" (RIFL, SOSP 2015) and the client sessions of the Raft dissertation, section 6.3.
 *
 * A session remembers the results of its last 1,024 request numbers. Numbers may arrive in any order within that window
 * (clients send in parallel); a number below it can no longer be judged and is an unknown outcome. Everything here is
 * replicated state: it changes only by entries, in entry order, and expires by log time. The table in memory holds one
 * small object a session, in the order of last use; results stay in the store.
 *
 * An entry may hold many requests. What they change of a session is gathered: its place in the order of use and its
 * results once an entry (`endEntry`), its own record once for all entries that are applied together (`endRun`), in the
 * batch that has their effects.
 */
import { invariant } from '@shanghai/env';
import { readU64, writeU64 } from './byte-fields.js';
import { type NewResult, SessionResults, sessionWindow } from './session-results.js';
import { sessionHeaderKey } from './state-keys.js';
import type { WriteSet } from './write-set.js';

/** Sessions a group holds; one more evicts the one that was used least recently. */
export const maxSessions = 10_000;

/** Expired sessions an entry removes at most, so that no entry becomes expensive; the next entries go on. */
const maxRemovalsPerEntry = 16;

const recordVersion = 1;
const recordBytes = 48;

interface Session {
  readonly id: number;
  readonly ttlMs: number;
  /** Highest request number seen. */
  highest: number;
  lastUsedMs: number;
  /** Index of the entry that used it last: the order of use, by id within an entry, also after a restart. */
  lastUsedIndex: number;
  /** What the entry that is being applied gave it. */
  results: NewResult[];
}

/** What is known of a request before it is applied. `place` is where its result lies or goes. */
export type SessionVerdict =
  | { readonly type: 'new' }
  | { readonly type: 'answered'; readonly result: Uint8Array }
  | { readonly type: 'forgotten' }
  | { readonly type: 'expired' };

/** The sessions of one group. */
export class SessionTable {
  /** In the order of last use, oldest first. */
  readonly #sessions = new Map<number, Session>();
  readonly #results = new SessionResults();
  /** By the entry that is being applied. */
  #used: Session[] = [];
  /** Whose record is to be written at the end of the run. */
  readonly #changed = new Set<Session>();
  /** No session expires before; at most the true soonest expiry. */
  #soonestExpiryMs = Number.POSITIVE_INFINITY;
  #ended = 0;

  /** Loads the records of a store. */
  load(records: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]): void {
    invariant(this.#sessions.size === 0, 'sessions are loaded once');
    const sessions = records.map(({ value }) => decodeSession(value));
    sessions.sort((a, b) => a.lastUsedIndex - b.lastUsedIndex || a.id - b.id);
    for (const session of sessions) this.#insert(session);
  }

  /** Sessions that expired or were evicted since the table was made. */
  get ended(): number {
    return this.#ended;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** The soonest log time at which a session may end; infinite without sessions. */
  get soonestExpiryMs(): number {
    return this.#soonestExpiryMs;
  }

  /** Where a request's result would lie, if the store may hold it: keys to fetch before the step. */
  resultKeys(sessionId: number, requestNumber: number): readonly Buffer[] {
    const session = this.#sessions.get(sessionId);
    if (session === undefined || requestNumber > session.highest) return [];
    return this.#results.keysOf(sessionId, requestNumber);
  }

  /** What an entry with several requests may add results to, likewise. */
  keyToExtend(sessionId: number, requestNumber: number): Buffer | undefined {
    const session = this.#sessions.get(sessionId);
    return session && this.#results.keyToExtend(sessionId, requestNumber, session.highest);
  }

  open(id: number, ttlMs: number, index: number, logTimeMs: number, writes: WriteSet): void {
    if (this.#sessions.size >= maxSessions) this.#remove(this.#oldest(), writes);
    const session: Session = { id, ttlMs, highest: 0, lastUsedMs: logTimeMs, lastUsedIndex: index, results: [] };
    this.#insert(session);
    this.#changed.add(session);
  }

  /** Judges a request of a session and marks the session used. */
  judge(sessionId: number, requestNumber: number, index: number, logTimeMs: number, writes: WriteSet): SessionVerdict {
    const session = this.#sessions.get(sessionId);
    if (session === undefined || session.lastUsedMs + session.ttlMs <= logTimeMs) return { type: 'expired' };
    const { highest } = session;
    if (session.lastUsedIndex !== index || this.#used.length === 0) this.#used.push(session);
    session.lastUsedMs = logTimeMs;
    session.lastUsedIndex = index;
    if (requestNumber > highest) {
      session.highest = requestNumber;
      return { type: 'new' };
    }
    if (requestNumber <= highest - sessionWindow) return { type: 'forgotten' };
    const result =
      session.results.find((own) => own.requestNumber === requestNumber)?.result ??
      this.#results.find(sessionId, requestNumber, writes);
    return result === undefined ? { type: 'new' } : { type: 'answered', result };
  }

  /** Remembers the result of a request that was judged in this entry. */
  remember(sessionId: number, requestNumber: number, result: Uint8Array): void {
    const session = this.#sessions.get(sessionId);
    invariant(session !== undefined, `a result of session ${sessionId}, which is not there`);
    session.results.push({ requestNumber, result });
  }

  /** The entry has been applied. */
  endEntry(writes: WriteSet): void {
    const used = this.#used;
    if (used.length === 0) return;
    this.#used = [];
    if (used.length > 1) used.sort((a, b) => a.id - b.id);
    for (const session of used) {
      this.#sessions.delete(session.id);
      this.#sessions.set(session.id, session);
      this.#changed.add(session);
      if (session.results.length === 0) continue;
      this.#results.store(session.id, session.results, writes);
      session.results = [];
    }
  }

  /** The entries of a run have been applied. */
  endRun(writes: WriteSet): void {
    for (const session of this.#changed) writes.put(sessionHeaderKey(session.id), encodeSession(session));
    this.#changed.clear();
  }

  /** Removes some of the sessions that expired by `logTimeMs`. */
  expire(logTimeMs: number, writes: WriteSet): void {
    if (logTimeMs < this.#soonestExpiryMs) return;
    const expired: Session[] = [];
    let soonestMs = Number.POSITIVE_INFINITY;
    for (const session of this.#sessions.values()) {
      const expiresMs = session.lastUsedMs + session.ttlMs;
      if (expiresMs <= logTimeMs && expired.length < maxRemovalsPerEntry) expired.push(session);
      else soonestMs = Math.min(soonestMs, expiresMs);
    }
    for (const session of expired) this.#remove(session, writes);
    this.#soonestExpiryMs = soonestMs;
  }

  #insert(session: Session): void {
    this.#sessions.set(session.id, session);
    this.#soonestExpiryMs = Math.min(this.#soonestExpiryMs, session.lastUsedMs + session.ttlMs);
  }

  #oldest(): Session {
    const oldest = this.#sessions.values().next().value;
    invariant(oldest !== undefined, 'there is no session to evict');
    return oldest;
  }

  #remove(session: Session, writes: WriteSet): void {
    this.#sessions.delete(session.id);
    this.#ended++;
    this.#changed.delete(session);
    writes.delete(sessionHeaderKey(session.id));
    this.#results.remove(session.id, session.highest, writes);
  }
}

//   0        1..7  8   16   24       32            40
//   version  0     id  ttl  highest  last used ms  index of the last use
function encodeSession(session: Session): Buffer {
  const bytes = Buffer.alloc(recordBytes);
  bytes[0] = recordVersion;
  writeU64(bytes, 8, session.id);
  writeU64(bytes, 16, session.ttlMs);
  writeU64(bytes, 24, session.highest);
  writeU64(bytes, 32, session.lastUsedMs);
  writeU64(bytes, 40, session.lastUsedIndex);
  return bytes;
}

function decodeSession(bytes: Uint8Array): Session {
  invariant(bytes.length === recordBytes && bytes[0] === recordVersion, 'a session record of an unknown version');
  return {
    id: readU64(bytes, 8),
    ttlMs: readU64(bytes, 16),
    highest: readU64(bytes, 24),
    lastUsedMs: readU64(bytes, 32),
    lastUsedIndex: readU64(bytes, 40),
    results: [],
  };
}
