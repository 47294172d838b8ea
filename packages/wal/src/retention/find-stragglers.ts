/**
 * Who keeps old segments, and whether writing those streams anew is worth it. Letting go of the oldest k segments takes a
 * rewrite of every stream that needs one of them. More segments free more and cost more, so every k is weighed, and the
 * one that frees most within the allowed share is recommended.
 */
import type { Segment } from '../segment.js';
import type { Straggler, StragglerOptions, StragglerReport } from '../wal.js';
import { type ReleasedMarks, usedBytes } from './retention-policy.js';

const defaultMaxShare = 0.25;
const defaultMaxStreamBytes = 8_388_608;

/** The report for a log's segments, oldest first, the last of which is not looked at. */
export function findStragglers(
  segments: readonly Segment[],
  marks: ReleasedMarks,
  options: StragglerOptions,
): StragglerReport {
  const { maxShare = defaultMaxShare, maxStreamBytes = defaultMaxStreamBytes } = options;
  if (!(maxShare > 0 && maxShare <= 1)) throw new RangeError(`maxShare must be in (0, 1], got ${maxShare}`);
  if (!(maxStreamBytes > 0)) throw new RangeError(`maxStreamBytes must be above 0, got ${maxStreamBytes}`);
  const needs = neededStreams(segments, marks);
  const sealed = segments.slice(0, -1);
  const chosen = new Set<number>();
  let best = { recommended: [] as number[], rewriteBytes: 0, freedBytes: 0, freedSegments: 0 };
  let rewriteBytes = 0;
  let freedBytes = 0;
  for (const [index, segment] of sealed.entries()) {
    for (const stream of needs.perSegment[index] ?? []) {
      if (chosen.has(stream)) continue;
      const bytes = needs.streams.get(stream)?.bytes ?? 0;
      if (bytes > maxStreamBytes) return { streams: needs.list, ...best };
      chosen.add(stream);
      rewriteBytes += bytes;
    }
    freedBytes += usedBytes(segment);
    // A segment that nobody needs goes anyway, at its time.
    if (chosen.size > 0 && rewriteBytes <= maxShare * freedBytes && freedBytes > best.freedBytes) {
      best = { recommended: [...chosen], rewriteBytes, freedBytes, freedSegments: index + 1 };
    }
  }
  return { streams: needs.list, ...best };
}

interface Needs {
  /** Streams that need each sealed segment. */
  readonly perSegment: readonly (readonly number[])[];
  readonly streams: ReadonlyMap<number, Straggler>;
  /** Those that need a sealed segment. */
  readonly list: readonly Straggler[];
}

function neededStreams(segments: readonly Segment[], marks: ReleasedMarks): Needs {
  const streams = new Map<number, { -readonly [Key in keyof Straggler]: Straggler[Key] }>();
  const perSegment = segments.map((segment, index) => {
    const isSealed = index < segments.length - 1;
    const needed = segment.marks.entries().filter(({ stream, high }) => high > marks.releasedBy(stream));
    for (const { stream, bytes } of needed) {
      // A footer of the first version does not tell bytes; the segment's are the most they can be.
      const cost = bytes > 0 ? bytes : usedBytes(segment);
      const known = streams.get(stream);
      if (known === undefined) {
        if (isSealed) streams.set(stream, { stream, oldestSegment: segment.name, segments: 1, bytes: cost });
        continue;
      }
      if (isSealed) known.segments++;
      known.bytes += cost;
    }
    return isSealed ? needed.map(({ stream }) => stream) : [];
  });
  return { perSegment, streams, list: [...streams.values()] };
}
