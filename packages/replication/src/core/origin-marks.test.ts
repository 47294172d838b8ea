import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareHlc } from './hlc.js';
import { emptyMark, joinMarks, markOf, markWithout, saysMore } from './origin-marks.js';

const seed = 20261122;
const logs = [1, 2, 3, 4];
const hlcs = fc.record({ ms: fc.integer({ min: 0, max: 6 }), counter: fc.integer({ min: 0, max: 2 }) });
const marks = fc
  .tuple(hlcs, fc.uniqueArray(fc.tuple(fc.constantFrom(...logs), hlcs), { selector: ([logId]) => logId }))
  .map(([hlc, behind]) => ({
    origin: 1,
    hlc,
    behind: behind
      .filter(([, log]) => compareHlc(log, hlc) < 0)
      .map(([logId, log]) => ({ logId, hlc: log }))
      .sort((a, b) => a.logId - b.logId),
  }));

test('what two marks say together is, of each log, what the better of them says', () => {
  fc.assert(
    fc.property(marks, marks, (a, b) => {
      const joined = joinMarks(a, b);
      for (const logId of [...logs, 9]) {
        const [x, y] = [markOf(a, logId), markOf(b, logId)];
        expect(markOf(joined, logId)).toEqual(compareHlc(x, y) >= 0 ? x : y);
      }
      expect(joinMarks(b, a)).toEqual(joined);
      expect(saysMore(joined, a) || logs.every((logId) => compareHlc(markOf(b, logId), markOf(a, logId)) <= 0)).toBe(
        true,
      );
    }),
    { seed },
  );
});

test('a mark says nothing of logs that lack something, and of all others what it said', () => {
  fc.assert(
    fc.property(marks, fc.subarray(logs), (mark, lacking) => {
      const sent = markWithout(mark, new Set(lacking));
      for (const logId of [...logs, 9]) {
        expect(markOf(sent, logId)).toEqual(lacking.includes(logId) ? { ms: 0, counter: 0 } : markOf(mark, logId));
      }
      expect(saysMore(mark, sent)).toBe(
        lacking.some((logId) => compareHlc(markOf(mark, logId), { ms: 0, counter: 0 }) > 0),
      );
      expect(saysMore(emptyMark(1), sent)).toBe(false);
    }),
    { seed },
  );
});
