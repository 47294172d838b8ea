/**
 * The bytes of a simulated file: a buffer that grows, shared between images until one of them changes (`fork` costs
 * nothing, so a restart costs only the files that differ). Bytes between `length` and the capacity are always zero.
 */
export class FileImage {
  #buffer: Uint8Array;
  #length: number;
  #shared = false;

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#buffer = bytes;
    this.#length = bytes.length;
  }

  get length(): number {
    return this.#length;
  }

  /** Another image with the same bytes, which changes on its own. */
  fork(): FileImage {
    const other = new FileImage(this.#buffer);
    other.#length = this.#length;
    other.#shared = true;
    this.#shared = true;
    return other;
  }

  /** A copy of all bytes. */
  toBytes(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }

  /** Copies bytes from `position` on into `target`; returns how many, fewer only at the end. */
  read(target: Uint8Array, position: number, limit: number): number {
    const count = Math.max(0, Math.min(target.length, limit, this.#length - position));
    if (count > 0) target.set(this.#buffer.subarray(position, position + count));
    return count;
  }

  /** Puts `bytes` at `position`; a gap before it is zero. */
  write(bytes: Uint8Array, position: number): void {
    const end = position + bytes.length;
    this.#own(end);
    this.#buffer.set(bytes, position);
    this.#length = Math.max(this.#length, end);
  }

  resize(length: number): void {
    if (length === this.#length) return;
    this.#own(length);
    if (length < this.#length) this.#buffer.fill(0, length, this.#length);
    this.#length = length;
  }

  /** Copies `[start, end)` from another image, zeros where that one ends; never lengthens this one. */
  copyRange(from: FileImage, start: number, end: number): void {
    const stop = Math.min(end, this.#length);
    if (stop <= start) return;
    this.#own(stop);
    const available = Math.max(start, Math.min(stop, from.#length));
    this.#buffer.set(from.#buffer.subarray(start, available), start);
    this.#buffer.fill(0, available, stop);
  }

  /** Exclusive-ors one byte; nothing where the file is shorter. */
  flip(offset: number, mask: number): void {
    if (offset >= this.#length) return;
    this.#own(this.#length);
    this.#buffer[offset] = (this.#buffer[offset] as number) ^ mask;
  }

  #own(length: number): void {
    if (!this.#shared && length <= this.#buffer.length) return;
    const grown = length > this.#buffer.length ? Math.max(length, 2 * this.#buffer.length, 256) : this.#buffer.length;
    const buffer = new Uint8Array(grown);
    buffer.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = buffer;
    this.#shared = false;
  }
}
