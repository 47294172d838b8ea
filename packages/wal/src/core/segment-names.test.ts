import { expect, test } from 'vitest';
import { aheadName, baseLsnOf, isAheadName, segmentName, tornCopyName } from './segment-names.js';

test('a segment is named by its first LSN in 20 digits, so names sort as LSNs do', () => {
  expect(segmentName(1)).toBe('00000000000000000001.wal');
  expect(baseLsnOf(segmentName(Number.MAX_SAFE_INTEGER))).toBe(Number.MAX_SAFE_INTEGER);
  expect([segmentName(10), segmentName(9)].sort()).toEqual([segmentName(9), segmentName(10)]);
});

test('names of other files are no segments', () => {
  const others = [
    'lock.json',
    '1.wal',
    `${segmentName(5)}.cut`,
    `${segmentName(0)}`,
    tornCopyName(segmentName(5), 4096, 2),
  ];
  for (const name of [...others, '99999999999999999999.wal', aheadName('0123456789abcdef')]) {
    expect(baseLsnOf(name), name).toBeUndefined();
  }
  expect(isAheadName(aheadName('0123456789abcdef'))).toBe(true);
  expect(isAheadName('ahead-1.tmp')).toBe(false);
});
