import { expect, test } from 'vitest';
import { CompactionMarks } from './compaction-marks.js';

test('a mark keeps nothing of the entry it was made from but its place', () => {
  const marks = new CompactionMarks();
  for (let index = 1; index <= 200; index++) {
    const entry = { index, term: 3, lsn: index * 10, command: new Uint8Array(1_000) };
    marks.add(entry);
  }
  expect(marks.take(70)).toEqual({ index: 65, term: 3, lsn: 650 });
  expect(marks.take(64)).toBeUndefined();
  expect(marks.take(200)).toEqual({ index: 200, term: 3, lsn: 2_000 });
});
