import { expect, test } from 'vitest';
import type { Entry } from '../core/entry.js';
import { type CommandJoiner, placesOf } from './command-joiner.js';
import { type Proposal, ProposalTracker } from './proposal-tracker.js';

const entry = (index: number, term: number): Entry => ({ index, term, type: 'EntryNormal', data: Uint8Array.of(1) });

/** Joins commands of two and more in pairs at most; what it splits are lists. */
const pairs: CommandJoiner<unknown> = {
  maxBytes: 2,
  isUnderstood: () => true,
  mayJoin: (command) => command[0] !== 0,
  join: (commands) => Buffer.concat(commands),
  split: (result) => result as unknown[],
};

/** A tracker with proposals at `firstIndex` and behind it, and what became of each. */
function proposed(count: number, firstIndex: number, term: number, joiner?: CommandJoiner<unknown>) {
  const tracker = new ProposalTracker();
  const ends: unknown[] = Array.from({ length: count });
  for (let i = 0; i < count; i++) {
    const proposal: Proposal = {
      data: Uint8Array.of(i),
      isChange: false,
      resolve: (result) => {
        ends[i] = result;
      },
      reject: (error) => {
        ends[i] = (error as Error & { code: string }).code;
      },
    };
    tracker.queue(proposal, 0);
  }
  const times = { calledMs: 0, handedMs: 0, durableMs: 0, committedMs: 0 };
  tracker.proposed(placesOf(tracker.take(Number.POSITIVE_INFINITY), joiner), term, firstIndex, times);
  return { tracker, ends };
}

test('of commands that a snapshot went past nobody knows; those behind it are answered', () => {
  const { tracker, ends } = proposed(3, 5, 2);
  tracker.applied([entry(7, 2)], ['seven']);
  expect(ends).toEqual(['UNKNOWN', 'UNKNOWN', 'seven']);
  expect([tracker.count, tracker.bytes]).toEqual([0, 0]);
});

test('each command gets the result of its own entry, over several runs', () => {
  const { tracker, ends } = proposed(3, 5, 2);
  tracker.applied([entry(4, 2), entry(5, 2)], ['four', 'five']);
  expect(ends).toEqual(['five', undefined, undefined]);
  tracker.applied([entry(6, 2), entry(7, 2)], ['six', 'seven']);
  expect(ends).toEqual(['five', 'six', 'seven']);
});

test('an entry of another term at the place of a command is another command, whoever leads now', () => {
  for (const isLost of [false, true]) {
    const { tracker, ends } = proposed(2, 5, 2);
    if (isLost) tracker.lost(0);
    tracker.applied([entry(5, 2), entry(6, 3)], ['five', 'another']);
    expect(ends).toEqual(['five', 'SUPERSEDED']);
  }
});

test('of what a log has lost only that is refused which is not there any more', () => {
  const { tracker, ends } = proposed(3, 5, 2);
  tracker.dropped((index) => ({ 5: 2, 6: 1 })[index], Object.assign(new Error('full'), { code: 'FULL' }));
  expect(ends).toEqual([undefined, 'FULL', 'FULL']);
  tracker.applied([entry(5, 2)], ['five']);
  expect(ends).toEqual(['five', 'FULL', 'FULL']);
});

test('commands that became one entry share its fate, and each gets its own result', () => {
  // 0 | 1 2 | 3 4
  const applied = proposed(5, 5, 2, pairs);
  applied.tracker.applied([entry(5, 2), entry(6, 2)], ['zero', ['one', 'two']]);
  expect(applied.ends).toEqual(['zero', 'one', 'two', undefined, undefined]);
  expect([applied.tracker.count, applied.tracker.bytes]).toEqual([2, 2]);
  applied.tracker.applied([entry(7, 3)], ['another']);
  expect(applied.ends.slice(3)).toEqual(['SUPERSEDED', 'SUPERSEDED']);
  expect([applied.tracker.count, applied.tracker.bytes]).toEqual([0, 0]);

  const dropped = proposed(5, 5, 2, pairs);
  dropped.tracker.dropped((index) => (index <= 6 ? 2 : undefined), Object.assign(new Error(), { code: 'FULL' }));
  expect(dropped.ends).toEqual([undefined, undefined, undefined, 'FULL', 'FULL']);
  dropped.tracker.end({ termAt: () => 2, commitIndex: 6, leaderId: 0 }, new Error());
  expect(dropped.ends).toEqual(['UNKNOWN', 'UNKNOWN', 'UNKNOWN', 'FULL', 'FULL']);
  expect([dropped.tracker.count, dropped.tracker.bytes]).toEqual([0, 0]);
});

test('commands stay apart where not all members understand joined entries, and keep their order', () => {
  const apart = proposed(3, 5, 2, { ...pairs, isUnderstood: () => false });
  apart.tracker.applied([entry(5, 2), entry(6, 2), entry(7, 2)], ['zero', 'one', 'two']);
  expect(apart.ends).toEqual(['zero', 'one', 'two']);
});
