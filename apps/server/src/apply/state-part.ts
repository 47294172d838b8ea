import type { StateStore } from './state-store.js';

/** All records of one part of a state, in key order. For parts that are bounded and fit in memory. */
export async function readStatePart(
  store: StateStore,
  prefix: number,
): Promise<{ readonly key: Uint8Array; readonly value: Uint8Array }[]> {
  const records = [];
  for await (const entry of store.range({ prefix: Uint8Array.of(prefix), horizonMs: 0 })) {
    records.push({ key: entry.key, value: entry.value });
  }
  return records;
}
