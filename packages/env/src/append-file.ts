import { isErrno } from './coded-error.js';
import type { DiskFile } from './disk.js';
import { invariant } from './invariant.js';

/**
 * A file that only grows, with the two rules every log needs, kept once:
 * short writes are continued, and after a failed write or sync the file is *poisoned*: every later call rejects with
 * that same error, because the state of the bytes on the disk is unknown. The one soft failure is `ENOSPC` in an append:
 * it rejects and leaves the file as it was. A disk usually runs full within a write: a short one, then the error. So
 * what was written of the append is cut off again, and the cut is synced before the append rejects: no crash brings back
 * bytes of it. Where that fails the file is poisoned. (The blocking form cannot cut: there only `ENOSPC` before the
 * first byte is soft.)
 *
 * At most one append and one sync may be pending at a time; a sync covers the appends completed before it began.
 */
export interface AppendFile {
  readonly file: DiskFile;
  /** Position of the next append, in bytes. */
  readonly end: number;
  /** Bytes in [0, durableEnd) were covered by a completed sync. */
  readonly durableEnd: number;
  /** Why the file is poisoned, or `undefined`. */
  readonly failure: Error | undefined;
  /** Writes the whole buffer at `end`; resolves to the position it went to. */
  append(buffer: Uint8Array): Promise<number>;
  appendSync(buffer: Uint8Array): number;
  sync(): Promise<void>;
  syncSync(): void;
  /** Idempotent. Does not sync. */
  close(): Promise<void>;
}

/**
 * An append file over an open file whose first `end` bytes stand; what lies behind is overwritten. `durableEnd` is how
 * many of them the caller knows to be synced. The append file owns `file` from here on and closes it.
 */
export function createAppendFile(file: DiskFile, end: number, durableEnd = 0): AppendFile {
  if (!Number.isSafeInteger(end) || end < 0) throw new RangeError(`end must be a position in the file, got ${end}`);
  if (!(durableEnd >= 0 && durableEnd <= end)) {
    throw new RangeError(`durableEnd must be in [0, end], got ${durableEnd} with end ${end}`);
  }
  return new PoisoningAppendFile(file, end, durableEnd);
}

class PoisoningAppendFile implements AppendFile {
  readonly file: DiskFile;
  #end: number;
  #durableEnd: number;
  #failure: Error | undefined;
  #appending = false;
  #syncing = false;

  constructor(file: DiskFile, end: number, durableEnd: number) {
    this.file = file;
    this.#end = end;
    this.#durableEnd = durableEnd;
  }

  get end(): number {
    return this.#end;
  }

  get durableEnd(): number {
    return this.#durableEnd;
  }

  get failure(): Error | undefined {
    return this.#failure;
  }

  async append(buffer: Uint8Array): Promise<number> {
    this.#beginAppend();
    let written = 0;
    try {
      while (written < buffer.length) {
        const rest = written === 0 ? buffer : buffer.subarray(written);
        const moved = await this.file.write(rest, this.#end + written);
        written += checkMoved(moved, rest.length);
      }
    } catch (error) {
      if (written > 0 && isErrno(error, 'ENOSPC')) await this.#undo();
      else if (written > 0 || !isErrno(error, 'ENOSPC')) this.#poison(error);
      throw this.#failure ?? error;
    } finally {
      this.#appending = false;
    }
    return this.#appended(written);
  }

  appendSync(buffer: Uint8Array): number {
    this.#beginAppend();
    let written = 0;
    try {
      while (written < buffer.length) {
        const rest = written === 0 ? buffer : buffer.subarray(written);
        const moved = this.file.writeSync(rest, this.#end + written);
        written += checkMoved(moved, rest.length);
      }
    } catch (error) {
      throw written === 0 && isErrno(error, 'ENOSPC') ? error : this.#poison(error);
    } finally {
      this.#appending = false;
    }
    return this.#appended(written);
  }

  async sync(): Promise<void> {
    const covered = this.#beginSync();
    try {
      await this.file.sync();
    } catch (error) {
      throw this.#poison(error);
    } finally {
      this.#syncing = false;
    }
    this.#durableEnd = covered;
  }

  syncSync(): void {
    const covered = this.#beginSync();
    try {
      this.file.syncSync();
    } catch (error) {
      throw this.#poison(error);
    } finally {
      this.#syncing = false;
    }
    this.#durableEnd = covered;
  }

  close(): Promise<void> {
    return this.file.close();
  }

  #beginAppend(): void {
    if (this.#failure !== undefined) throw this.#failure;
    invariant(!this.#appending, `two appends at once to '${this.file.path}'`);
    this.#appending = true;
  }

  #appended(written: number): number {
    const position = this.#end;
    this.#end += written;
    return position;
  }

  /** Takes away what lies behind `end`, durably; poisons where it cannot. */
  async #undo(): Promise<void> {
    try {
      await this.file.truncate(this.#end);
      await this.file.sync();
    } catch (error) {
      this.#poison(error);
    }
  }

  #beginSync(): number {
    if (this.#failure !== undefined) throw this.#failure;
    invariant(!this.#syncing, `two syncs at once of '${this.file.path}'`);
    this.#syncing = true;
    return this.#end;
  }

  /** Keeps the first failure: what came after follows from it. */
  #poison(error: unknown): Error {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
    return this.#failure;
  }
}

function checkMoved(moved: number, asked: number): number {
  invariant(moved > 0 && moved <= asked, `write moved ${moved} of ${asked} bytes`);
  return moved;
}
