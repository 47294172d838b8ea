import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isIntact } from './frame.js';
import { FrameIndex } from './frame-index.js';
import { ReplacedStreams } from './replaced-streams.js';
import { decodeFooter, encodeFooter, footerOffset, footerTrailerBytes } from './segment-footer.js';
import { replacesFeature } from './segment-header.js';
import { StreamMarks } from './stream-marks.js';

const seed = 41;
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const lsn = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 1 });

test(`a footer reads back what was written, and is found from the end of the file (seed ${seed})`, () => {
  const streams = fc.uniqueArray(fc.tuple(uint32, lsn, lsn, uint32), {
    selector: ([stream]) => stream,
    maxLength: 20,
  });
  const index = fc.array(fc.tuple(lsn, fc.integer({ min: 4096, max: 0xffff_ffff })), { maxLength: 20 });
  const place = fc.integer({ min: 4096, max: 0xffff_fff8 });
  fc.assert(
    fc.property(streams, index, lsn, place, fc.boolean(), (marked, points, lastLsn, offset, replaces) => {
      const marks = new StreamMarks();
      for (const [stream, low, high, bytes] of marked) marks.set(stream, { low, high, bytes });
      const replaced = new ReplacedStreams();
      if (replaces) for (const [stream, low] of marked) replaced.note(stream, low);
      const features = replaces ? replacesFeature : 0;
      const entries = new FrameIndex();
      for (const [first, at] of points) entries.add(first, at);
      const summary = { records: 7, lastLsn, minTimeMs: 1, maxTimeMs: 2, marks, index: entries, replaced };
      const bytes = encodeFooter(summary, { segmentSeed: 5, offset, features }, { wallTimeMs: 3, durableEnd: 4096 });
      const view = new DataView(bytes.buffer);
      expect(isIntact(bytes, view, 0, 5, offset)).toBe(true);
      expect(footerOffset(bytes.subarray(-footerTrailerBytes))).toBe(offset);
      const decoded = decodeFooter(view, 0, features);
      expect(decodeFooter(view, 0, replaces ? 0 : replacesFeature), 'read with other features').toBeUndefined();
      expect(decoded?.replaced.entries()).toEqual(replaced.entries());
      expect(decoded).toMatchObject({ records: 7, lastLsn, minTimeMs: 1, maxTimeMs: 2 });
      expect(decoded?.marks.entries()).toEqual(marks.entries());
      expect(points.map((_, i) => [decoded?.index.lsnAt(i), decoded?.index.offsetAt(i)])).toEqual(points);
    }),
    { seed, numRuns: 100 },
  );
});

test('the index finds the last entry at or before an LSN', () => {
  const index = new FrameIndex();
  index.offer(10, 4096);
  index.offer(20, 4096 + 65_535);
  index.offer(30, 4096 + 65_536);
  expect(index.size).toBe(2);
  expect([9, 10, 29, 30, 99].map((value) => index.find(value))).toEqual([-1, 0, 0, 1, 1]);
});
