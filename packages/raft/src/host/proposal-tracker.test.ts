import { expect, test } from 'vitest';
import type { Entry } from '../core/entry.js';
import { type Proposal, ProposalTracker } from './proposal-tracker.js';

const entry = (index: number, term: number): Entry => ({ index, term, type: 'EntryNormal', data: Uint8Array.of(1) });

/** A tracker with proposals at `firstIndex` and behind it, and what became of each. */
function proposed(count: number, firstIndex: number, term: number) {
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
  tracker.proposed(tracker.take(Number.POSITIVE_INFINITY), term, firstIndex, times);
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
