import { expect, test } from 'vitest';
import { type AcceptedRun, joinRuns, type StreamRun, splitRun } from '../apply/stream-run.js';
import { encodeStreamEntries } from '../logs/log-file-record.js';
import { RecentRuns } from './recent-runs.js';

const stream = { logId: 1, origin: 2, epoch: 1 };
const record = { key: Buffer.alloc(0), value: Buffer.alloc(20, 'v'), headers: [] };

function run(firstSequence: number, count: number): StreamRun {
  const bytes = encodeStreamEntries(
    Array.from({ length: count }, () => record),
    { ms: firstSequence, counter: 0 },
  );
  return { stream, firstSequence, count, lastHlc: { ms: firstSequence, counter: count - 1 }, bytes };
}

test('what was written last is read whole, together, or in part, wherever it begins', () => {
  const recent = new RecentRuns(1 << 20);
  for (const [first, count] of [
    [1, 2],
    [3, 1],
    [4, 5],
  ] as const)
    recent.add(run(first, count));
  expect(recent.read(stream, 1, 100, 1 << 20)).toMatchObject({
    firstSequence: 1,
    count: 8,
    lastHlc: { ms: 4, counter: 4 },
  });
  expect(recent.read(stream, 2, 100, 1 << 20)).toMatchObject({
    firstSequence: 2,
    count: 1,
    lastHlc: { ms: 1, counter: 1 },
  });
  expect(recent.read(stream, 5, 2, 1 << 20)).toMatchObject({
    firstSequence: 5,
    count: 2,
    lastHlc: { ms: 4, counter: 2 },
  });
  const one = recent.read(stream, 4, 100, 1);
  expect(one).toMatchObject({ count: 1, lastHlc: { ms: 4, counter: 0 } });
  expect(splitRun(one as StreamRun).length).toBe(1);
  expect(recent.read(stream, 9, 100, 1 << 20)).toBeUndefined();
});

test('the oldest are forgotten beyond the bound, and what does not follow takes the place of all', () => {
  const recent = new RecentRuns(run(1, 1).bytes.length * 200);
  for (let i = 1; i <= 1000; i++) recent.add(run(i, 1));
  expect(recent.read(stream, 800, 1000, 1 << 20)).toBeUndefined();
  expect(recent.read(stream, 801, 1000, 1 << 20)).toMatchObject({ firstSequence: 801, count: 200 });
  recent.add(run(2000, 1));
  expect(recent.read(stream, 801, 1000, 1 << 20)).toBeUndefined();
  expect(recent.read(stream, 2000, 1000, 1 << 20)).toMatchObject({ count: 1 });
  recent.forgetLog(1);
  expect(recent.read(stream, 2000, 1000, 1 << 20)).toBeUndefined();
});

test('appends that follow each other in a command are one run, others are not', () => {
  const accepted = (entryIndex: number, first: number, count: number): AcceptedRun => ({
    ...{ entryIndex, run: run(first, count), firstKept: 1, isRecalled: false },
  });
  const joined = joinRuns([accepted(1, 1, 2), accepted(1, 3, 1), accepted(2, 4, 1), accepted(2, 9, 1)]);
  expect(joined.map((one) => [one.run.firstSequence, one.run.count])).toEqual([
    [1, 3],
    [4, 1],
    [9, 1],
  ]);
  expect(splitRun(joined[0]?.run as StreamRun).length).toBe(3);
});
