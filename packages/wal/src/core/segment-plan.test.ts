import { expect, test } from 'vitest';
import { capacityForFrame, fitsSegment, nextCapacityBytes } from './segment-plan.js';

test('segments double from the first size to the limit', () => {
  const sizes = { firstSegmentBytes: 1000, segmentBytes: 5000 };
  const capacities: number[] = [];
  for (let previous: number | undefined; capacities.length < 5; previous = capacities.at(-1)) {
    capacities.push(nextCapacityBytes(sizes, previous));
  }
  expect(capacities).toEqual([1000, 2000, 4000, 5000, 5000]);
});

test('after a segment made for one long frame sizes return to the limit', () => {
  expect(nextCapacityBytes({ firstSegmentBytes: 1000, segmentBytes: 5000 }, 90_000)).toBe(5000);
  expect(capacityForFrame(5000, 90_000)).toBe(94_096);
});

test('an empty segment takes any frame, another one only what fits', () => {
  expect(fitsSegment(5000, 4096, 90_000)).toBe(true);
  expect(fitsSegment(5000, 4136, 864)).toBe(true);
  expect(fitsSegment(5000, 4136, 872)).toBe(false);
});
