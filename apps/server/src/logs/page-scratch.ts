/** From this many bytes of a page on its reader is catching up, and the next one will be as large. */
const largeBytes = 65_536;

/**
 * Where the packed pages of a reader are put, one after the other: what a page holds is there until the next one is asked
 * for. A reader that only waits holds none.
 */
export class PageScratch {
  readonly #bytes: number;
  #buffer: Buffer | undefined;
  #used = 0;

  /** Pages have about so many bytes. */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** What is free of it for the page that is being made. */
  get free(): { readonly into?: Uint8Array } {
    return this.#buffer === undefined ? {} : { into: this.#buffer.subarray(this.#used) };
  }

  /** So much of it was used. */
  used(bytes: number): void {
    this.#used += bytes;
  }

  /** The next page begins. */
  next(): void {
    if (this.#used < largeBytes) this.#buffer = undefined;
    else this.#buffer ??= Buffer.allocUnsafeSlow(this.#bytes);
    this.#used = 0;
  }
}
