/**
 * The results that sessions remember, as they lie in the store.
 *
 * A result by itself has a record of its own. Where one entry brings many small results of a session, as commands that
 * were joined do, they go into records of 64 request numbers each: a few writes for all of them. Which results go where
 * depends on the entry and the state alone, so replicas agree on it. A number is only ever looked for where its entry put
 * it, so whoever looks asks both places.
 *
 * The last such record of the sessions that wrote one lately is in memory, because the next entry mostly adds to it.
 */
import { invariant } from '@shanghai/env';
import { readU64, writeU64 } from './byte-fields.js';
import { sessionBlockKey, sessionResultKey } from './state-keys.js';
import type { WriteSet } from './write-set.js';

/** Request numbers a session remembers. */
export const sessionWindow = 1024;

/** Request numbers in one record. */
const blockNumbers = 64;

/** Places of such records: a window that begins anywhere in a block touches one more than it would fill. */
const blockPlaces = sessionWindow / blockNumbers + 1;

/** So many results of a session in one entry are put together, where each has at most so many bytes. */
const leastTogether = 8;
const maxTogetherBytes = 64;

const blockVersion = 1;
const blockHeadBytes = 16;
const resultHeadBytes = 2;
const maxRecentBlocks = 1000;

/** A result of an entry that is being applied. */
export interface NewResult {
  readonly requestNumber: number;
  readonly result: Uint8Array;
}

interface Block {
  /** Request number ÷ 64, whole. */
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** Those of one group. */
export class SessionResults {
  /** By session; the one written longest ago first. */
  readonly #recent = new Map<number, Block>();

  /** Where the result of a request may lie. */
  keysOf(sessionId: number, requestNumber: number): Buffer[] {
    const block = blockOf(requestNumber);
    return [
      sessionResultKey(sessionId, requestNumber % sessionWindow),
      sessionBlockKey(sessionId, block % blockPlaces),
    ];
  }

  /** The record that new results may be added to; `undefined` where there is none, or it is in memory. */
  keyToExtend(sessionId: number, requestNumber: number, highest: number): Buffer | undefined {
    const block = blockOf(requestNumber);
    if (block > blockOf(highest) || this.#recent.get(sessionId)?.number === block) return undefined;
    return sessionBlockKey(sessionId, block % blockPlaces);
  }

  /** What is stored, or written by this run, of a request within the window. */
  find(sessionId: number, requestNumber: number, writes: WriteSet): Uint8Array | undefined {
    const own = writes.find(sessionResultKey(sessionId, requestNumber % sessionWindow), 0);
    if (own !== undefined && readU64(own.value, 0) === requestNumber) return own.value.subarray(8);
    const block = this.#block(sessionId, blockOf(requestNumber), writes);
    return block === undefined ? undefined : resultIn(block, requestNumber % blockNumbers);
  }

  /** Stores what one entry gave a session. */
  store(sessionId: number, results: readonly NewResult[], writes: WriteSet): void {
    const isSmall = ({ result }: NewResult) => result.length <= maxTogetherBytes;
    if (results.length < leastTogether || results.filter(isSmall).length < leastTogether) {
      for (const result of results) storeAlone(sessionId, result, writes);
      return;
    }
    const blocks = new Map<number, NewResult[]>();
    for (const result of results) {
      if (!isSmall(result)) {
        storeAlone(sessionId, result, writes);
        continue;
      }
      const number = blockOf(result.requestNumber);
      const known = blocks.get(number);
      if (known === undefined) blocks.set(number, [result]);
      else known.push(result);
    }
    for (const [number, added] of blocks) this.#add(sessionId, number, added, writes);
  }

  /** Removes all that is stored of a session. */
  remove(sessionId: number, highest: number, writes: WriteSet): void {
    this.#recent.delete(sessionId);
    for (let n = highest; n > Math.max(0, highest - sessionWindow); n--) {
      removeIfThere(sessionResultKey(sessionId, n % sessionWindow), writes);
    }
    for (let place = 0; place < blockPlaces; place++) removeIfThere(sessionBlockKey(sessionId, place), writes);
  }

  #add(sessionId: number, number: number, added: readonly NewResult[], writes: WriteSet): void {
    const before = this.#block(sessionId, number, writes);
    const head = before?.length ?? blockHeadBytes;
    let length = head;
    for (const { result } of added) length += resultHeadBytes + result.length;
    const bytes = Buffer.allocUnsafe(length);
    if (before === undefined) {
      bytes.fill(0, 0, blockHeadBytes);
      bytes[0] = blockVersion;
      writeU64(bytes, 8, number);
    } else bytes.set(before, 0);
    let at = head;
    for (const { requestNumber, result } of added) {
      bytes[at] = requestNumber % blockNumbers;
      bytes[at + 1] = result.length;
      bytes.set(result, at + resultHeadBytes);
      at += resultHeadBytes + result.length;
    }
    writes.put(sessionBlockKey(sessionId, number % blockPlaces), bytes);
    this.#keep(sessionId, { number, bytes });
  }

  #block(sessionId: number, number: number, writes: WriteSet): Uint8Array | undefined {
    const recent = this.#recent.get(sessionId);
    if (recent?.number === number) return recent.bytes;
    const found = writes.find(sessionBlockKey(sessionId, number % blockPlaces), 0)?.value;
    if (found === undefined) return undefined;
    invariant(
      found[0] === blockVersion && found.length >= blockHeadBytes,
      'results of a session of an unknown version',
    );
    return readU64(found, 8) === number ? found : undefined;
  }

  #keep(sessionId: number, block: Block): void {
    const recent = this.#recent;
    const known = recent.get(sessionId);
    if (known !== undefined && known.number > block.number) return;
    recent.delete(sessionId);
    recent.set(sessionId, block);
    if (recent.size <= maxRecentBlocks) return;
    for (const oldest of recent.keys()) {
      recent.delete(oldest);
      return;
    }
  }
}

function blockOf(requestNumber: number): number {
  return Math.floor(requestNumber / blockNumbers);
}

function resultIn(block: Uint8Array, place: number): Uint8Array | undefined {
  for (let at = blockHeadBytes; at < block.length; ) {
    const start = at + resultHeadBytes;
    const end = start + (block[at + 1] as number);
    if (block[at] === place) return block.subarray(start, end);
    at = end;
  }
  return undefined;
}

function storeAlone(sessionId: number, { requestNumber, result }: NewResult, writes: WriteSet): void {
  const record = Buffer.allocUnsafe(8 + result.length);
  writeU64(record, 0, requestNumber);
  record.set(result, 8);
  writes.put(sessionResultKey(sessionId, requestNumber % sessionWindow), record);
}

function removeIfThere(key: Buffer, writes: WriteSet): void {
  if (writes.has(key, 0)) writes.delete(key);
}
