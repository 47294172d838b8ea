/** Which keys a range covers. Empty bounds are open; `limit` absent: all. */
export interface RangeBounds {
  readonly start: Buffer;
  readonly end: Buffer;
  readonly prefix: Buffer;
  readonly limit: number | undefined;
  readonly reverse: boolean;
}

/**
 * How far a range has come, so that a broken one goes on right behind the last key given. The rest is expressed in keys
 * alone, not in a server's continuation, so that any node can go on.
 */
export class RangeProgress {
  readonly #bounds: RangeBounds;
  #lastKey: Uint8Array | undefined;
  #given = 0;

  constructor(bounds: RangeBounds) {
    this.#bounds = bounds;
  }

  /** This key was given. Keys come in the order of the range. */
  gave(key: Uint8Array): void {
    this.#lastKey = key;
    this.#given++;
  }

  /** What is left; `undefined` when the limit is reached. */
  rest(): RangeBounds | undefined {
    const { limit, reverse } = this.#bounds;
    const left = limit === undefined ? undefined : limit - this.#given;
    if (left !== undefined && left <= 0) return undefined;
    const bounds = { ...this.#bounds, limit: left };
    if (this.#lastKey === undefined) return bounds;
    return reverse ? { ...bounds, end: Buffer.from(this.#lastKey) } : { ...bounds, start: keyAfter(this.#lastKey) };
  }
}

/** The next possible key: the same bytes and a zero. */
function keyAfter(key: Uint8Array): Buffer {
  const after = Buffer.alloc(key.length + 1);
  after.set(key);
  return after;
}
