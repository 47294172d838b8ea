/** What must hold of a keyspace of mode multi-master in the end, of the writes that are known. */
import { Violation } from '../../simulator/raft/truth.js';

/** One write, as who made it knows it. `value` absent: it deletes. */
export interface KeyWrite {
  readonly key: string;
  readonly value: string | undefined;
  readonly nodeId: number;
  outcome: 'acknowledged' | 'refused' | 'unknown';
}

/** A pair as a node shows it. */
export interface ShownPair {
  readonly key: string;
  readonly value: string;
  readonly revision: number;
}

/** Of a key that one writer wrote, one write after the other, at one node. */
export function isOwnKey(key: string): boolean {
  return key.startsWith('own/');
}

/**
 * Throws a `Violation` where a key shows what nobody wrote, or what was refused; and where a key that one writer alone wrote
 * shows something else than its last write, or one whose outcome is not known. `lostNodes`: nodes whose disks are gone.
 */
export function checkKeys(
  writes: readonly KeyWrite[],
  pairs: readonly ShownPair[],
  lostNodes: ReadonlySet<number> = new Set(),
): void {
  const shown = new Map(pairs.map(({ key, value }) => [key, value]));
  const byKey = new Map<string, KeyWrite[]>();
  for (const write of writes) byKey.set(write.key, [...(byKey.get(write.key) ?? []), write]);
  for (const { key } of pairs) if (!byKey.has(key)) throw new Violation(`keys: nobody wrote ${key}`);
  for (const [key, ofKey] of byKey) {
    const may = ofKey.filter(({ outcome }) => outcome !== 'refused');
    const last = may.findLastIndex(({ outcome }) => outcome === 'acknowledged');
    const isStrict = isOwnKey(key) && !lostNodes.has(ofKey[0]?.nodeId ?? 0);
    const allowed = isStrict ? may.filter(({ outcome }, i) => i === last || outcome === 'unknown') : may;
    const value = shown.get(key);
    const isNothing = value === undefined && (last < 0 || !isStrict) && !(last >= 0 && isCertain(may));
    if (isNothing || allowed.some((write) => write.value === value)) continue;
    throw new Violation(`keys: ${key} shows ${value}; of its writes these may be last: ${JSON.stringify(allowed)}`);
  }
}

/** Whether something must be shown: nothing may have deleted the key, and of what was acknowledged something stays. */
function isCertain(writes: readonly KeyWrite[]): boolean {
  return writes.every(({ value }) => value !== undefined);
}
