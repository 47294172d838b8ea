import { BitcaskError } from './bitcask-error.js';
import { StagingChunk } from './staging-chunk.js';

/** One write call of the disk; its checksums and its changes of the key directory are two milliseconds at most, in small records. */
const chunkBytes = 131_072;
const spareChunks = 8;

/**
 * Writes waiting for the writer, in the order of the calls, bounded in bytes. Chunks are reused, so a steady stream of
 * writes allocates nothing but its promises.
 */
export class WriteQueue {
  readonly #limitBytes: number;
  readonly #waiting: StagingChunk[] = [];
  readonly #spare: StagingChunk[] = [];
  /** Waiting and in the writer's hands. */
  #heldBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** A chunk with room for `bytes`, at the end of the queue. Throws `QUEUE_FULL`. */
  reserve(bytes: number): StagingChunk {
    this.#admit(bytes);
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.prepared === undefined && last.hasRoom(bytes)) return this.#hold(last, bytes);
    const chunk = bytes <= chunkBytes ? (this.#spare.pop() ?? new StagingChunk(chunkBytes)) : new StagingChunk(bytes);
    this.#waiting.push(chunk);
    return this.#hold(chunk, bytes);
  }

  /** A chunk for one entry that is laid out later: `prepared` must be set at once. */
  reserveOwn(bytes: number): StagingChunk {
    this.#admit(bytes);
    const chunk = new StagingChunk(bytes);
    this.#waiting.push(chunk);
    return this.#hold(chunk, bytes);
  }

  /** Takes chunks from the front: at least one, further ones while they stay within `maxBytes` together. */
  take(maxBytes: number): StagingChunk[] {
    const taken: StagingChunk[] = [];
    let bytes = 0;
    for (const chunk of this.#waiting) {
      bytes += chunk.capacityBytes;
      if (taken.length > 0 && bytes > maxBytes) break;
      taken.push(chunk);
    }
    this.#waiting.splice(0, taken.length);
    return taken;
  }

  /** Gives a chunk back whose entries are settled. */
  recycle(chunk: StagingChunk): void {
    this.#heldBytes -= chunk.reservedBytes;
    chunk.reset();
    if (chunk.capacityBytes === chunkBytes && this.#spare.length < spareChunks) this.#spare.push(chunk);
  }

  #hold(chunk: StagingChunk, bytes: number): StagingChunk {
    chunk.reservedBytes += bytes;
    this.#heldBytes += bytes;
    return chunk;
  }

  #admit(bytes: number): void {
    if (this.#heldBytes + bytes <= this.#limitBytes) return;
    throw new BitcaskError(
      'QUEUE_FULL',
      `${this.#heldBytes} bytes wait for the writer and ${bytes} more would exceed maxQueuedBytes (${this.#limitBytes}); wait for earlier writes or split the batch`,
      { details: { queuedBytes: this.#heldBytes, bytes, maxQueuedBytes: this.#limitBytes } },
    );
  }
}
