import type { Wal } from '../../src/index.js';
import { recordPayload } from './record-payload.js';

/** What a workload asked of a log, and what it was told. */
export interface LogHistory {
  /** Sizes of the records submitted; record i has LSN i + 1. */
  readonly sizes: number[];
  /** Batches, as [first LSN, last LSN]. */
  readonly batches: [number, number][];
  /** Highest LSN that was acknowledged as durable. */
  durable: number;
  /** Released for the only stream. */
  released: number;
}

/** A history before the first call. */
export function emptyHistory(): LogHistory {
  return { sizes: [], batches: [], durable: 0, released: 0 };
}

/** Throws unless the log holds a prefix of what was submitted, with all that was acknowledged and no part of a batch. Returns the last LSN. */
export async function checkLog(wal: Wal, history: LogHistory): Promise<number> {
  const { firstLsn, lastLsn } = wal.info();
  ensure(firstLsn <= history.released + 1, `first LSN ${firstLsn}, but only ${history.released} were released`);
  ensure(lastLsn >= history.durable, `last LSN ${lastLsn}, but ${history.durable} was acknowledged`);
  ensure(lastLsn <= history.sizes.length, `last LSN ${lastLsn} of ${history.sizes.length} submitted`);
  for (const [first, last] of history.batches) {
    ensure(lastLsn < first || lastLsn >= last, `batch ${first} to ${last} was torn at ${lastLsn}`);
  }
  let lsn = firstLsn;
  for await (const entry of wal.entries()) {
    ensure(entry.lsn === lsn, `LSN ${entry.lsn} where ${lsn} was due`);
    const expected = recordPayload(lsn, history.sizes[lsn - 1] as number);
    ensure(Buffer.compare(entry.payload, expected) === 0, `record ${lsn} has other bytes than were appended`);
    lsn++;
  }
  ensure(lsn === lastLsn + 1, `entries ended before ${lsn}, the last LSN is ${lastLsn}`);
  return lastLsn;
}

function ensure(condition: boolean, message: string): void {
  if (!condition) throw new Error(message);
}
