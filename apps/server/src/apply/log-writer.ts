import type { AcceptedAppend } from './log-table.js';
import type { AcceptedRun } from './stream-run.js';

/** Who keeps the entries of named logs: the files of `logs/log-files.ts`, or a twin in memory. */
export interface LogWriter {
  /** Writes accepted entries, in order, skipping those it holds already. Not synced. One call at a time. Damage in one log's files is not a failure of the call: what that log could not take stays in the command log. */
  write(accepted: readonly AcceptedAppend[]): Promise<void>;
  /** Likewise, runs of streams. Not beside a call of `write`. */
  writeRuns(accepted: readonly AcceptedRun[]): Promise<void>;
}
