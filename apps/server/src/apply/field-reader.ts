import { readU16, readU32, readU64 } from './byte-fields.js';

/** Reads fields one after the other, never past the end: a length is believed only once that many bytes are there. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  #at: number;

  /** Reads `bytes` from `at` on. Slices it hands out are views of `bytes`. */
  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.#bytes[this.#advance(1)] as number;
  }

  u16(): number {
    return readU16(this.#bytes, this.#advance(2));
  }

  u32(): number {
    return readU32(this.#bytes, this.#advance(4));
  }

  u64(): number {
    return readU64(this.#bytes, this.#advance(8));
  }

  take(length: number): Uint8Array {
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** `RangeError` where the bytes are no UTF-8. */
  text(length: number): string {
    const bytes = this.take(length);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch (error) {
      throw new RangeError(`${length} bytes that should be text are no UTF-8`, { cause: error });
    }
  }

  /** A JSON array of so many bytes. `RangeError` where they are none. */
  jsonArray(length: number): readonly unknown[] {
    const text = this.text(length);
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch (error) {
      throw new RangeError(`${length} bytes that should be JSON are none`, { cause: error });
    }
    if (!Array.isArray(parsed)) throw new RangeError(`${length} bytes of JSON are no array`);
    return parsed;
  }

  /** A count of things that take at least `minBytes` each: refused when so many cannot follow. */
  count(minBytes: number): number {
    const count = this.u32();
    if (count * minBytes > this.left) throw new RangeError(`${count} items do not fit in ${this.left} bytes`);
    return count;
  }

  /** Refuses bytes that nothing accounts for. */
  finish(): void {
    if (this.left !== 0) throw new RangeError(`${this.left} bytes follow the last field`);
  }

  #advance(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) {
      throw new RangeError(`a field of ${length} bytes at ${at} passes the end (${this.#bytes.length})`);
    }
    this.#at = at + length;
    return at;
  }
}
