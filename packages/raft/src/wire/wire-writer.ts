import { invariant } from '@shanghai/env';

/** The most bytes that a varint has. */
export const maxVarintBytes = 8;

/** Writes into a buffer whose size its maker has bounded beforehand. */
export class WireWriter {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(boundBytes: number) {
    // Views into the runtime's pool are fine: what is sent is copied out of here soon.
    this.#bytes = Buffer.allocUnsafe(boundBytes);
  }

  byte(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  u32(value: number): void {
    this.byte(value & 255);
    this.byte((value >>> 8) & 255);
    this.byte((value >>> 16) & 255);
    this.byte(value >>> 24);
  }

  varint(value: number): void {
    let rest = value;
    // One comparison of each kind for all that is no integer from 0 on, or too large a one.
    if (!(rest >= 0 && rest <= Number.MAX_SAFE_INTEGER) || rest % 1 !== 0)
      throw new RangeError(`${value} is no varint`);
    if (rest > 0x7fff_ffff) {
      while (rest > 0x7fff_ffff) {
        this.#bytes[this.#at++] = (rest % 128) | 128;
        rest = Math.floor(rest / 128);
      }
    }
    while (rest >= 128) {
      this.#bytes[this.#at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  /** Leaves room for a `u32` that is known later; gives where it is. */
  reserveU32(): number {
    const at = this.#at;
    this.#at += 4;
    return at;
  }

  /** Fills the room at `at` with the number of bytes that were written behind it. */
  fillU32(at: number): void {
    const end = this.#at;
    this.#at = at;
    this.u32(end - at - 4);
    this.#at = end;
  }

  raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** What was written. */
  finish(): Uint8Array {
    invariant(this.#at <= this.#bytes.length, `${this.#at} bytes where ${this.#bytes.length} were bounded`);
    return this.#bytes.subarray(0, this.#at);
  }
}
