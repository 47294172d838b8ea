/**
 * Fields of the formats of keyspaces: numbers as LEB128 (seven bits a byte, the lowest first, the shortest form only), bytes
 * behind their length. One form for each number, so that equal things are equal bytes. No length is believed before so many
 * bytes are there.
 */
import type { EntryStamp } from '../entry-id.js';
import { type Hlc, hlcBytes, maxHlcCounter } from '../hlc.js';
import { ReplicationError } from '../replication-error.js';

/** Gathers fields. */
export class FieldWriter {
  #bytes = new Uint8Array(64);
  #length = 0;

  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** A safe integer ≥ 0. */
  number(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is no safe integer ≥ 0`);
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  raw(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  bytes(value: Uint8Array): void {
    this.number(value.length);
    this.raw(value);
  }

  /** Its time, then origin, epoch, sequence. */
  stamp({ hlc, origin, epoch, sequence }: EntryStamp): void {
    this.hlc(hlc);
    this.number(origin);
    this.number(epoch);
    this.number(sequence);
  }

  /** 48 bits of milliseconds and 16 of counter, most significant first. */
  hlc(hlc: Hlc): void {
    const high = Math.floor(hlc.ms / 0x1_0000);
    this.raw(
      Uint8Array.of(
        ...[high >>> 24, high >>> 16, high >>> 8, high, hlc.ms >>> 8, hlc.ms],
        ...[hlc.counter >>> 8, hlc.counter],
      ),
    );
  }

  /** What was gathered. The writer is not used any more. */
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Reads fields one behind the other. Whatever is not as a writer writes it: `CORRUPT`. Slices are views. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;

  /** `what` names the bytes in messages. */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    return this.raw(1)[0] as number;
  }

  number(): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * factor;
      if (value > Number.MAX_SAFE_INTEGER) break;
      if (byte < 0x80) {
        if (byte === 0 && i > 0) break;
        return value;
      }
      factor *= 0x80;
    }
    throw this.corrupt('holds a number that is too large or not in its shortest form');
  }

  raw(length: number): Uint8Array {
    if (length > this.left) throw this.corrupt(`ends within a field of ${length} bytes`);
    const at = this.#at;
    this.#at += length;
    return this.#bytes.subarray(at, this.#at);
  }

  bytes(): Uint8Array {
    return this.raw(this.number());
  }

  /** A count of things that take at least `minBytes` each. */
  count(minBytes: number): number {
    const count = this.number();
    if (count * minBytes > this.left) throw this.corrupt(`cannot hold the ${count} items it names`);
    return count;
  }

  stamp(): EntryStamp {
    return { hlc: this.hlc(), origin: this.#positive(), epoch: this.#positive(), sequence: this.#positive() };
  }

  hlc(): Hlc {
    const view = this.raw(hlcBytes);
    let ms = 0;
    for (let i = 0; i < 6; i++) ms = ms * 256 + (view[i] as number);
    const counter = (((view[6] as number) << 8) | (view[7] as number)) & maxHlcCounter;
    return { ms, counter };
  }

  /** Refuses bytes that nothing accounts for. */
  finish(): void {
    if (this.left > 0) throw this.corrupt(`has ${this.left} bytes behind its last field`);
  }

  /** An error about these bytes. */
  corrupt(why: string): ReplicationError {
    return new ReplicationError('CORRUPT', `${this.#what} of ${this.#bytes.length} bytes ${why}`);
  }

  #positive(): number {
    const value = this.number();
    if (value === 0) throw this.corrupt('names 0 where numbers begin at 1');
    return value;
  }
}
