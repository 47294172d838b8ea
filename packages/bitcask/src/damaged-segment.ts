import { BitcaskError } from './bitcask-error.js';

/** The error for a segment that cannot be read from `offset` on. */
export function damagedSegment(path: string, offset: number, endOffset: number, what: string): BitcaskError {
  return new BitcaskError(
    'CORRUPT',
    `'${path}' is damaged at ${offset}: ${what}; ${endOffset - offset} bytes are in doubt, restore the file from a replica or a backup`,
    { details: { file: path, offset, bytes: endOffset - offset } },
  );
}
