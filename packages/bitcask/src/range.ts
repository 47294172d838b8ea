import { copyBytes } from '@shanghai/env';
import type { BitcaskRange, RangeOptions } from './bitcask.js';
import { compareKeys, prefixEnd } from './core/compare-keys.js';
import type { SnapshotRange } from './core/snapshots.js';
import { PageIterator } from './page-iterator.js';
import { RangeScan, type RangeSource } from './range-scan.js';
import { RowIterator } from './row-iterator.js';

/** A range to be iterated over, row by row or in pages. `sourceOf` is called when an iteration begins. */
export function rangeOf(sourceOf: () => RangeSource, assertOpen: () => void, options: RangeOptions): BitcaskRange {
  const pages = () => new PageIterator(() => beginScan(sourceOf(), options), options.signal);
  return {
    [Symbol.asyncIterator]: () => new RowIterator(pages(), assertOpen, options.signal),
    pages: () => ({ [Symbol.asyncIterator]: pages }),
  };
}

/** `undefined` where there is nothing to scan. */
function beginScan(source: RangeSource, options: RangeOptions): RangeScan | undefined {
  source.assertOpen();
  const limit = options.limit ?? Number.POSITIVE_INFINITY;
  const range = boundsOf(options);
  if (limit === 0 || isEmpty(range)) return undefined;
  return new RangeScan(source, { range, limit, keysOnly: options.keysOnly === true });
}

/** Throws `RangeError` for a limit that is none. */
export function checkRangeOptions(options: RangeOptions): void {
  const { limit } = options;
  if (limit !== undefined && limit !== Number.POSITIVE_INFINITY && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw new RangeError(`limit must be an integer of at least 0, not ${limit}`);
  }
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
