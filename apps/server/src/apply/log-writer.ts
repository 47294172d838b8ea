import type { AcceptedAppend } from './log-table.js';

/** Who keeps the entries of named logs: the files of `logs/log-files.ts`, or a twin in memory. */
export interface LogWriter {
  /** Writes accepted entries, in order, skipping those it holds already. Not synced. One call at a time. */
  write(accepted: readonly AcceptedAppend[]): Promise<void>;
}
