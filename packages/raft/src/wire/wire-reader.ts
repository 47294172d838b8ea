import { PeerError } from './peer-error.js';

/**
 * Reads bytes that somebody else wrote. Every length is checked against what there is before anything is made of it;
 * whatever does not fit is `PeerError` `MALFORMED`, and nothing else is ever thrown.
 */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  get position(): number {
    return this.#at;
  }

  byte(): number {
    if (this.#at >= this.#end) throw this.malformed('ends too early');
    return this.#bytes[this.#at++] as number;
  }

  u32(): number {
    if (this.left < 4) throw this.malformed('ends within a checksum');
    const low = this.byte() | (this.byte() << 8) | (this.byte() << 16);
    return low + this.byte() * 0x100_0000;
  }

  /** An integer in [0, 2^53). */
  varint(): number {
    let byte = this.byte();
    if (byte < 128) return byte;
    // Four groups fit in the small integers; those behind them are added as doubles.
    let value = byte & 127;
    let scale = 128;
    for (let count = 1; count < 8; count++) {
      byte = this.byte();
      value += (byte & 127) * scale;
      if (byte < 128) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 128;
    }
    throw this.malformed('has an integer of 2^53 or more');
  }

  /** A varint that counts things of at least `leastBytes` (≥ 1) each, of which there are thus no more than fit. */
  count(leastBytes: number): number {
    const count = this.varint();
    if (count * leastBytes > this.left) throw this.malformed(`counts ${count} where ${this.left} bytes are left`);
    return count;
  }

  /** Steps over `length` bytes and says where they begin. */
  skip(length: number): number {
    if (length > this.left) throw this.malformed(`wants ${length} bytes where ${this.left} are left`);
    const start = this.#at;
    this.#at += length;
    return start;
  }

  /** A view of the next bytes, which belongs to whoever owns the frame. */
  view(length: number): Uint8Array {
    const start = this.skip(length);
    const { buffer, byteOffset } = this.#bytes;
    return new Uint8Array(buffer, byteOffset + start, length);
  }

  malformed(what: string): PeerError {
    return new PeerError('MALFORMED', `a frame of ${this.#end} bytes ${what}, at byte ${this.#at}`);
  }
}
