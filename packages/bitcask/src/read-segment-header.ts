import { type DiskFile, readFully } from '@shanghai/env';
import { BitcaskError } from './bitcask-error.js';
import { segmentSeedOf } from './core/record.js';
import { decodeSegmentHeader, decodeWitness, type SegmentHeader, segmentHeaderBytes } from './core/segment-header.js';

/** A segment's header and what its witness tells. */
export interface HeaderReading {
  readonly header: SegmentHeader;
  /** Bytes the writer told to have been synced; 0 where it told nothing. */
  readonly witnessedEnd: number;
}

/** Which segment the file must be; `merged` where that is known. */
export interface ExpectedSegment {
  readonly fileId: number;
  readonly segmentId: number;
  readonly merged?: boolean;
}

/** Reads and checks a segment's header. Rejects with `CORRUPT` or `UNSUPPORTED_FORMAT`. */
export async function readSegmentHeader(file: DiskFile, expected: ExpectedSegment): Promise<HeaderReading> {
  const bytes = new Uint8Array(segmentHeaderBytes);
  const decoded = decodeSegmentHeader(bytes.subarray(0, await readFully(file, bytes, 0)));
  const details = { file: file.path, offset: 0, bytes: segmentHeaderBytes };
  if (decoded.kind === 'unsupported') {
    throw new BitcaskError(
      'UNSUPPORTED_FORMAT',
      `'${file.path}' was written by a newer program: ${decoded.what}; open it with that one`,
      { details },
    );
  }
  const what = decoded.kind === 'damaged' ? decoded.what : mismatch(decoded.value, expected);
  if (decoded.kind === 'damaged' || what !== undefined) {
    throw new BitcaskError(
      'CORRUPT',
      `the header of '${file.path}' is damaged: ${what}; restore the file from a replica or a backup`,
      { details },
    );
  }
  return { header: decoded.value, witnessedEnd: decodeWitness(bytes, segmentSeedOf(expected.segmentId)) };
}

function mismatch(header: SegmentHeader, expected: ExpectedSegment): string | undefined {
  const same = header.fileId === expected.fileId && header.segmentId === expected.segmentId;
  const sameKind = expected.merged === undefined || (header.kind === 'merged') === expected.merged;
  return same && sameKind ? undefined : 'it is the header of another segment';
}
