/**
 * Marks: how far the entries of an origin are known to be complete, where no entry says so because none was written.
 *
 * A source may only hand a mark on behind all that it covers. So at any moment it sends its own, and names the logs of which
 * something has not gone out yet; the follower keeps, for each of those, the best that it knew of it before.
 */
import { compareHlc, type Hlc, laterHlc, zeroHlc } from './hlc.js';
import type { BehindLog, OriginMark } from './stream-position.js';

/** What is known of an origin of which nothing is known. */
export function emptyMark(origin: number): OriginMark {
  return { origin, hlc: zeroHlc, behind: [] };
}

/** Up to where every entry of the origin in this log is there. */
export function markOf({ hlc, behind }: OriginMark, logId: number): Hlc {
  for (const log of behind) if (log.logId === logId) return log.hlc;
  return hlc;
}

/** What is known where both are: of each log the more. */
export function joinMarks(a: OriginMark, b: OriginMark): OriginMark {
  const hlc = laterHlc(a.hlc, b.hlc);
  const logs = new Set<number>();
  for (const { logId } of a.behind) logs.add(logId);
  for (const { logId } of b.behind) logs.add(logId);
  return withBehind(a.origin, hlc, logs, (logId) => laterHlc(markOf(a, logId), markOf(b, logId)));
}

/** The mark as it is true where these logs lack something that it covers: of them it says nothing. */
export function markWithout(mark: OriginMark, lacking: ReadonlySet<number>): OriginMark {
  if (lacking.size === 0) return mark;
  const logs = new Set(lacking);
  for (const { logId } of mark.behind) logs.add(logId);
  return withBehind(mark.origin, mark.hlc, logs, (logId) => (lacking.has(logId) ? zeroHlc : markOf(mark, logId)));
}

/** Whether `next` says more of some log than `mark`. */
export function saysMore(next: OriginMark, mark: OriginMark): boolean {
  if (compareHlc(next.hlc, mark.hlc) > 0) return true;
  for (const { logId, hlc } of mark.behind) if (compareHlc(markOf(next, logId), hlc) > 0) return true;
  return false;
}

function withBehind(origin: number, hlc: Hlc, logs: Iterable<number>, of: (logId: number) => Hlc): OriginMark {
  const behind: BehindLog[] = [];
  for (const logId of logs) {
    const known = of(logId);
    if (compareHlc(known, hlc) < 0) behind.push({ logId, hlc: known });
  }
  behind.sort((x, y) => x.logId - y.logId);
  return { origin, hlc, behind };
}
