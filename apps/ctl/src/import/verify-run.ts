/**
 * Reads back what was imported and compares. Where several records share a key the last one counts: a record that does
 * not match is held until a later record of the same key does. Records that were never acknowledged may be there or
 * not; they can excuse an earlier record of their key, never accuse.
 */
import { type ImportRecord, isRejected, type RejectedRecord } from './import-records.js';

/** How to verify. */
export interface VerifyOptions {
  /** Reads in flight, ≥ 1. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
  /** Whether the record had been acknowledged. */
  readonly acknowledged: (number: number) => boolean;
  readonly onProgress: (endOffset: number, compared: number) => void;
}

/** What was found. */
export interface VerifySummary {
  /** Acknowledged records compared. */
  readonly compared: number;
  /** Acknowledged records whose key is missing or holds something else, by number; at most `maxMismatches`. */
  readonly mismatches: readonly { readonly number: number; readonly key: Uint8Array; readonly found: boolean }[];
}

/** More than this many and the verification ends: the input is not what was imported. */
export const maxMismatches = 10_000;

/** Compares until the input ends, the signal aborts or there are too many mismatches. Fails where a read fails. */
export async function runVerify(
  records: AsyncIterable<ImportRecord | RejectedRecord>,
  read: (key: Uint8Array) => Promise<Uint8Array | undefined>,
  options: VerifyOptions,
): Promise<VerifySummary> {
  const mismatches = new Map<string, VerifySummary['mismatches'][number]>();
  let compared = 0;
  let window: ImportRecord[] = [];
  const compareWindow = async () => {
    const values = await Promise.all(window.map((record) => read(record.key)));
    for (const [index, record] of window.entries()) {
      const name = Buffer.from(record.key).toString('latin1');
      const value = values[index];
      const counts = options.acknowledged(record.number);
      if (counts) compared += 1;
      if (value !== undefined && Buffer.compare(value, record.value) === 0) mismatches.delete(name);
      else if (counts) mismatches.set(name, { number: record.number, key: record.key, found: value !== undefined });
    }
    options.onProgress(window.at(-1)?.endOffset ?? 0, compared);
    window = [];
  };
  for await (const record of records) {
    if (options.signal.aborted || mismatches.size >= maxMismatches) break;
    if (isRejected(record)) continue;
    window.push(record);
    if (window.length >= options.concurrency) await compareWindow();
  }
  if (window.length > 0) await compareWindow();
  return { compared, mismatches: [...mismatches.values()] };
}
