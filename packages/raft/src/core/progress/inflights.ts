/**
 * Appends sent to a follower and not yet acknowledged: a ring of (last index, bytes) that fills up to a number of
 * messages or bytes. It grows as it is needed, because most groups never have many in flight.
 */
import { invariant } from '@shanghai/env';

/** A window of appends in flight towards one follower. */
export class Inflights {
  readonly #maxMessages: number;
  /** 0 = no limit. The message that crosses it is still taken. */
  readonly #maxBytes: number;
  #indexes: number[] = [];
  #sizes: number[] = [];
  #start = 0;
  #count = 0;
  #bytes = 0;

  constructor(maxMessages: number, maxBytes: number) {
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  /** Whether nothing more should be sent. */
  get isFull(): boolean {
    return this.#count >= this.#maxMessages || (this.#maxBytes !== 0 && this.#bytes >= this.#maxBytes);
  }

  /** Notes a message whose last entry has this index; indexes never fall. Must not be full. */
  add(lastIndex: number, bytes: number): void {
    invariant(!this.isFull, 'an append was sent although the window is full');
    if (this.#count === this.#indexes.length) this.#grow();
    const place = (this.#start + this.#count) % this.#indexes.length;
    this.#indexes[place] = lastIndex;
    this.#sizes[place] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Frees every message whose last index is at most `index`. */
  freeUpTo(index: number): void {
    while (this.#count > 0 && (this.#indexes[this.#start] as number) <= index) {
      this.#bytes -= this.#sizes[this.#start] as number;
      this.#start = (this.#start + 1) % this.#indexes.length;
      this.#count--;
    }
  }

  /** Frees everything. */
  reset(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }

  #grow(): void {
    const unrolled = (ring: readonly number[]) => [...ring.slice(this.#start), ...ring.slice(0, this.#start)];
    const size = Math.min(Math.max(4, this.#count * 2), this.#maxMessages);
    const padding = new Array<number>(size - this.#count).fill(0);
    this.#indexes = [...unrolled(this.#indexes), ...padding];
    this.#sizes = [...unrolled(this.#sizes), ...padding];
    this.#start = 0;
  }
}
