/** What `errnoError` makes: shaped as Node's own file system errors are. */
export interface ErrnoError extends Error {
  readonly code: string;
  readonly syscall: string;
  readonly path: string;
}

/** A file system failure with an errno name, for disks that are not Node's. Its message names code, operation and path. */
export function errnoError(code: string, syscall: string, path: string, explanation?: string): ErrnoError {
  const detail = explanation === undefined ? '' : `: ${explanation}`;
  return Object.assign(new Error(`${code}: ${syscall} '${path}'${detail}`), { code, syscall, path });
}
