import { EngineError, type EngineErrorCode } from './engine-error.js';

const codes: Readonly<Record<string, EngineErrorCode>> = {
  LEVEL_CORRUPTION: 'CORRUPT',
  LEVEL_LOCKED: 'LOCKED',
  LEVEL_DATABASE_NOT_OPEN: 'CLOSED',
  LEVEL_ITERATOR_NOT_OPEN: 'CLOSED',
  LEVEL_SNAPSHOT_NOT_OPEN: 'CLOSED',
};

/** A failure of the library as this engine's own; what is not the library's stays as it is. */
export function levelError(directory: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  // Opening wraps what went wrong.
  const reason = error.cause instanceof Error && 'code' in error.cause ? error.cause : error;
  const code = (reason as { code?: unknown }).code;
  if (typeof code !== 'string' || !code.startsWith('LEVEL_')) return error;
  const details = { directory };
  if (/no space left/i.test(reason.message)) {
    return new EngineError('DISK_FULL', `no space in '${directory}': ${reason.message}; make room and start again`, {
      cause: error,
      details,
    });
  }
  const isDamage = /corrupt/i.test(reason.message) || /checksum/i.test(reason.message);
  const known = codes[code] ?? (isDamage || isMissing(reason) ? 'CORRUPT' : 'IO_ERROR');
  return new EngineError(known, `the level store in '${directory}': ${reason.message}`, { cause: error, details });
}

/** A file that LevelDB lists and cannot find. */
function isMissing(error: Error): boolean {
  return /missing|no such file|does not exist/i.test(error.message);
}
