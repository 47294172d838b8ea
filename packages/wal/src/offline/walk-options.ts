/** How far a tool has come. */
export interface WalkProgress {
  /** The segment being read. */
  readonly segment: string;
  /** Bytes of segments read so far, and in all. */
  readonly bytes: number;
  readonly totalBytes: number;
}

/** What every tool that reads a whole log takes. */
export interface WalkOptions {
  /** Its abort ends the reading with its reason as the error. A repair that has begun to change files goes on to its end. */
  readonly signal?: AbortSignal;
  /** Called at the end of each segment, and at least every 16 MiB. Must not throw. */
  readonly onProgress?: (progress: WalkProgress) => void;
}

const reportEveryBytes = 16_777_216;

/** Counts what a walk has read, reports it, and ends it at an abort. */
export class WalkMeter {
  readonly #options: WalkOptions;
  readonly #totalBytes: number;
  /** Bytes of the segments before the one being read. */
  #before = 0;
  #reportedAt = 0;

  constructor(options: WalkOptions, totalBytes: number) {
    this.#options = options;
    this.#totalBytes = totalBytes;
  }

  /** The walk is at `offset` of `segment`. */
  reach(segment: string, offset: number): void {
    this.#options.signal?.throwIfAborted();
    if (this.#before + offset - this.#reportedAt >= reportEveryBytes) this.#report(segment, this.#before + offset);
  }

  /** The walk is through with `segment`, of `segmentBytes`. */
  finish(segment: string, segmentBytes: number): void {
    this.#options.signal?.throwIfAborted();
    this.#before += segmentBytes;
    this.#report(segment, this.#before);
  }

  #report(segment: string, bytes: number): void {
    this.#reportedAt = bytes;
    this.#options.onProgress?.({ segment, bytes, totalBytes: this.#totalBytes });
  }
}
