import { MembershipError } from '../core/membership-error.js';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Reads bytes that somebody else wrote. Whatever does not fit is `MembershipError` `CORRUPT`, and nothing else is thrown. */
export class FrameReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    if (this.left < 1) throw this.corrupt('ends too early');
    return this.#bytes[this.#at++] as number;
  }

  u32(): number {
    if (this.left < 4) throw this.corrupt('ends too early');
    const low = this.byte() | (this.byte() << 8) | (this.byte() << 16);
    return low + this.byte() * 0x100_0000;
  }

  /** An integer in [0, 2^53). */
  varint(): number {
    let [value, scale] = [0, 1];
    for (let count = 0; count < 8; count++) {
      const byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 128;
    }
    throw this.corrupt('has an integer of 2^53 or more');
  }

  /** A varint from 1 on. */
  id(): number {
    const id = this.varint();
    if (id === 0) throw this.corrupt('names node 0');
    return id;
  }

  text(): string {
    const length = this.varint();
    if (length > this.left) throw this.corrupt(`wants ${length} bytes where ${this.left} are left`);
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    try {
      return decoder.decode(bytes);
    } catch (error) {
      throw new MembershipError('CORRUPT', this.#said('has a text that is not UTF-8'), { cause: error });
    }
  }

  corrupt(what: string): MembershipError {
    return new MembershipError('CORRUPT', this.#said(what));
  }

  #said(what: string): string {
    return `a frame of ${this.#bytes.length} bytes ${what}, at byte ${this.#at}`;
  }
}
