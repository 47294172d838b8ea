import { expect, test } from 'vitest';
import { inWindow, planForcedMerge, planMerge, smallSegmentsWorthMerging } from './merge-plan.js';
import { createSegment, type Segment } from './segment.js';

const thresholds = { staleRatio: 0.3, minSegments: 3, segmentBytes: 100_000 };

function segment(fileId: number, liveShare: number, more: Partial<Segment> = {}): Segment {
  const made = createSegment({ fileId, segmentId: fileId, seed: 0, kind: 'log' });
  return {
    ...made,
    bytes: 64 + 90_000,
    liveBytes: 90_000 * liveShare,
    sealed: true,
    minSequence: fileId * 100,
    ...more,
  };
}

const idsOf = (segments: readonly Segment[]) => segments.map((one) => one.fileId);

test('a merge begins when enough segments are dead enough, oldest first', () => {
  const dead = [segment(3, 0.5), segment(1, 0.6), segment(2, 0.9)];
  expect(idsOf(planMerge(dead, thresholds))).toEqual([]);
  expect(idsOf(planMerge([...dead, segment(4, 0.1)], thresholds))).toEqual([1, 3, 4]);
});

test('the segment being written is never an input', () => {
  const segments = [segment(1, 0), segment(2, 0), segment(3, 0, { sealed: false })];
  expect(idsOf(planMerge(segments, thresholds))).toEqual([]);
  expect(idsOf(planForcedMerge(segments))).toEqual([1, 2]);
});

test('tombstones count as dead until a merge has found them needed', () => {
  const segments = [1, 2, 3].map((fileId) => segment(fileId, 0.5, { tombstoneBytes: 45_000 }));
  expect(idsOf(planMerge(segments, thresholds))).toEqual([1, 2, 3]);
  expect(
    idsOf(
      planMerge(
        segments.map((one) => ({ ...one, tombstonesNeeded: true })),
        thresholds,
      ),
    ),
  ).toEqual([]);
});

test('many small segments are joined although nothing in them is dead', () => {
  const small = Array.from({ length: smallSegmentsWorthMerging }, (_, i) =>
    segment(i + 1, 1, { bytes: 1_000, liveBytes: 936 }),
  );
  expect(planMerge(small.slice(1), thresholds)).toEqual([]);
  expect(planMerge(small, thresholds)).toHaveLength(smallSegmentsWorthMerging);
});

test('a window holds the hours from its first to before its last, also over midnight', () => {
  const at = (hour: number) => hour * 3_600_000 + 86_400_000 * 20_000;
  expect([1, 2, 3, 4].map((hour) => inWindow(at(hour), { fromHour: 2, toHour: 4 }))).toEqual([
    false,
    true,
    true,
    false,
  ]);
  expect([21, 22, 23, 0, 1].map((hour) => inWindow(at(hour), { fromHour: 22, toHour: 1 }))).toEqual([
    false,
    true,
    true,
    true,
    false,
  ]);
  expect(inWindow(at(5), undefined)).toBe(true);
});
