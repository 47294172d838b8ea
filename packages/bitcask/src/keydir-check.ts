import { type Disk, InvariantError } from '@shanghai/env';
import type { VerifyProblem } from './bitcask.js';
import type { Keydir, KeydirPosition } from './core/keydir.js';
import type { Manifest } from './core/manifest-codec.js';
import type { Segment } from './core/segment.js';
import { keydirName } from './core/segment-names.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import { type LoadedKeydir, readKeydirSnapshot } from './keydir-snapshot-reader.js';

/**
 * Compares the snapshot of the key directory with the segments that it covers, while these are verified one by one:
 * every key in it must be a record, and where a segment has a key the snapshot must have this record or a newer one.
 */
export class KeydirCheck {
  readonly #loaded: LoadedKeydir;
  readonly #file: string;
  readonly #problems: VerifyProblem[];
  #matched = 0;

  private constructor(loaded: LoadedKeydir, file: string, problems: VerifyProblem[]) {
    this.#loaded = loaded;
    this.#file = file;
    this.#problems = problems;
  }

  /** Reads the snapshot; `undefined` where there is none to compare: none at all, an old one, or a damaged one, which is a problem. */
  static async open(
    disk: Disk,
    directory: string,
    manifest: Manifest,
    problems: VerifyProblem[],
  ): Promise<KeydirCheck | undefined> {
    const file = `${directory}/${keydirName}`;
    const reading = await readKeydirSnapshot(disk, directory, manifest);
    if (reading.kind === 'loaded') return new KeydirCheck(reading.value, file, problems);
    if (reading.kind === 'damaged') problems.push({ file, offset: 0, bytes: 0, what: reading.why });
    return undefined;
  }

  /** `newest` as `VerifySubject.onSegment` has it. */
  segment(segment: Segment, newest: Keydir): void {
    const covered = this.#loaded.segments.get(segment.fileId);
    if (covered === undefined) return;
    const record = emptyPosition();
    const known = emptyPosition();
    let liveBytes = 0;
    const cursor = newest.cursor();
    for (let more = cursor.seek(); more; more = cursor.next()) {
      cursor.position(record);
      const isKnown = this.#find(cursor.key(), known);
      if (isKnown === undefined) return;
      if (!isKnown) continue;
      if (known.fileId !== segment.fileId && known.sequence > record.sequence) continue;
      if (record.fileId !== 1 || known.sequence !== record.sequence || known.offset !== record.offset) {
        this.#tell(`it points beside the record that segment ${segment.fileId} has at ${record.offset}`);
        return;
      }
      this.#matched += 1;
      liveBytes += known.recordBytes;
    }
    if (liveBytes !== covered.liveBytes)
      this.#tell(`of segment ${segment.fileId} it counts ${covered.liveBytes} live bytes, not ${liveBytes}`);
  }

  /** To be called at the end; `whole`: every segment was sound and told of. */
  finish(whole: boolean): void {
    const { size } = this.#loaded.keydir;
    if (whole && this.#matched !== size && !this.#problems.some(({ file }) => file === this.#file))
      this.#tell(`it has ${size} keys, of which the segments hold ${this.#matched}`);
  }

  /** `undefined`: its pages do not fit together, whatever their checksums say; that is a problem. */
  #find(key: Uint8Array, position: KeydirPosition): boolean | undefined {
    try {
      return this.#loaded.keydir.get(key, position);
    } catch (error) {
      if (!(error instanceof InvariantError || error instanceof RangeError)) throw error;
      this.#tell(`its pages do not fit together: ${error.message}`);
      return undefined;
    }
  }

  #tell(what: string): void {
    this.#problems.push({ file: this.#file, offset: 0, bytes: 0, what });
  }
}
