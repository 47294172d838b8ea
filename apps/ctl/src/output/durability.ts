/** Durability in words. */

/**
 * What a store's own setting means to whoever asks whether data is safe. `never` is not that it is lost: the store does
 * not force its files because the node's write-ahead log, replayed at the start, already has every acknowledged write.
 */
export function storeDurabilityText(durability: unknown): string {
  return durability === 'never' ? 'by the write-ahead log' : String(durability ?? '-');
}
