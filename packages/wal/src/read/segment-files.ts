/**
 * Open files for reading, one a segment, at most `maxOpen` that nobody uses. A segment that is being read is not
 * recycled: `segment.reads` counts the reads under way, and `onIdle` hears when it falls to zero.
 */
import type { Disk, DiskFile } from '@shanghai/env';
import { readFully } from '@shanghai/env';
import type { LogState } from '../log-state.js';
import type { Segment } from '../segment.js';
import { closedError, ioError, trimmedError } from '../wal-failures.js';
import type { ReadRange } from './frame-cursor.js';

const maxOpen = 16;

/** Lends files to readers. */
export class SegmentFiles {
  readonly #disk: Disk;
  readonly #state: LogState;
  readonly #onIdle: () => void;
  /** In order of last use, the oldest first. */
  readonly #open = new Map<Segment, Promise<DiskFile>>();

  constructor(disk: Disk, state: LogState, onIdle: () => void) {
    this.#disk = disk;
    this.#state = state;
    this.#onIdle = onIdle;
  }

  /** A function that reads from a segment; rejects with `LSN_TRIMMED` once the segment was released. */
  reader(segment: Segment): ReadRange {
    return (buffer, position) => this.#read(segment, buffer, position);
  }

  /** Closes a segment's file. Only while nobody reads. */
  async forget(segment: Segment): Promise<void> {
    const file = this.#open.get(segment);
    this.#open.delete(segment);
    if (file !== undefined) await file.then((open) => open.close()).catch(() => undefined);
  }

  /** Closes all files; waits for reads under way. Never rejects. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((segment) => this.forget(segment)));
  }

  async #read(segment: Segment, buffer: Uint8Array, position: number): Promise<number> {
    if (this.#state.closed) throw closedError();
    if (segment.released) throw trimmedError(segment.header.baseLsn, this.#state.firstLsn);
    segment.reads++;
    try {
      return await readFully(await this.#use(segment), buffer, position);
    } catch (error) {
      throw ioError(`reading segment '${segment.name}'`, error);
    } finally {
      segment.reads--;
      if (segment.reads === 0) this.#onIdle();
    }
  }

  #use(segment: Segment): Promise<DiskFile> {
    const known = this.#open.get(segment);
    this.#open.delete(segment);
    const file = known ?? this.#disk.open(segment.path, 'read');
    this.#open.set(segment, file);
    // A file that could not be opened may be another time.
    if (known === undefined) file.catch(() => this.#open.delete(segment));
    this.#closeUnused();
    return file;
  }

  #closeUnused(): void {
    for (const [segment] of this.#open) {
      if (this.#open.size <= maxOpen) return;
      if (segment.reads === 0) void this.forget(segment);
    }
  }
}
