import { expect, test } from 'vitest';
import {
  inWindow,
  type MergePlan,
  maxMergeInputs,
  planForcedMerge,
  planMerge,
  smallSegmentsWorthMerging,
} from './merge-plan.js';
import { createSegment, type Segment } from './segment.js';

const thresholds = { staleRatio: 0.3, minSegments: 3, segmentBytes: 100_000, deadBytes: 1e9, storeStaleRatio: 1 };
const view = { visibleSequence: 1_000_000, damaged: new Set<number>(), expired: new Map<number, number>() };

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

const idsOf = (plan: MergePlan) => plan.inputs.map((one) => one.fileId);

test('a merge begins when enough segments are dead enough, oldest first', () => {
  const dead = [segment(3, 0.5), segment(1, 0.6), segment(2, 0.9)];
  expect(idsOf(planMerge(dead, thresholds, view))).toEqual([]);
  expect(idsOf(planMerge([...dead, segment(4, 0.1)], thresholds, view))).toEqual([1, 3, 4]);
});

test('the segment being written is never an input', () => {
  const segments = [segment(1, 0.1), segment(2, 0.1), segment(3, 0, { sealed: false })];
  expect(idsOf(planMerge(segments, thresholds, view))).toEqual([]);
  expect(idsOf(planForcedMerge(segments, view))).toEqual([1, 2]);
});

test('tombstones count as dead until a merge has found them needed', () => {
  const segments = [1, 2, 3].map((fileId) => segment(fileId, 0.5, { tombstoneBytes: 45_000 }));
  expect(idsOf(planMerge(segments, thresholds, view))).toEqual([1, 2, 3]);
  expect(
    idsOf(
      planMerge(
        segments.map((one) => ({ ...one, tombstonesNeeded: true })),
        thresholds,
        view,
      ),
    ),
  ).toEqual([]);
});

test('many small segments are joined although nothing in them is dead', () => {
  const small = Array.from({ length: smallSegmentsWorthMerging }, (_, i) =>
    segment(i + 1, 1, { bytes: 1_000, liveBytes: 936 }),
  );
  expect(idsOf(planMerge(small.slice(1), thresholds, view))).toEqual([]);
  expect(planMerge(small, thresholds, view)).toMatchObject({
    reason: 'small',
    inputs: { length: smallSegmentsWorthMerging },
  });
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

test('fewer segments are enough where they hold many dead bytes, or where most of the store is dead', () => {
  const two = [segment(1, 0.2), segment(2, 0.4), segment(3, 0.9)];
  expect(planMerge(two, thresholds, view).reason).toBe('none');
  expect(planMerge(two, { ...thresholds, deadBytes: 126_000 }, view)).toMatchObject({ reason: 'dead-bytes' });
  expect(planMerge(two, { ...thresholds, deadBytes: 126_001 }, view).reason).toBe('none');
  const wholeStore = planMerge(two, { ...thresholds, storeStaleRatio: 0.5 }, view);
  expect([wholeStore.reason, idsOf(wholeStore)]).toEqual(['stale-store', [1, 2]]);
});

test('a segment in which nothing lives goes at once, alone', () => {
  const plan = planMerge([segment(1, 0.5), segment(2, 0), segment(3, 1)], thresholds, view);
  expect([plan.reason, idsOf(plan)]).toEqual(['empty', [2]]);
});

test('a segment with writes that are not visible yet is not looked at: they would count as dead', () => {
  const unsettled = segment(4, 0, { maxSequence: 500 });
  const segments = [segment(1, 0.1), segment(2, 0.1), segment(3, 0.1), unsettled];
  expect(idsOf(planMerge(segments, thresholds, { ...view, visibleSequence: 499 }))).toEqual([1, 2, 3]);
  expect(idsOf(planForcedMerge(segments, { ...view, visibleSequence: 499 }))).toEqual([1, 2, 3]);
  expect(idsOf(planMerge(segments, thresholds, { ...view, visibleSequence: 500 }))).toEqual([1, 2, 3, 4]);
});

test('a damaged segment is left alone, unless every segment is asked for', () => {
  const segments = [1, 2, 3, 4].map((fileId) => segment(fileId, 0.1));
  const damaged = { ...view, damaged: new Set([2]) };
  expect(idsOf(planMerge(segments, thresholds, damaged))).toEqual([1, 3, 4]);
  expect(idsOf(planForcedMerge(segments, damaged))).toEqual([1, 2, 3, 4]);
});

test('the stalest segments go first where not all fit into one merge', () => {
  const segments = Array.from({ length: maxMergeInputs + 10 }, (_, i) => segment(i + 1, 0.6 - i / 200));
  const ids = idsOf(planMerge(segments, thresholds, view));
  expect(ids).toHaveLength(maxMergeInputs);
  expect(ids[0]).toBe(11);
});

test('bytes that have expired count as dead, as far as they are guessed', () => {
  const segments = [segment(1, 0.9), segment(2, 0.9), segment(3, 0.9)];
  expect(planMerge(segments, thresholds, view).reason).toBe('none');
  const expired = new Map([1, 2, 3].map((fileId) => [fileId, 18_000]));
  expect(idsOf(planMerge(segments, thresholds, { ...view, expired }))).toEqual([1, 2, 3]);
  // A guess beyond what lives is no more than that.
  const wild = new Map([[1, 1e9]]);
  expect(planMerge(segments.slice(0, 1), thresholds, { ...view, expired: wild }).reason).toBe('empty');
});
