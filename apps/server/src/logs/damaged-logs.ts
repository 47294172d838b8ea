/**
 * Named logs whose files hold less than was acknowledged, or cannot be read (docs/formats/state-machine.md, "log files").
 *
 * One damaged log must not take its group with it: it is refused by itself, and the entries that its files could not
 * take are remembered, so that the command log keeps them for a start with mended files.
 */
import { WalError } from '@shanghai/wal';
import { ServerError } from '../requests/server-error.js';

/** The damaged logs of a node, by the name of their files. */
export class DamagedLogs {
  readonly #logs = new Map<string, { readonly logId: number; readonly error: ServerError; unstoredFrom: number }>();

  /** Why this log is refused, or `undefined`. */
  get(name: string): ServerError | undefined {
    return this.#logs.get(name)?.error;
  }

  /** Refuses a log from now on. Resolves to false where it was refused already. */
  add(name: string, logId: number, error: ServerError): boolean {
    if (this.#logs.has(name)) return false;
    this.#logs.set(name, { logId, error, unstoredFrom: Number.POSITIVE_INFINITY });
    return true;
  }

  /** Notes that the entries of a damaged log from this index of the command log on are in no file. */
  leaveOut(name: string, entryIndex: number): void {
    const log = this.#logs.get(name);
    if (log !== undefined) log.unstoredFrom = Math.min(log.unstoredFrom, entryIndex);
  }

  /** Index of the first entry that no file took, among the logs that `counts`; infinite where there is none. */
  unstoredFrom(counts: (logId: number) => boolean): number {
    let first = Number.POSITIVE_INFINITY;
    for (const { logId, unstoredFrom } of this.#logs.values()) {
      if (counts(logId)) first = Math.min(first, unstoredFrom);
    }
    return first;
  }

  /** Forgets one whose files were given up. */
  forgetOne(name: string): void {
    this.#logs.delete(name);
  }

  /** Forgets a log whose files were removed. */
  forget(goneId: number): void {
    for (const [name, { logId }] of this.#logs) if (logId === goneId) this.#logs.delete(name);
  }
}

/** Whether a failure says that a log's files are damaged, rather than that the disk or this process could not go on. */
export function isDamage(error: unknown): error is ServerError | WalError {
  if (error instanceof ServerError) return error.code === 'DATA_CORRUPTED';
  return error instanceof WalError && (error.code === 'CORRUPT' || error.code === 'UNSUPPORTED_FORMAT');
}

/** Which sequences a log's files should hold, and which they do. */
export interface ShortFiles {
  readonly logId: number;
  readonly directory: string;
  /** The least that must be there; `firstSequence` is beyond `lastSequence` where any beginning will do. */
  readonly expected: { readonly firstSequence: number; readonly lastSequence: number };
  /** `undefined`: there are no files. */
  readonly found: { readonly firstSequence: number; readonly lastSequence: number } | undefined;
}

/** The files do not reach what the state says. */
export function shortFiles({ logId, directory, expected, found }: ShortFiles): ServerError {
  const isBounded = expected.firstSequence <= expected.lastSequence;
  const wanted = `sequences ${isBounded ? `${expected.firstSequence} ` : ''}up to ${expected.lastSequence}`;
  const held = found === undefined ? 'are missing' : `hold sequences ${found.firstSequence} to ${found.lastSequence}`;
  return new ServerError(
    'DATA_CORRUPTED',
    `the files of log ${logId} in '${directory}' ${held}, expected ${wanted}; ${whatToDo}`,
    { details: { logId, directory, expected, found: found ?? null } },
  );
}

/** What reading a log's files says, with the place of the files. */
export function unreadableFiles(logId: number, directory: string, cause: Error): ServerError {
  const message = `the files of log ${logId} in '${directory}' are damaged: ${cause.message}`;
  return new ServerError('DATA_CORRUPTED', message, { cause, details: { logId, directory } });
}

/** What the files hold is not what the command log says was written there. */
export function foreignEntry(logId: number, directory: string, sequence: number, entryIndex: number): ServerError {
  return new ServerError(
    'DATA_CORRUPTED',
    `sequence ${sequence} in '${directory}' (log ${logId}) is not from entry ${entryIndex}; ${whatToDo}`,
    { details: { logId, directory, sequence, entryIndex } },
  );
}

/** The files are another log's, or another cluster's. */
export function foreignFiles(logId: number, directory: string, found: string): ServerError {
  const message = `the files in '${directory}' (log ${logId}) are those of another log (id ${found}); ${whatToDo}`;
  return new ServerError('DATA_CORRUPTED', message, { details: { logId, directory, found } });
}

const whatToDo = 'the log is refused, others go on; restore the data directory from a backup, or delete the log';
