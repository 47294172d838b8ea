import type { Wal } from '@shanghai/wal';
import type { LogPlace } from './log-place.js';

/** The files of a log that are in use, or were lately. */
export interface OpenFile {
  readonly place: LogPlace;
  readonly wal: Promise<Wal>;
  users: number;
  dirty: boolean;
  /** Told when nobody uses it any more, where it is no longer the log's. */
  onIdle?: () => void;
  /** Called once nobody uses it at a moment. */
  onFree?: (() => void) | undefined;
}

/** Syncs them. Where it was taken out of use meanwhile nobody needs it any more. */
export async function flushFile(file: OpenFile): Promise<void> {
  try {
    await (await file.wal).flush();
  } catch (error) {
    if (file.onIdle === undefined) throw error;
  }
}
