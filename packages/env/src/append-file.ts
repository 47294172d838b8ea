import type { DiskFile } from './disk.js';

/**
 * A file that only grows, with the two rules every log needs, kept once:
 * short writes are continued, and after a failed write or sync the file is *poisoned*: every later call rejects with
 * that same error, because the state of the bytes on the disk is unknown. The one soft failure is `ENOSPC` before any
 * byte of an append was written: it rejects and leaves the file as it was.
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
