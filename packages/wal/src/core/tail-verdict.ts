/**
 * Torn tail or corruption? The last segment reads well up to `offset`, where a frame is missing or bad.
 *
 * What a crash leaves half written was not synced, so nobody was told it is safe, and it may be cut. Damage to synced
 * bytes must never be cut: that would lose acknowledged records silently. Both look alike at the bad frame itself. The
 * difference is evidence behind it: every frame states how far the segment was known to be synced when it was made. A
 * valid frame whose statement reaches beyond `offset` proves that the bytes there were once on the disk.
 *
 * A valid frame behind that states less proves nothing: frames share a sync, and disks reorder what is not synced.
 * "Cut at the first bad record", which several logs do, loses synced records; "refuse if anything valid follows" turns
 * away logs after ordinary power failures.
 */

/** What was found at and behind the place where the frames end. */
export interface TailEvidence {
  readonly offset: number;
  /** What lies at `offset`. */
  readonly at: 'end' | 'unwritten' | 'bad';
  /** Valid frames behind `offset`: how many, and the highest durable end that one of them states. */
  readonly framesBehind: number;
  readonly highestDurableEnd: number;
  readonly fileBytes: number;
  /** The header's: the file is at least this long until it is sealed. */
  readonly allocatedBytes: number;
}

/** `clean`: the log ends here. `torn`: cut from `offset` on. `corrupt`: refuse. */
export type TailVerdict =
  | { readonly kind: 'clean' }
  | { readonly kind: 'torn' }
  | { readonly kind: 'corrupt'; readonly reason: string };

/** Judges the end of the last segment of a log. */
export function judgeTail(evidence: TailEvidence): TailVerdict {
  const { offset, fileBytes, allocatedBytes, highestDurableEnd } = evidence;
  if (highestDurableEnd > offset) {
    return { kind: 'corrupt', reason: `a later frame proves that bytes up to ${highestDurableEnd} were synced` };
  }
  if (fileBytes < allocatedBytes) {
    return { kind: 'corrupt', reason: `the file has ${fileBytes} bytes of ${allocatedBytes}, something cut it` };
  }
  if (evidence.at === 'bad' || evidence.framesBehind > 0) return { kind: 'torn' };
  return { kind: 'clean' };
}
