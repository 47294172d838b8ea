import { type DiskFile, readFully, writeFully } from '@shanghai/env';
import { BitcaskError } from './bitcask-error.js';
import type { Segment } from './core/segment.js';
import { tornName } from './core/segment-names.js';
import type { ResolvedBitcaskOptions } from './resolve-bitcask-options.js';
import { findContentEnd, findDurableEnd } from './segment-scan.js';

const copyBytes = 1_048_576;

/** What reading the segment that was being written has shown. */
export interface TailReading {
  /** Where the last whole unit ends. */
  readonly validEnd: number;
  /** What is wrong there; `undefined` where the file ends there. */
  readonly problem: string | undefined;
  /** How much the header tells to have been synced; 0 where it tells nothing. */
  readonly witnessedEnd: number;
}

/**
 * Decides what the bytes behind the last whole unit are, in the segment that was being written: a torn tail, which is
 * copied aside, synced, and cut off; or damage, which is refused. Zeros at the end are the writer's filling and are only
 * cut. The rule stands in docs/formats/bitcask.md, section 3.3.
 */
export async function settleTail(
  options: ResolvedBitcaskOptions,
  file: DiskFile,
  segment: Segment,
  reading: TailReading,
): Promise<void> {
  const { validEnd, problem } = reading;
  const end = segment.bytes;
  const marked = problem === undefined ? 0 : await findDurableEnd(file, segment.seed, validEnd, end);
  const durableEnd = Math.max(marked, reading.witnessedEnd);
  if (durableEnd > validEnd) {
    throw new BitcaskError(
      'CORRUPT',
      `'${file.path}' is damaged at ${validEnd}: ${problem ?? 'it ends there'}, but ${durableEnd} bytes had been synced; restore the file from a replica or a backup`,
      { details: { file: file.path, offset: validEnd, bytes: durableEnd - validEnd } },
    );
  }
  if (problem === undefined) return;
  segment.bytes = validEnd;
  if (options.readOnly) return;
  const copy = `${options.directory}/${tornName(segment.fileId, validEnd)}`;
  const contentEnd = await findContentEnd(file, validEnd, end);
  if (contentEnd > validEnd) await copyRange(options, file, validEnd, contentEnd, copy);
  await file.truncate(validEnd);
  await file.sync();
  if (contentEnd > validEnd)
    options.listener.tornTail?.({ file: file.path, offset: validEnd, bytes: contentEnd - validEnd, copy });
}

/** Copies `[from, end)` of a file into a new one, durably. A leftover of an earlier attempt is written anew. */
async function copyRange(
  options: ResolvedBitcaskOptions,
  file: DiskFile,
  from: number,
  end: number,
  copy: string,
): Promise<void> {
  const { disk, directory } = options;
  if ((await disk.stat(copy)) !== undefined) await disk.remove(copy);
  const target = await disk.open(copy, 'create');
  try {
    const bytes = new Uint8Array(Math.min(copyBytes, end - from));
    for (let at = from; at < end; at += bytes.length) {
      const read = await readFully(file, bytes.subarray(0, Math.min(bytes.length, end - at)), at);
      await writeFully(target, bytes.subarray(0, read), at - from);
    }
    await target.sync();
  } finally {
    await target.close();
  }
  await disk.syncDirectory(directory);
}
