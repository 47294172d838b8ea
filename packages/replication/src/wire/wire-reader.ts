import { crc32 } from '@shanghai/env';
import type { Hlc } from '../core/hlc.js';
import { ReplicationError } from '../core/replication-error.js';

const checksumBytes = 4;

/**
 * Reads a message that somebody else wrote. Every length is checked against what there is before anything is made of it;
 * whatever does not fit is `ReplicationError` `CORRUPT`, and nothing else is ever thrown.
 */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  /** `bytes` from `start` on: something, and its checksum behind it, unless somebody else has `checked` them. */
  constructor(bytes: Uint8Array, start: number, checked = false) {
    this.#bytes = bytes;
    this.#at = start;
    if (checked) {
      this.#end = bytes.length;
      return;
    }
    this.#end = bytes.length - checksumBytes;
    if (this.#end < start) throw this.corrupt('is too short');
    const view = new DataView(bytes.buffer, bytes.byteOffset + this.#end, checksumBytes);
    if (view.getUint32(0, true) !== crc32(bytes, 0, start, this.#end))
      throw this.corrupt('does not match its checksum');
  }

  get left(): number {
    return this.#end - this.#at;
  }

  byte(): number {
    if (this.#at >= this.#end) throw this.corrupt('ends too early');
    return this.#bytes[this.#at++] as number;
  }

  /** An integer in [0, 2^53). */
  varint(): number {
    let value = 0;
    let scale = 1;
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

  /** A varint that is at least 1. */
  positive(what: string): number {
    const value = this.varint();
    if (value < 1) throw this.corrupt(`has a ${what} of 0`);
    return value;
  }

  /** A varint that counts things of at least `leastBytes` (≥ 1) each, of which there are thus no more than fit. */
  count(leastBytes: number): number {
    const count = this.varint();
    if (count * leastBytes > this.left) throw this.corrupt(`counts ${count} where ${this.left} bytes are left`);
    return count;
  }

  hlc(): Hlc {
    if (this.left < 8) throw this.corrupt('ends within a stamp');
    const view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset + this.#at, 8);
    this.#at += 8;
    return { ms: view.getUint32(0) * 0x1_0000 + view.getUint16(4), counter: view.getUint16(6) };
  }

  /** A view of all that is left. */
  rest(): Uint8Array {
    const start = this.#at;
    this.#at = this.#end;
    return this.#bytes.subarray(start, this.#end);
  }

  /** Nothing may be left. */
  end(): void {
    if (this.left > 0) throw this.corrupt(`has ${this.left} bytes too many`);
  }

  corrupt(what: string): ReplicationError {
    return new ReplicationError('CORRUPT', `a message of ${this.#bytes.length} bytes ${what}, at byte ${this.#at}`);
  }
}
