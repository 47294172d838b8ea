/**
 * Which entries of a group's logs compaction took away. Replicated state: every replica hides the same entries from the same
 * entry of the command log on, whatever its files still hold.
 *
 * A bit for each sequence number, in chunks of 4,096 that exist only where one of them is set: an eighth of a byte for an
 * entry that was looked at, where the entry itself had a hundred bytes and more. Chunks go with the entries when these are
 * trimmed.
 */
import { invariant } from '@shanghai/env';
import { readU32Ordered, readU64, readU64Ordered, writeU64 } from './byte-fields.js';
import type { HiddenChunk } from './log-upkeep-command.js';
import { compactionKey, hiddenChunkKey } from './state-keys.js';
import type { WriteSet } from './write-set.js';

/** Sequence numbers of a chunk. */
export const hiddenChunkEntries = 4_096;

/** Bytes of a chunk. */
export const hiddenChunkBytes = hiddenChunkEntries / 8;

/** What is hidden of one log. */
export interface HiddenOfLog {
  /** Compaction has looked at everything up to here. */
  readonly compactedTo: number;
  /** How many entries are hidden. */
  readonly count: number;
  isHidden(sequence: number): boolean;
  /** The first entry from `sequence` on that is not hidden. */
  nextVisible(sequence: number): number;
  /** How many of [from, to] are hidden. */
  countIn(from: number, to: number): number;
}

/** A log of which nothing is hidden. */
export const nothingHidden: HiddenOfLog = {
  compactedTo: 0,
  count: 0,
  isHidden: () => false,
  nextVisible: (sequence) => sequence,
  countIn: () => 0,
};

const recordVersion = 1;
const recordBytes = 16;

/** The hidden entries of one group's logs. */
export class HiddenEntries {
  readonly #logs = new Map<number, HiddenLog>();

  load(records: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]): void {
    for (const { key, value } of records) {
      const log = this.#of(readU32Ordered(key, 1));
      if (key.length === 5) {
        invariant(value.length === recordBytes && value[0] === recordVersion, 'a compaction record of unknown version');
        log.compactedTo = readU64(value, 8);
      } else log.set(readU64Ordered(key, 5), Uint8Array.from(value));
    }
  }

  get(logId: number): HiddenOfLog {
    return this.#logs.get(logId) ?? nothingHidden;
  }

  /** Hides more of a log; what lies before `firstSequence` is trimmed and counts no more. */
  hide(
    logId: number,
    compactedTo: number,
    chunks: readonly HiddenChunk[],
    firstSequence: number,
    writes: WriteSet,
  ): void {
    const log = this.#of(logId);
    for (const { index, bits } of chunks) {
      if ((index + 1) * hiddenChunkEntries <= firstSequence) continue;
      writes.put(hiddenChunkKey(logId, index), log.add(index, bits));
    }
    if (compactedTo <= log.compactedTo) return;
    log.compactedTo = compactedTo;
    const record = Buffer.alloc(recordBytes);
    record[0] = recordVersion;
    writeU64(record, 8, compactedTo);
    writes.put(compactionKey(logId), record);
  }

  /** Entries before `firstSequence` are gone altogether. */
  trim(logId: number, firstSequence: number, writes: WriteSet): void {
    for (const index of this.#logs.get(logId)?.dropBefore(firstSequence) ?? []) {
      writes.delete(hiddenChunkKey(logId, index));
    }
  }

  dropLog(logId: number, writes: WriteSet): void {
    const log = this.#logs.get(logId);
    if (log === undefined) return;
    for (const index of log.dropBefore(Number.MAX_SAFE_INTEGER)) writes.delete(hiddenChunkKey(logId, index));
    writes.delete(compactionKey(logId));
    this.#logs.delete(logId);
  }

  #of(logId: number): HiddenLog {
    let log = this.#logs.get(logId);
    if (log === undefined) {
      log = new HiddenLog();
      this.#logs.set(logId, log);
    }
    return log;
  }
}

class HiddenLog implements HiddenOfLog {
  compactedTo = 0;
  count = 0;
  readonly #chunks = new Map<number, Uint8Array>();

  set(index: number, bits: Uint8Array): void {
    invariant(bits.length === hiddenChunkBytes, `a chunk of ${bits.length} bytes`);
    this.#chunks.set(index, bits);
    this.count += bitsIn(bits);
  }

  /** The chunk with these bits added to it: a new one, for the old one may be on its way to the store. */
  add(index: number, bits: Uint8Array): Uint8Array {
    const known = this.#chunks.get(index);
    const merged = Uint8Array.from(bits);
    if (known !== undefined) {
      this.count -= bitsIn(known);
      for (let i = 0; i < merged.length; i++) merged[i] = (merged[i] as number) | (known[i] as number);
    }
    this.set(index, merged);
    return merged;
  }

  dropBefore(firstSequence: number): number[] {
    const dropped: number[] = [];
    for (const [index, bits] of this.#chunks) {
      if ((index + 1) * hiddenChunkEntries > firstSequence) continue;
      this.#chunks.delete(index);
      this.count -= bitsIn(bits);
      dropped.push(index);
    }
    return dropped.sort((a, b) => a - b);
  }

  isHidden(sequence: number): boolean {
    const bits = this.#chunks.get(Math.floor(sequence / hiddenChunkEntries));
    return bits !== undefined && isSet(bits, sequence % hiddenChunkEntries);
  }

  nextVisible(sequence: number): number {
    let next = sequence;
    for (;;) {
      const bits = this.#chunks.get(Math.floor(next / hiddenChunkEntries));
      if (bits === undefined || !isSet(bits, next % hiddenChunkEntries)) return next;
      next++;
    }
  }

  countIn(from: number, to: number): number {
    let count = 0;
    for (const [index, bits] of this.#chunks) {
      const first = index * hiddenChunkEntries;
      if (first > to || first + hiddenChunkEntries <= from) continue;
      if (first >= from && first + hiddenChunkEntries - 1 <= to) count += bitsIn(bits);
      else {
        const end = Math.min(hiddenChunkEntries - 1, to - first);
        for (let place = Math.max(0, from - first); place <= end; place++) if (isSet(bits, place)) count++;
      }
    }
    return count;
  }
}

/** Whether a sequence number's place in its chunk is marked. */
export function isSet(bits: Uint8Array, place: number): boolean {
  return ((bits[place >>> 3] as number) & (1 << (place & 7))) !== 0;
}

function bitsIn(bits: Uint8Array): number {
  let count = 0;
  for (let byte of bits) for (; byte !== 0; byte &= byte - 1) count++;
  return count;
}
