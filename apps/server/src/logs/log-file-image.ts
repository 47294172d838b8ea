import type { Wal } from '@shanghai/wal';

/** A file as far as it is final: its first `bytes` bytes never change, as long as its log is held. */
export interface LogFileImage {
  readonly path: string;
  /** Without directories. */
  readonly name: string;
  readonly bytes: number;
}

/** The files of a log with the sequences from `firstSequence` on, oldest first; the last one always. */
export function logFileImages(wal: Wal, directory: string, firstSequence: number): LogFileImage[] {
  const segments = wal.pins();
  const needed = segments.filter(({ lastLsn }, i) => lastLsn >= firstSequence || i === segments.length - 1);
  return needed.map(({ segment, finalBytes }) => {
    return { path: `${directory}/${segment}`, name: segment, bytes: finalBytes };
  });
}
