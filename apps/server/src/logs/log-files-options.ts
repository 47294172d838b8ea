import type { Clock } from '@shanghai/env';
import type { LogDamage, LogTornTail } from './log-damage.js';
import type { LogFileOptions } from './open-log-file.js';

/** What the files are made with. */
export interface LogFilesOptions extends LogFileOptions {
  /** `logs/` of the data directory. */
  readonly directory: string;
  /** Whose logs they are: files of another cluster are refused. */
  readonly clusterId: string;
  readonly clock: Clock;
  /** Files open at once; more only while they are in use. */
  readonly maxOpen: number;
  /** Told once of a log that is refused from now on. */
  readonly onDamaged?: (event: LogDamage) => void;
  /** Told of the end of a log's files that a crash left half written: it was copied aside and cut off. */
  readonly onTornTail?: (event: LogTornTail) => void;
}
