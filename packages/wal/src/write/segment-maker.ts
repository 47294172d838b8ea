/**
 * Makes segment files ahead of need, in the background.
 *
 * A synced append into blocks that were written before costs the disk nothing but the data; one that grows the file also
 * commits metadata, with a far longer tail. So a file is ready before its segment begins: a released one is used again, else one is
 * filled with zeros, a slice at a time, each slice synced and followed by a pause as long as it took, so that the log's own
 * syncs never queue behind it. A writer that arrives early takes the file as far as it is filled; behind that it grows.
 *
 * Nothing here can damage the log: files have temporary names and their contents mean nothing. Failures are kept to
 * this file, too: the next `take` tries again itself and reports what it meets.
 */
import { type Clock, type Disk, type DiskFile, delay, invariant, type Random, writeFully } from '@shanghai/env';
import { toHex } from '../core/segment-header.js';
import { aheadName } from '../core/segment-names.js';

/** A file for a segment to come, open for writing, synced, still under its temporary name. */
export interface PreparedFile {
  readonly path: string;
  readonly file: DiskFile;
  readonly bytes: number;
  readonly recycled: boolean;
}

/** What a maker works with. `ahead`: files kept ready; 0 = none, and none is filled. */
export interface SegmentMakerOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly directory: string;
  readonly ahead: number;
}

const sliceBytes = 1_048_576;

/** Keeps files ready for the writer. One writer takes them. */
export class SegmentMaker {
  readonly #options: SegmentMakerOptions;
  readonly #ready: PreparedFile[] = [];
  readonly #spares: string[] = [];
  #job: Promise<void> | undefined;
  /** Ends the pauses, and the filling after the slice under way. */
  #hurry = new AbortController();
  #closed = false;

  constructor(options: SegmentMakerOptions) {
    this.#options = options;
  }

  /** Whether another released file would be used again. */
  get wantsSpare(): boolean {
    return !this.#closed && this.#spares.length < this.#options.ahead;
  }

  /** Gives a file whose temporary name is durable and whose bytes nobody needs. */
  addSpare(path: string): void {
    this.#spares.push(path);
  }

  /** Starts making files of `capacityBytes` until enough are ready. Returns at once. */
  keepAhead(capacityBytes: number): void {
    if (this.#closed || this.#job !== undefined || this.#ready.length >= this.#options.ahead) return;
    this.#hurry = new AbortController();
    this.#job = this.#makeReady(capacityBytes).finally(() => {
      this.#job = undefined;
    });
  }

  /** A prepared file: a ready one, or the one being made as far as it is, or a new empty one. */
  async take(): Promise<PreparedFile> {
    if (this.#ready.length === 0 && this.#job !== undefined) {
      this.#hurry.abort();
      await this.#job;
    }
    return this.#ready.shift() ?? (await this.#make(0));
  }

  /** A file filled to `capacityBytes`, made now. */
  async makeWhole(capacityBytes: number): Promise<PreparedFile> {
    this.#hurry = new AbortController();
    return await this.#make(this.#options.ahead > 0 ? capacityBytes : 0);
  }

  /** Takes back a file that was not used. */
  giveBack(prepared: PreparedFile): void {
    this.#ready.unshift(prepared);
  }

  /** Removes a file that cannot be used. Never rejects: it means nothing, and the next opening removes it too. */
  async discard(prepared: Pick<PreparedFile, 'path' | 'file'>): Promise<void> {
    await prepared.file.close().catch(() => undefined);
    await this.#options.disk.remove(prepared.path).catch(() => undefined);
  }

  /** Stops; files made stay on the disk for the next opening. Never rejects. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#hurry.abort();
    await this.#job;
    for (const { file } of this.#ready) await file.close().catch(() => undefined);
    this.#ready.length = 0;
  }

  async #makeReady(capacityBytes: number): Promise<void> {
    try {
      while (this.#ready.length < this.#options.ahead && !this.#hurry.signal.aborted) {
        this.#ready.push(await this.#make(capacityBytes));
      }
    } catch {
      // Not the log's failure: the writer's own attempt reports what it meets.
    }
  }

  async #make(capacityBytes: number): Promise<PreparedFile> {
    const { disk, directory, random } = this.#options;
    const spare = capacityBytes > 0 ? this.#spares.shift() : undefined;
    const path = spare ?? `${directory}/${aheadName(toHex(random.bytes(8)))}`;
    const file = await disk.open(path, spare === undefined ? 'create' : 'write');
    try {
      const bytes = await this.#fill(file, spare === undefined ? 0 : await file.size(), capacityBytes);
      return { path, file, bytes, recycled: spare !== undefined };
    } catch (error) {
      await this.discard({ path, file });
      throw error;
    }
  }

  /** Brings a file of `length` bytes to `capacityBytes`, or as near as there is time for. Returns its length. */
  async #fill(file: DiskFile, length: number, capacityBytes: number): Promise<number> {
    const { clock } = this.#options;
    if (length > capacityBytes) await file.truncate(capacityBytes);
    let filled = Math.min(length, capacityBytes);
    if (filled > 0) await file.sync();
    while (filled < capacityBytes && !this.#hurry.signal.aborted) {
      const startedMs = clock.monotonicMs();
      const slice = Math.min(sliceBytes, capacityBytes - filled);
      await writeFully(file, zeros(slice), filled);
      filled += slice;
      await file.sync();
      if (filled < capacityBytes) await this.#pause(clock.monotonicMs() - startedMs);
    }
    invariant(filled <= capacityBytes, `filled ${filled} of ${capacityBytes} bytes`);
    return filled;
  }

  async #pause(pauseMs: number): Promise<void> {
    await delay(this.#options.clock, pauseMs, this.#hurry.signal).catch(() => undefined);
  }
}

let zeroSlice = new Uint8Array(0);

/** `bytes` zeros, at most a slice; shared, never written to. */
function zeros(bytes: number): Uint8Array {
  if (zeroSlice.length < bytes) zeroSlice = new Uint8Array(bytes);
  return zeroSlice.subarray(0, bytes);
}
