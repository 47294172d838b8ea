import { crc32, invariant } from '@shanghai/env';
import type { Hlc } from '../core/hlc.js';

/** The most bytes that a varint has. */
export const maxVarintBytes = 8;

/** Writes a message into a buffer whose size its maker has bounded beforehand (docs/protocols/REPLICATION.md). */
export class WireWriter {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(boundBytes: number) {
    this.#bytes = Buffer.allocUnsafe(boundBytes);
  }

  byte(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  varint(value: number): void {
    invariant(Number.isSafeInteger(value) && value >= 0, `${value} is no varint`);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#at++] = rest;
  }

  hlc({ ms, counter }: Hlc): void {
    this.#at = this.#bytes.writeUIntBE(ms, this.#at, 6);
    this.#at = this.#bytes.writeUInt16BE(counter, this.#at);
  }

  raw(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** What was written. */
  plain(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  /** What was written, and the checksum of what stands from `start` on. */
  finish(start: number): Uint8Array {
    this.#at = this.#bytes.writeUInt32LE(crc32(this.#bytes, 0, start, this.#at), this.#at);
    return this.#bytes.subarray(0, this.#at);
  }
}
