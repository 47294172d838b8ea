import type { TornTail } from '@shanghai/wal';

/** A log whose files cannot be trusted. */
export interface LogDamage {
  readonly logId: number;
  readonly directory: string;
  readonly error: Error;
}

/** A torn end of a log's files that was cut off. */
export interface LogTornTail extends TornTail {
  readonly logId: number;
  readonly directory: string;
}
