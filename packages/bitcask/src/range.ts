import { copyBytes } from '@shanghai/env';
import type { BitcaskEntry, RangeOptions } from './bitcask.js';
import { BitcaskError } from './bitcask-error.js';
import { compareKeys, prefixEnd } from './core/compare-keys.js';
import { type SnapshotEntry, takeEntries } from './core/snapshot-cursor.js';
import type { Snapshot, SnapshotRange } from './core/snapshots.js';
import type { StoreIndex } from './core/store-index.js';
import { readRecords } from './read-records.js';
import { type ReadRecord, type RecordReader, readValue } from './record-reader.js';

/** Entries taken at a time: few at first, for ranges that are left early, then more. */
const firstBatch = 16;
const largestBatch = 256;
/** Records fetched together are at most this much, or one record. */
const batchBytes = 1_048_576;

/** What a range needs of the store. */
export interface RangeSource {
  readonly index: StoreIndex;
  readonly reader: RecordReader;
  readonly horizonMs: number;
  /** Throws where the store cannot be read any more. */
  assertOpen(): void;
}

/** Iterates over a snapshot. The snapshot is taken at the first `next` and given back at the end, by `return` or by an error. */
export async function* iterateRange(
  source: RangeSource,
  options: RangeOptions,
): AsyncGenerator<BitcaskEntry, void, undefined> {
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const range = boundsOf(options);
  source.assertOpen();
  options.signal?.throwIfAborted();
  if (limit === 0 || isEmpty(range)) return;
  const { snapshots, visibleSequence } = source.index;
  const snapshot = snapshots.open(visibleSequence, range);
  try {
    let given = 0;
    for (let batch = firstBatch; ; batch = Math.min(batch * 2, largestBatch)) {
      const wanted = Math.min(batch, limit - given);
      const entries = take(source, snapshot, wanted);
      for (const part of parts(entries)) {
        const live = await readPart(source, part, options.keysOnly === true);
        for (const entry of live) {
          options.signal?.throwIfAborted();
          yield entry;
          source.assertOpen();
          if (++given === limit) return;
        }
      }
      if (entries.length < wanted) return;
    }
  } finally {
    snapshots.close(snapshot);
  }
}

/** Throws `RangeError` for a limit that is none. */
export function checkRangeOptions(options: RangeOptions): void {
  const { limit } = options;
  if (limit !== undefined && limit !== Number.POSITIVE_INFINITY && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw new RangeError(`limit must be an integer of at least 0, not ${limit}`);
  }
}

function take(source: RangeSource, snapshot: Snapshot, count: number): SnapshotEntry[] {
  source.assertOpen();
  if (snapshot.tooOld) throw tooOld();
  return takeEntries(snapshot, source.index.keydir, count);
}

function tooOld(): BitcaskError {
  return new BitcaskError(
    'SNAPSHOT_TOO_OLD',
    'too much was overwritten while this range was read (snapshotMemoryBytes); go on from the last key with a new range',
  );
}

function* parts(entries: readonly SnapshotEntry[]): Generator<readonly SnapshotEntry[]> {
  let from = 0;
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) {
    bytes += (entries[i] as SnapshotEntry).position.recordBytes;
    if (i > from && bytes > batchBytes) {
      yield entries.slice(from, i);
      from = i;
      bytes = (entries[i] as SnapshotEntry).position.recordBytes;
    }
  }
  if (from < entries.length) yield entries.slice(from);
}

/** The live entries of some positions, values in buffers of their own. */
async function readPart(
  source: RangeSource,
  part: readonly SnapshotEntry[],
  keysOnly: boolean,
): Promise<BitcaskEntry[]> {
  const needed = keysOnly ? part.filter((entry) => entry.position.expires) : part;
  const records =
    needed.length === 0
      ? []
      : await readRecords(
          source.reader,
          needed.map((entry) => entry.position),
        );
  const live: BitcaskEntry[] = [];
  let next = 0;
  for (const entry of part) {
    const { key, position } = entry;
    if (keysOnly && !position.expires) {
      live.push({ key, value: new Uint8Array(0), sequence: position.sequence, expiresAtMs: 0 });
      continue;
    }
    const record = records[next++] as ReadRecord;
    const { expiresAtMs } = record.fields;
    if (expiresAtMs > 0 && expiresAtMs <= source.horizonMs) continue;
    // A value of its own, not a view: the records of a batch share one buffer.
    const value = keysOnly ? new Uint8Array(0) : new Uint8Array(await readValue(source.reader, record, position));
    live.push({ key, value, sequence: position.sequence, expiresAtMs });
  }
  return live;
}

function boundsOf(options: RangeOptions): SnapshotRange {
  let low: Uint8Array | undefined = options.start === undefined ? undefined : copyBytes(options.start);
  let high: Uint8Array | undefined = options.end === undefined ? undefined : copyBytes(options.end);
  if (options.prefix !== undefined && options.prefix.length > 0) {
    const end = prefixEnd(options.prefix);
    if (low === undefined || compareKeys(options.prefix, low) > 0) low = copyBytes(options.prefix);
    if (end !== undefined && (high === undefined || compareKeys(end, high) < 0)) high = end;
  }
  return { low, high, reverse: options.reverse === true };
}

function isEmpty(range: SnapshotRange): boolean {
  return range.low !== undefined && range.high !== undefined && compareKeys(range.low, range.high) >= 0;
}
