import { RaftError } from '../core/raft-error.js';

/** Reads the fields of a record one after the other, never beyond its end. Throws `RaftError` `LOG_DAMAGED`. */
export class RecordReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u48(): number {
    const at = this.#take(6);
    return this.#view.getUint32(at, true) + this.#view.getUint16(at + 4, true) * 2 ** 32;
  }

  /** A safe integer. */
  u64(): number {
    const at = this.#take(8);
    const value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32;
    if (!Number.isSafeInteger(value)) throw damagedRecord(`a number of ${value}`);
    return value;
  }

  /** Node ids; none is 0. */
  ids(count: number): number[] {
    const ids: number[] = [];
    for (let i = 0; i < count; i++) {
      const id = this.u64();
      if (id === 0) throw damagedRecord('a node 0');
      ids.push(id);
    }
    return ids;
  }

  /** A part of what is read, not a copy. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  skip(count: number): void {
    this.#take(count);
  }

  /** Throws where something follows. */
  end(): void {
    const rest = this.#bytes.length - this.#at;
    if (rest > 0) throw damagedRecord(`${rest} bytes follow its end`);
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw damagedRecord(`it ends after ${this.#bytes.length} bytes`);
    this.#at = at + count;
    return at;
  }
}

/** A record whose frame is sound and whose content is not. */
export function damagedRecord(what: string): RaftError {
  return new RaftError(
    'LOG_DAMAGED',
    `a record of the log cannot be read: ${what}; restore the data directory from a backup, or this node from the others`,
  );
}
