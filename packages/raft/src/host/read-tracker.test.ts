import { createSeededRandom } from '@shanghai/env';
import { expect, test } from 'vitest';
import { ReadTracker } from './read-tracker.js';

test('an answer to a question of before a restart answers none of now', async () => {
  const [before, now] = [new ReadTracker(createSeededRandom(1)), new ReadTracker(createSeededRandom(2))];
  void before.queue();
  const old = before.ask(0) as number;
  const read = now.queue();
  const context = now.ask(0) as number;
  now.answered(old, 3);
  expect(now.count).toBe(1);
  now.answered(context, 7);
  expect(await read).toBe(7);
});

test('a read that comes while others are asked for is asked for by itself', async () => {
  const reads = new ReadTracker(createSeededRandom(1));
  const first = reads.queue();
  const asked = reads.ask(0) as number;
  const second = reads.queue();
  const later = reads.ask(0) as number;
  reads.answered(asked, 3);
  expect(await first).toBe(3);
  expect(reads.count).toBe(1);
  reads.answered(later, 5);
  expect(await second).toBe(5);
});

test('reads of one turn share a number, and one that nobody answers ends', async () => {
  const reads = new ReadTracker(createSeededRandom(1));
  const both = [reads.queue(), reads.queue()];
  reads.ask(100);
  expect(reads.ask(100)).toBeUndefined();
  reads.expire(99, 2);
  expect(reads.count).toBe(2);
  reads.expire(100, 2);
  for (const read of both) await expect(read).rejects.toMatchObject({ code: 'NOT_LEADER', leaderId: 2 });
  expect(reads.count).toBe(0);
});

test('reads whose leader has gone are asked for anew, and what the old one still says answers none', async () => {
  const reads = new ReadTracker(createSeededRandom(1));
  const read = reads.queue();
  const before = reads.ask(0) as number;
  const later = reads.queue();
  reads.askAgain();
  reads.answered(before, 3);
  expect(reads.count).toBe(2);
  reads.answered(reads.ask(1) as number, 4);
  expect(await Promise.all([read, later])).toEqual([4, 4]);
  expect(reads.count).toBe(0);
});
