/**
 * A sparse index of one segment: (first LSN, offset) of about one frame every 64 KiB, so that a read by LSN begins near
 * its goal. 64 MiB of frames cost a thousand entries.
 */
export class FrameIndex {
  readonly #lsns: number[] = [];
  readonly #offsets: number[] = [];

  /** Number of entries. */
  get size(): number {
    return this.#lsns.length;
  }

  /** Offers a frame; it is kept if the last one kept is far enough away. Frames come in rising order. */
  offer(firstLsn: number, offset: number): void {
    const last = this.#offsets.at(-1);
    if (last === undefined || offset - last >= indexSpacingBytes) this.add(firstLsn, offset);
  }

  /** Adds an entry, behind all others. */
  add(firstLsn: number, offset: number): void {
    this.#lsns.push(firstLsn);
    this.#offsets.push(offset);
  }

  lsnAt(position: number): number {
    return this.#lsns[position] as number;
  }

  offsetAt(position: number): number {
    return this.#offsets[position] as number;
  }

  /** Position of the last entry with an LSN at or before `lsn`, or −1. */
  find(lsn: number): number {
    let low = 0;
    let high = this.#lsns.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#lsns[middle] as number) <= lsn) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** Bytes between two entries, at least. */
export const indexSpacingBytes = 65_536;
