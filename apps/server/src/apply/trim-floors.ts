/**
 * What was trimmed by hand of streams: nobody reads what lies before, whenever and from wherever it comes. A floor only rises, so
 * it does not matter in which order nodes hear of it.
 */
import { type StreamId, streamKey } from '@shanghai/replication';
import { readU32Ordered, readU64, readU64Ordered, writeU64 } from './byte-fields.js';
import { trimFloorKey } from './state-keys.js';
import type { WriteSet } from './write-set.js';

/** The first sequence of a stream that may be read. */
export interface TrimFloor {
  readonly stream: StreamId;
  readonly firstSequence: number;
}

/** The floors of an own group. */
export class TrimFloors {
  readonly #floors = new Map<string, TrimFloor>();

  load(records: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]): void {
    for (const { key, value } of records) {
      const stream = { logId: readU32Ordered(key, 1), origin: readU32Ordered(key, 5), epoch: readU64Ordered(key, 9) };
      this.#floors.set(streamKey(stream), { stream, firstSequence: readU64(value, 0) });
    }
  }

  get count(): number {
    return this.#floors.size;
  }

  /** 1 where nothing was trimmed. */
  of(stream: StreamId): number {
    return this.#floors.size === 0 ? 1 : (this.#floors.get(streamKey(stream))?.firstSequence ?? 1);
  }

  all(): IterableIterator<TrimFloor> {
    return this.#floors.values();
  }

  /** Returns whether it was lower. */
  raise({ logId, origin, epoch }: StreamId, firstSequence: number, writes: WriteSet): boolean {
    const stream = { logId, origin, epoch };
    if (firstSequence <= this.of(stream)) return false;
    this.#floors.set(streamKey(stream), { stream, firstSequence });
    const value = Buffer.alloc(8);
    writeU64(value, 0, firstSequence);
    writes.put(trimFloorKey(stream), value);
    return true;
  }

  dropLog(logId: number, writes: WriteSet): void {
    for (const [key, { stream }] of this.#floors) {
      if (stream.logId !== logId) continue;
      this.#floors.delete(key);
      writes.delete(trimFloorKey(stream));
    }
  }
}
