import { readFully } from '@shanghai/env';
import { claimedBytes, createRecordFields, readRecord, recordHeaderBytes } from './core/record.js';
import type { Segment } from './core/segment.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import type { StoreContext } from './store-context.js';
import { walkHint } from './walk-hint.js';

/** Records of a segment that are looked at. */
const sampleRecords = 256;
/** Bytes of a record up to its expiry. */
const headBytes = recordHeaderBytes + 8;

interface Sampled {
  readonly offset: number;
  readonly recordBytes: number;
}

/**
 * Guesses how many live bytes of each segment have expired, or a store whose keys expire and are never overwritten would
 * not be merged at all. When a record expires is told by the record alone, so a sample is read: evenly over the
 * keys, one segment a call, those with expiring keys again and again, the others once. Rejected: expiry times in memory,
 * which every key would pay for.
 *
 * A guess only chooses what is merged; the merge itself looks at each record.
 */
export class ExpiryProbe {
  readonly #store: StoreContext;
  readonly #expired = new Map<number, number>();
  /** Segments not looked at yet in this round. */
  #queue: Segment[] = [];
  readonly #withoutExpiry = new Set<number>();

  constructor(store: StoreContext) {
    this.#store = store;
  }

  /** Bytes guessed by file id; segments that are not in it are taken to hold none. */
  get expired(): ReadonlyMap<number, number> {
    return this.#expired;
  }

  /** Looks at the next segment, if there is one. Never rejects: what cannot be read is not guessed at. */
  async next(): Promise<void> {
    const { segments } = this.#store.index;
    for (const fileId of this.#expired.keys()) if (!segments.has(fileId)) this.#expired.delete(fileId);
    for (const fileId of this.#withoutExpiry) if (!segments.has(fileId)) this.#withoutExpiry.delete(fileId);
    if (this.#queue.length === 0) {
      this.#queue = [...segments.values()].filter((one) => one.hinted && !this.#withoutExpiry.has(one.fileId));
    }
    const segment = this.#queue.shift();
    if (segment === undefined || segments.get(segment.fileId) !== segment) return;
    try {
      await this.#look(segment);
    } catch {
      this.#expired.delete(segment.fileId);
    }
  }

  async #look(segment: Segment): Promise<void> {
    const { keydir } = this.#store.index;
    const position = emptyPosition();
    const sample: Sampled[] = [];
    let expiring = 0;
    let sampledBytes = 0;
    // Records of the average size would make so many; small ones thin the sample out less than it is capped.
    const stride = Math.max(1, Math.floor((segment.maxSequence - segment.minSequence) / sampleRecords));
    let count = 0;
    await walkHint(this.#store, segment, ({ entry, key }) => {
      if (entry.expires) expiring++;
      if (entry.tombstone || count++ % stride !== 0) return;
      if (!keydir.get(key(), position) || position.sequence !== entry.sequence) return;
      sampledBytes += entry.recordBytes;
      if (entry.expires) sample.push({ offset: entry.offset, recordBytes: entry.recordBytes });
    });
    if (expiring === 0) this.#withoutExpiry.add(segment.fileId);
    const expiredBytes = await this.#expiredOf(segment, sample);
    this.#expired.set(segment.fileId, sampledBytes === 0 ? 0 : (segment.liveBytes * expiredBytes) / sampledBytes);
  }

  async #expiredOf(segment: Segment, sample: readonly Sampled[]): Promise<number> {
    const horizonMs = this.#store.options.horizon();
    const bytes = new Uint8Array(headBytes);
    const view = new DataView(bytes.buffer);
    const fields = createRecordFields();
    let expiredBytes = 0;
    if (sample.length === 0) return 0;
    const file = await this.#store.options.disk.open(this.#store.pool.pathOf(segment.fileId), 'read');
    try {
      for (const { offset, recordBytes } of sample) {
        if ((await readFully(file, bytes, offset)) < headBytes || claimedBytes(view, 0) !== recordBytes) continue;
        readRecord(view, 0, fields);
        if (fields.expiresAtMs > 0 && fields.expiresAtMs <= horizonMs) expiredBytes += recordBytes;
      }
    } finally {
      await file.close();
    }
    return expiredBytes;
  }
}
