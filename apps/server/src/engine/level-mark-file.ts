import { type Disk, isErrno, readWholeFile, replaceFile } from '@shanghai/env';
import { EngineError } from './engine-error.js';
import type { LevelMark } from './level-log.js';

/** Where an engine on LevelDB notes what its last checkpoint covered; LevelDB leaves names it does not know alone. */
const markName = 'checkpoint.json';
const markVersion = 1;
const maxMarkBytes = 4_096;

/** The mark, or `undefined` where there is none yet. Rejects with `CORRUPT` or `UNSUPPORTED_FORMAT`. */
export async function readLevelMark(disk: Disk, directory: string): Promise<LevelMark | undefined> {
  const path = `${directory}/${markName}`;
  const bytes = await readWholeFile(disk, path, maxMarkBytes).catch((error: unknown) => {
    throw isErrno(error, 'EFBIG') ? damagedMark(path, error) : error;
  });
  if (bytes === undefined) return undefined;
  const { version, sequence, log, logBytes } = parse(path, bytes);
  if (typeof version === 'number' && version > markVersion)
    throw new EngineError('UNSUPPORTED_FORMAT', `'${path}' has version ${version}; use the newer program`);
  if (version === markVersion && isCount(sequence) && typeof log === 'string' && isCount(logBytes))
    return { sequence, log, logBytes };
  throw damagedMark(path);
}

/** Durable when it resolves. */
export function writeLevelMark(disk: Disk, directory: string, mark: LevelMark): Promise<void> {
  const text = `${JSON.stringify({ version: markVersion, ...mark })}\n`;
  return replaceFile(disk, `${directory}/${markName}`, Buffer.from(text));
}

function parse(path: string, bytes: Uint8Array): Partial<Record<string, unknown>> {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) ?? {};
  } catch (error) {
    throw damagedMark(path, error);
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function damagedMark(path: string, cause?: unknown): EngineError {
  return new EngineError('CORRUPT', `'${path}' is damaged; restore the directory from a replica or a backup`, {
    cause,
    details: { file: path },
  });
}
