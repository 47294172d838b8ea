/**
 * Reading a group's stream back. Two passes: the first finds which records count, the second hands them out.
 *
 * Entries are written in index order, but an append that failed softly (a full disk) may leave a hole with later
 * entries behind it; those were never acknowledged, and the next term begins at the hole. So, in stream order: an entry
 * that follows the last one counts; one at or below it replaces it and all behind it; one that leaves a gap is dropped.
 * A log of one voter has committed everything that counts, for what counts was durable before the next was asked.
 */
import type { Wal } from '@shanghai/wal';
import { type CommittedEntry, commandHeadroomBytes } from './command-log.js';
import { CommandLogError } from './command-log-error.js';
import { decodeRecordHead, entryType, recordKind } from './entry-codec.js';

/** What a group's stream holds. */
export interface RecoveredStream {
  /** Entries up to this index are no longer needed. */
  readonly compactedIndex: number;
  readonly compactedTerm: number;
  /** The highest term seen. */
  readonly term: number;
  /** Index of the first entry in the stream; `lastIndex + 1` where there is none. */
  readonly firstIndex: number;
  readonly lastIndex: number;
  /** LSN of the record that holds an entry, from `firstIndex` on. */
  readonly lsns: readonly number[];
}

/** An entry read back, with its place. */
export interface RecoveredEntry extends CommittedEntry {
  readonly lsn: number;
}

const runEntries = 512;
const runBytes = 4 * 1024 * 1024;

/** Finds which entries of a stream count. Rejects with `CommandLogError`. */
export async function recoverStream(wal: Wal, stream: number): Promise<RecoveredStream> {
  let compactedIndex = 0;
  let compactedTerm = 0;
  let term = 0;
  let firstIndex: number | undefined;
  const lsns: number[] = [];
  for await (const { lsn, kind, payload } of wal.entries({ stream })) {
    const head = decodeRecordHead(payload);
    term = Math.max(term, head.term);
    if (kind === recordKind.compaction) {
      compactedIndex = head.index;
      compactedTerm = head.term;
      // The state was ahead of the log: what is here already is of no use, and the log goes on behind the state.
      if (firstIndex !== undefined && compactedIndex >= firstIndex + lsns.length) {
        firstIndex = compactedIndex + 1;
        lsns.length = 0;
      }
    } else if (kind === recordKind.entry) {
      if (head.type !== entryType.normal && head.type !== entryType.empty) throw unknown('entry type', head.type, lsn);
      // Where the log was cut near a hole, what lay behind the hole comes first and is replaced like any other.
      if (firstIndex === undefined || head.index < firstIndex) firstIndex = head.index;
      if (head.index > firstIndex + lsns.length) continue;
      lsns.length = head.index - firstIndex;
      lsns.push(lsn);
    } else if (kind !== recordKind.hardState) throw unknown('record kind', kind, lsn);
  }
  firstIndex ??= compactedIndex + 1;
  if (firstIndex > compactedIndex + 1) {
    throw corrupt(`the first entry of stream ${stream} is ${firstIndex}, expected at most ${compactedIndex + 1}`);
  }
  const lastIndex = Math.max(compactedIndex, firstIndex + lsns.length - 1);
  return { compactedIndex, compactedTerm, term, firstIndex, lastIndex, lsns };
}

/** The entries that count and are still needed, in runs. */
export async function* recoveredRuns(
  wal: Wal,
  stream: number,
  recovered: RecoveredStream,
): AsyncGenerator<readonly RecoveredEntry[]> {
  const { firstIndex, compactedIndex, lsns } = recovered;
  const from = lsns[compactedIndex + 1 - firstIndex];
  if (from === undefined) return;
  let run: RecoveredEntry[] = [];
  let bytes = 0;
  for await (const { lsn, kind, payload } of wal.entries({ stream, from })) {
    if (kind !== recordKind.entry) continue;
    const { index, term, type } = decodeRecordHead(payload);
    if (lsns[index - firstIndex] !== lsn) continue;
    const command = type === entryType.empty ? undefined : payload.subarray(commandHeadroomBytes);
    run.push({ index, term, command, lsn });
    bytes += payload.length;
    if (run.length < runEntries && bytes < runBytes) continue;
    yield run;
    run = [];
    bytes = 0;
  }
  if (run.length > 0) yield run;
}

function corrupt(message: string): CommandLogError {
  return new CommandLogError('CORRUPT', `${message}; restore the data directory from a backup`);
}

function unknown(what: string, value: number, lsn: number): CommandLogError {
  return new CommandLogError('UNSUPPORTED_FORMAT', `${what} ${value} at LSN ${lsn}: a newer version wrote it`);
}
