/**
 * The base of every package's error class: a `code` from a closed set of strings that programs may branch on, a
 * message for people (what failed, the values, what to do), the `cause` where there is one, and `details` with the
 * values as data (file, offset, LSN …), JSON-representable.
 */
export abstract class CodedError<Code extends string> extends Error {
  readonly code: Code;
  readonly details: Readonly<Record<string, unknown>>;

  protected constructor(code: Code, message: string, options: CodedErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** What a `CodedError` carries beside its code and message. */
export interface CodedErrorOptions {
  readonly cause?: unknown;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Whether an error is the file system's, with this errno name (`'ENOENT'`, `'ENOSPC'`, …). */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}

/** Whether an error is the file system's, of a real disk or a simulated one, whatever its name. */
export function isFileSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}
