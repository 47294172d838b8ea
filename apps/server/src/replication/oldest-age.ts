import type { Hlc } from '@shanghai/replication';

/** How far behind a clock the least of these stamps is. `undefined` where there is none, or one of them is not known. */
export function oldestAgeMs(nowMs: number, stamps: readonly (Hlc | undefined)[]): number | undefined {
  if (stamps.length === 0) return undefined;
  let oldestMs = Number.POSITIVE_INFINITY;
  for (const stamp of stamps) {
    if (stamp === undefined || stamp.ms === 0) return undefined;
    oldestMs = Math.min(oldestMs, stamp.ms);
  }
  return Math.max(0, nowMs - oldestMs);
}
