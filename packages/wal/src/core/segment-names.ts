/** Names of the files in a log's directory (docs/formats/wal.md, section 1). */

const segmentPattern = /^(\d{20})\.wal$/;
const aheadPattern = /^ahead-[0-9a-f]{16}\.tmp$/;

/** The name of the segment that begins with this LSN. Sorting names sorts segments. */
export function segmentName(baseLsn: number): string {
  return `${String(baseLsn).padStart(20, '0')}.wal`;
}

/** The LSN a segment's name states, or `undefined` where the name is not a segment's. */
export function baseLsnOf(name: string): number | undefined {
  const digits = segmentPattern.exec(name)?.[1];
  const lsn = digits === undefined ? Number.NaN : Number(digits);
  return Number.isSafeInteger(lsn) && lsn > 0 ? lsn : undefined;
}

/** The name of a file made ahead for a segment whose first LSN is not known yet. */
export function aheadName(segmentId: string): string {
  return `ahead-${segmentId}.tmp`;
}

/** Whether a name is a made-ahead file's. */
export function isAheadName(name: string): boolean {
  return aheadPattern.test(name);
}

/** The name of the copy of a torn tail. `attempt` counts from 1: an earlier copy is never overwritten. */
export function tornCopyName(segment: string, offset: number, attempt: number): string {
  return `${segment}.torn-${offset}${attempt === 1 ? '' : `-${attempt}`}`;
}
