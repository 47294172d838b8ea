/**
 * Which streams were replaced, and below which LSN: every record of such a stream with a lower one is as if it had never
 * been there. Empty in most logs, and looked at for each record read, so the highest bound of all is kept beside the map. Bounds are not
 * forgotten with the segments below them: a reader that is still down there is led to what replaced them.
 */
export class ReplacedStreams {
  readonly #bounds = new Map<number, number>();
  #highest = 0;

  /** Number of streams. */
  get size(): number {
    return this.#bounds.size;
  }

  /** No record at or behind this LSN is replaced. */
  get highest(): number {
    return this.#highest;
  }

  /** Notes that records of `stream` below `lsn` are replaced. Bounds never fall. */
  note(stream: number, lsn: number): void {
    if (lsn <= this.below(stream)) return;
    this.#bounds.set(stream, lsn);
    this.#highest = Math.max(this.#highest, lsn);
  }

  /** Takes in what another one knows. */
  noteAll(other: ReplacedStreams): void {
    for (const [stream, lsn] of other.#bounds) this.note(stream, lsn);
  }

  /** Records of `stream` below this LSN are replaced; 0 where none is. */
  below(stream: number): number {
    return this.#bounds.get(stream) ?? 0;
  }

  /** Every bound, by rising stream. */
  entries(): readonly { readonly stream: number; readonly below: number }[] {
    return [...this.#bounds].map(([stream, below]) => ({ stream, below })).sort((a, b) => a.stream - b.stream);
  }
}
