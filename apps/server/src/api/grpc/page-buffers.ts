/**
 * Buffers of pages that are used again. Each new one counts against what the collector lets go unlooked at, and a tail that
 * makes several for each page has it walk the whole heap several times a second.
 */

/** The size of those that are kept: a page of a tail, and what goes around it. */
const keptBytes = 288 * 1024;

/** Kept free at most; a burst makes more, and lets them go. */
const maxFree = 8;

/** Buffers of one size, lent to whoever writes pages. */
export class PageBuffers {
  readonly #free: Buffer[] = [];
  readonly #lent = new WeakMap<Buffer, Buffer>();

  /** A buffer of exactly so many bytes, with anything in it. */
  take(bytes: number): Buffer {
    if (bytes > keptBytes || bytes < keptBytes / 8) return Buffer.allocUnsafe(bytes);
    const whole = this.#free.pop() ?? Buffer.allocUnsafeSlow(keptBytes);
    const part = whole.subarray(0, bytes);
    this.#lent.set(part, whole);
    return part;
  }

  /** Nobody reads what `take` gave any more. One that is never given back is not lent again. */
  give(part: Buffer): void {
    const whole = this.#lent.get(part);
    if (whole === undefined) return;
    this.#lent.delete(part);
    if (this.#free.length < maxFree) this.#free.push(whole);
  }
}
