/**
 * Which entries of a log nobody needs any more, because a later one of their key took their place.
 *
 * The entries behind the last compaction are read first, and of each key the last place is kept in memory (as in Kafka's cleaner: the
 * memory is bounded, and a plan ends where the bound is reached); then those before, of which any whose key came again is
 * superseded. Whatever is superseded once is for ever, so every part of a plan holds at whatever moment it is
 * applied. The deletion of a key (empty value, header `delete`) is hidden itself once it has been there for a while, and
 * after all before it: otherwise an older value would show again.
 *
 * The last segment is left alone: what was just appended stays as it is, whatever came after it.
 */
import type { Wal } from '@shanghai/wal';
import { type HiddenOfLog, hiddenChunkBytes, hiddenChunkEntries } from '../apply/hidden-entries.js';
import type { HiddenChunk } from '../apply/log-upkeep-command.js';
import { decodeFileRecord, isHiddenRecord } from './log-file-record.js';

/** The header that says, with an empty value, that the key is deleted. */
export const deleteHeader = 'delete';

/** What a plan may cost. */
export interface CompactionLimits {
  /** Keys kept in memory. */
  readonly maxKeys: number;
  /** Their bytes. */
  readonly maxKeyBytes: number;
}

/** Used where nothing else is said. */
export const defaultCompactionLimits: CompactionLimits = { maxKeys: 500_000, maxKeyBytes: 64 * 1024 * 1024 };

/** What is to be hidden, in chunks. */
export interface CompactionPlan {
  /** Everything up to here was looked at. */
  readonly compactedTo: number;
  readonly superseded: readonly HiddenChunk[];
  /** Deletions whose time is over; only after `superseded`. */
  readonly deletions: readonly HiddenChunk[];
}

/** What a plan is made from. */
export interface CompactionSource {
  readonly wal: Wal;
  readonly firstSequence: number;
  readonly hidden: HiddenOfLog;
  /** Deletions before this log time go. */
  readonly deletionsBeforeMs: number;
  readonly limits: CompactionLimits;
}

/**
 * A plan, or `undefined` where it is not worth it yet: what came since the last one is less than half of what was left
 * then.
 */
export async function planCompaction(source: CompactionSource): Promise<CompactionPlan | undefined> {
  const { wal, hidden } = source;
  const firstSequence = Math.max(source.firstSequence, wal.info().firstLsn);
  const compactedTo = Math.max(hidden.compactedTo, firstSequence - 1);
  const sealedTo = wal.pins().at(-2)?.lastLsn ?? 0;
  const left = compactedTo - firstSequence + 1 - hidden.countIn(firstSequence, compactedTo);
  if (sealedTo <= compactedTo || (sealedTo - compactedTo) * 2 < left) return undefined;
  return new Planner(source).plan(firstSequence, compactedTo, sealedTo);
}

interface LastOfKey {
  readonly sequence: number;
  /** Since when it is a deletion; `undefined`: it is none. */
  readonly deletedAtMs: number | undefined;
}

class Planner {
  readonly #source: CompactionSource;
  readonly #superseded = new Marks();
  readonly #deletions = new Marks();
  readonly #last = new Map<string, LastOfKey>();

  constructor(source: CompactionSource) {
    this.#source = source;
  }

  async plan(firstSequence: number, compactedTo: number, sealedTo: number): Promise<CompactionPlan> {
    const reached = await this.#readDirty(compactedTo + 1, sealedTo);
    await this.#readClean(firstSequence, compactedTo);
    for (const { sequence, deletedAtMs } of this.#last.values()) this.#judgeDeletion(sequence, deletedAtMs);
    return { compactedTo: reached, superseded: this.#superseded.chunks(), deletions: this.#deletions.chunks() };
  }

  async #readDirty(from: number, to: number): Promise<number> {
    const { wal, hidden, limits } = this.#source;
    let keyBytes = 0;
    for await (const { lsn, payload } of wal.entries({ from, to: to + 1 })) {
      if (hidden.isHidden(lsn) || isHiddenRecord(payload)) continue;
      const { key, deletedAtMs } = keyOf(payload);
      const before = this.#last.get(key);
      if (before === undefined) {
        if (this.#last.size >= limits.maxKeys || keyBytes + key.length > limits.maxKeyBytes) return lsn - 1;
        keyBytes += key.length;
      } else this.#superseded.add(before.sequence);
      this.#last.set(key, { sequence: lsn, deletedAtMs });
    }
    return to;
  }

  async #readClean(from: number, to: number): Promise<void> {
    const { wal, hidden } = this.#source;
    for await (const { lsn, payload } of wal.entries({ from, to: to + 1 })) {
      if (hidden.isHidden(lsn) || isHiddenRecord(payload)) continue;
      const { key, deletedAtMs } = keyOf(payload);
      if (this.#last.has(key)) this.#superseded.add(lsn);
      else this.#judgeDeletion(lsn, deletedAtMs);
    }
  }

  #judgeDeletion(sequence: number, deletedAtMs: number | undefined): void {
    if (deletedAtMs !== undefined && deletedAtMs < this.#source.deletionsBeforeMs) this.#deletions.add(sequence);
  }
}

/** Latin-1, so that every byte is a character: keys are bytes. */
function keyOf(payload: Uint8Array): { readonly key: string; readonly deletedAtMs: number | undefined } {
  const { key, value, headers, timeMs } = decodeFileRecord(payload, 0, 0, 0);
  const isDeletion = value.length === 0 && headers.some(({ name }) => name === deleteHeader);
  return { key: Buffer.from(key).toString('latin1'), deletedAtMs: isDeletion ? timeMs : undefined };
}

/** Sequence numbers, as chunks of bits. */
class Marks {
  readonly #chunks = new Map<number, Uint8Array>();

  add(sequence: number): void {
    const index = Math.floor(sequence / hiddenChunkEntries);
    const place = sequence % hiddenChunkEntries;
    let bits = this.#chunks.get(index);
    if (bits === undefined) {
      bits = new Uint8Array(hiddenChunkBytes);
      this.#chunks.set(index, bits);
    }
    bits[place >>> 3] = (bits[place >>> 3] as number) | (1 << (place & 7));
  }

  chunks(): HiddenChunk[] {
    return [...this.#chunks].map(([index, bits]) => ({ index, bits })).sort((a, b) => a.index - b.index);
  }
}
