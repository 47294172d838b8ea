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
  if (!codeOf(error)?.startsWith('LEVEL_')) return error;
  // Opening wraps what went wrong, and that may have no code.
  const reason = error.cause instanceof Error ? error.cause : error;
  const code = codeOf(reason) ?? 'LEVEL_IO_ERROR';
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

function codeOf(error: Error): string | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}

/** A file that LevelDB lists and cannot find. */
function isMissing(error: Error): boolean {
  return /missing|no such file|does not exist/i.test(error.message);
}
