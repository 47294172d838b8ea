import type { LevelDatabase } from './level-engine.js';
import { decodeLevelMeta, decodeLevelValue, levelMetaKey } from './level-record.js';
import type { EngineEntry, EngineExport, EngineRangeOptions } from './storage-engine.js';

/** Entries asked for at a time: few at first, for ranges that are left early. */
const firstBatch = 16;
const largestBatch = 256;
/** Bytes that LevelDB gathers for one answer. */
const batchBytes = 1_048_576;

/** What an iteration takes. */
export type LevelRange = EngineRangeOptions & { readonly horizonMs: number };

type Snapshot = ReturnType<LevelDatabase['snapshot']>;

/** Live entries of a range, as they were at the first `next` (or in the snapshot). Fails with LevelDB's errors. */
export async function* iterateLevel(
  db: LevelDatabase,
  range: LevelRange,
  snapshot?: Snapshot,
): AsyncGenerator<EngineEntry, void, undefined> {
  const { limit = Number.POSITIVE_INFINITY, horizonMs, keysOnly = false, signal } = range;
  signal?.throwIfAborted();
  if (limit === 0) return;
  const iterator = db.iterator<Uint8Array, Uint8Array>({
    ...boundsOf(range),
    reverse: range.reverse === true,
    highWaterMarkBytes: batchBytes,
    ...(snapshot === undefined ? {} : { snapshot }),
  });
  try {
    let given = 0;
    for (let size = firstBatch; ; size = Math.min(2 * size, largestBatch)) {
      const found = await iterator.nextv(size);
      if (found.length === 0) return;
      for (const [key, stored] of found) {
        signal?.throwIfAborted();
        const { value, sequence, expiresAtMs } = decodeLevelValue(key, stored);
        if (expiresAtMs !== 0 && expiresAtMs <= horizonMs) continue;
        yield { key, value: keysOnly ? new Uint8Array(0) : value, sequence, expiresAtMs };
        if (++given === limit) return;
      }
    }
  } finally {
    await iterator.close();
  }
}

/** Everything at one sequence, read from one snapshot of LevelDB. The snapshot is given back when the entries end. */
export async function exportLevel(db: LevelDatabase, signal: AbortSignal | undefined): Promise<EngineExport> {
  const snapshot = db.snapshot();
  try {
    const meta = await db.get<Uint8Array, Uint8Array>(levelMetaKey, { snapshot });
    const sequence = meta === undefined ? 0 : decodeLevelMeta(meta).sequence;
    return { sequence, entries: exported(db, snapshot, signal) };
  } catch (error) {
    await snapshot.close();
    throw error;
  }
}

async function* exported(
  db: LevelDatabase,
  snapshot: Snapshot,
  signal: AbortSignal | undefined,
): AsyncGenerator<EngineEntry, void, undefined> {
  try {
    yield* iterateLevel(db, { horizonMs: 0, ...(signal === undefined ? {} : { signal }) }, snapshot);
  } finally {
    await snapshot.close();
  }
}

/** Never the meta record, which lies under the empty key. */
function boundsOf({ start, end, prefix }: EngineRangeOptions): {
  gte?: Uint8Array;
  gt?: Uint8Array;
  lt?: Uint8Array;
} {
  const lows = [start, prefix].filter((key) => key !== undefined && key.length > 0) as Uint8Array[];
  const behind = prefix === undefined ? undefined : prefixEnd(prefix);
  const highs = [end, behind].filter((key) => key !== undefined) as Uint8Array[];
  const low = lows.sort(Buffer.compare).at(-1);
  const high = highs.sort(Buffer.compare)[0];
  return {
    ...(low === undefined ? { gt: levelMetaKey } : { gte: low }),
    ...(high === undefined ? {} : { lt: high }),
  };
}

/** The first key that is above all that begin with `prefix`; `undefined` where there is none. */
function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let length = prefix.length; length > 0; length--) {
    const last = prefix[length - 1] as number;
    if (last === 0xff) continue;
    const end = Uint8Array.from(prefix.subarray(0, length));
    end[length - 1] = last + 1;
    return end;
  }
  return undefined;
}
