import { type DiskFile, isErrno } from '@shanghai/env';
import type { StoredValues, VerifyOptions, VerifyProblem, VerifyReport } from './bitcask.js';
import { BitcaskError } from './bitcask-error.js';
import { createKeydir, type Keydir } from './core/keydir.js';
import { type Codec, codecs, type RecordFields, recordFlags } from './core/record.js';
import type { Segment } from './core/segment.js';
import { segmentHeaderBytes } from './core/segment-header.js';
import { dataName, hintName } from './core/segment-names.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import { HintInvalid, type HintReader, openHint } from './hint-reader.js';
import { readSegmentHeader } from './read-segment-header.js';
import type { ResolvedBitcaskOptions } from './resolve-bitcask-options.js';
import { scanSegment } from './segment-scan.js';

/** What to verify: segments as they were when it began; `isLive` tells whether one has been merged away meanwhile. */
export interface VerifySubject {
  readonly options: Pick<ResolvedBitcaskOptions, 'disk' | 'directory'>;
  readonly segments: readonly Segment[];
  readonly isLive: (segment: Segment) => boolean;
  /** Is told of every sound sealed segment with the newest record of each of its keys: file id 1 = put, 2 = tombstone. */
  readonly onSegment?: (segment: Segment, newest: Keydir) => void;
}

/** Values by codec, to be counted up. */
export type CodecCounts = Record<Codec, { -readonly [Name in keyof StoredValues]: number }>;

/** All zero. */
export function countCodecs(): CodecCounts {
  const zero = () => ({ values: 0, rawBytes: 0, storedBytes: 0 });
  return { none: zero(), lz4: zero(), gzip: zero() };
}

/** What verification adds up. */
interface Findings {
  readonly problems: VerifyProblem[];
  readonly byCodec: CodecCounts;
}

/** Reads every record of every segment, and compares every hint with its segment. Changes nothing. */
export async function verifySegments(subject: VerifySubject, verify: VerifyOptions): Promise<VerifyReport> {
  const bytesTotal = subject.segments.reduce((sum, segment) => sum + segment.bytes, 0);
  const problems: VerifyProblem[] = [];
  const byCodec = countCodecs();
  let records = 0;
  let bytes = 0;
  for (const segment of subject.segments) {
    const before = bytes;
    const onProgress = (offset: number) => verify.onProgress?.(before + offset, bytesTotal);
    try {
      records += await verifySegment(subject, segment, { ...verify, onProgress }, { problems, byCodec });
    } catch (error) {
      if (!isDiskFailure(error)) throw error;
      if (subject.isLive(segment)) {
        const what = isErrno(error, 'ENOENT') ? 'the file is missing' : `it cannot be read: ${error.message}`;
        problems.push({ file: pathOf(subject, segment), offset: 0, bytes: segment.bytes, what });
      }
    }
    bytes += segment.bytes;
    verify.onProgress?.(bytes, bytesTotal);
  }
  return { segments: subject.segments.length, records, bytes, byCodec, problems };
}

async function verifySegment(
  subject: VerifySubject,
  segment: Segment,
  { signal, onProgress }: { readonly signal?: AbortSignal; readonly onProgress: (offset: number) => void },
  { problems, byCodec }: Findings,
): Promise<number> {
  const file = await subject.options.disk.open(pathOf(subject, segment), 'read');
  try {
    const baseSequence = await verifyHeader(file, segment, problems);
    const newest = createKeydir({ chunkBytes: 65_536 });
    const position = emptyPosition();
    const scan = await scanSegment(
      file,
      segment,
      { baseSequence, endOffset: segment.bytes, signal, onProgress },
      (bytes, fields, offset) => {
        position.fileId = (fields.flags & recordFlags.tombstone) !== 0 ? 2 : 1;
        position.offset = offset;
        position.recordBytes = fields.recordBytes;
        position.sequence = fields.sequence;
        if (position.fileId === 1) countValue(byCodec, fields);
        newest.set(bytes.subarray(fields.keyStart, fields.valueStart), position);
      },
    );
    if (scan.problem !== undefined) {
      problems.push({
        file: file.path,
        offset: scan.validEnd,
        bytes: segment.bytes - scan.validEnd,
        what: scan.problem,
      });
    } else if (segment.sealed) {
      subject.onSegment?.(segment, newest);
      await verifyHint(subject, segment, newest, problems);
    }
    return scan.records;
  } finally {
    await file.close();
  }
}

function countValue(byCodec: CodecCounts, fields: RecordFields): void {
  const codec = codecs[(fields.flags & recordFlags.codecMask) >> recordFlags.codecShift];
  if (codec === undefined) return;
  const counts = byCodec[codec];
  counts.values++;
  counts.rawBytes += fields.rawBytes;
  counts.storedBytes += fields.storedBytes;
}

/** Returns the base sequence, the best guess where the header is damaged. */
async function verifyHeader(file: DiskFile, segment: Segment, problems: VerifyProblem[]): Promise<number> {
  try {
    return (await readSegmentHeader(file, segment)).header.baseSequence;
  } catch (error) {
    if (!(error instanceof BitcaskError)) throw error;
    problems.push({ file: file.path, offset: 0, bytes: segmentHeaderBytes, what: error.message });
    return segment.maxSequence === 0 ? 0 : segment.minSequence - 1;
  }
}

/** A hint that is missing is no problem; one that says something else than the segment is. */
async function verifyHint(
  subject: VerifySubject,
  segment: Segment,
  newest: Keydir,
  problems: VerifyProblem[],
): Promise<void> {
  const { disk, directory } = subject.options;
  const path = `${directory}/${hintName(segment.fileId)}`;
  const tell = (what: string) => problems.push({ file: path, offset: 0, bytes: 0, what });
  let hint: HintReader | undefined;
  try {
    hint = await openHint(disk, directory, segment);
  } catch (error) {
    if (!isDiskFailure(error)) throw error;
    tell(`it cannot be read: ${error.message}`);
    return;
  }
  if (hint === undefined) {
    // A merge may have taken segment and hint away while the records were read.
    if (segment.hinted && subject.isLive(segment)) tell('the hint is missing or belongs to another segment');
    return;
  }
  const position = emptyPosition();
  const { entry } = hint;
  let entries = 0;
  try {
    while (await hint.load()) {
      while (hint.advance()) {
        entries++;
        const there = newest.get(hint.key(), position);
        if (
          there &&
          position.offset === entry.offset &&
          position.sequence === entry.sequence &&
          (position.fileId === 2) === entry.tombstone
        )
          continue;
        tell(`an entry points to ${entry.offset}, where the segment has something else`);
        return;
      }
    }
    if (entries !== newest.size) tell(`it has ${entries} keys, the segment ${newest.size}`);
  } catch (error) {
    if (isDiskFailure(error)) tell(`it cannot be read: ${error.message}`);
    else if (error instanceof HintInvalid) tell(error.message);
    else throw error;
  } finally {
    await hint.close();
  }
}

/** Whether the disk itself refused: a finding like any other here, since one bad block must not hide what is behind it. */
function isDiskFailure(error: unknown): error is Error {
  if (!(error instanceof Error) || error instanceof BitcaskError) return false;
  const { syscall } = error as NodeJS.ErrnoException;
  return typeof syscall === 'string';
}

function pathOf(subject: VerifySubject, segment: Segment): string {
  return `${subject.options.directory}/${dataName(segment.fileId)}`;
}
