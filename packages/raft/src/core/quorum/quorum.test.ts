import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isVoter, jointCommitted, jointVote, voterIds } from './joint.js';
import { majorityCommitted, majorityVote, unboundedIndex } from './majority.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_240_901);
const runs = { seed, numRuns: process.env['SHANGHAI_DEEP'] === '1' ? 20_000 : 1000 };

const voters = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 7 }).map((ids) => new Set(ids));
const acks = fc.array(fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }), { minLength: 10, maxLength: 10 });
const votes = fc.array(fc.option(fc.boolean(), { nil: undefined }), { minLength: 10, maxLength: 10 });

/** All sets of more than half, one by one. */
function majorities(ids: ReadonlySet<number>): number[][] {
  const all = [...ids];
  const subsets = Array.from({ length: 2 ** all.length }, (_, bits) => all.filter((_, i) => (bits >> i) & 1));
  return subsets.filter((subset) => subset.length * 2 > all.length);
}

/** The definition: the best that every member of some majority has reached. */
function naiveCommitted(ids: ReadonlySet<number>, acked: readonly (number | undefined)[]): number {
  if (ids.size === 0) return unboundedIndex;
  return Math.max(...majorities(ids).map((some) => Math.min(...some.map((id) => acked[id] ?? 0))));
}

function naiveVote(ids: ReadonlySet<number>, cast: readonly (boolean | undefined)[]) {
  if (ids.size === 0) return 'VoteWon';
  const some = majorities(ids);
  if (some.some((members) => members.every((id) => cast[id] === true))) return 'VoteWon';
  return some.some((members) => members.every((id) => cast[id] !== false)) ? 'VotePending' : 'VoteLost';
}

describe(`against all majorities one by one (seed ${seed})`, () => {
  test('the committed index of a majority is the best that all of some majority have', () => {
    fc.assert(
      fc.property(voters, acks, (ids, acked) => {
        expect(majorityCommitted(ids, (id) => acked[id])).toBe(naiveCommitted(ids, acked));
      }),
      runs,
    );
  });

  test('a vote is won when all of some majority are for it, and lost when every majority has one against it', () => {
    fc.assert(
      fc.property(voters, votes, (ids, cast) => {
        expect(majorityVote(ids, (id) => cast[id])).toBe(naiveVote(ids, cast));
      }),
      runs,
    );
  });

  test('in a joint configuration each decision takes both halves', () => {
    fc.assert(
      fc.property(voters, voters, acks, votes, (incoming, outgoing, acked, cast) => {
        const joint = { incoming, outgoing };
        const committed = Math.min(naiveCommitted(incoming, acked), naiveCommitted(outgoing, acked));
        expect(jointCommitted(joint, (id) => acked[id])).toBe(committed);
        const both = [naiveVote(incoming, cast), naiveVote(outgoing, cast)];
        const wanted = both.includes('VoteLost')
          ? 'VoteLost'
          : both.includes('VotePending')
            ? 'VotePending'
            : 'VoteWon';
        expect(jointVote(joint, (id) => cast[id])).toBe(wanted);
      }),
      runs,
    );
  });

  test('what is won or lost stays so whoever votes next', () => {
    fc.assert(
      fc.property(voters, voters, votes, fc.integer({ min: 1, max: 9 }), fc.boolean(), (a, b, cast, id, vote) => {
        const joint = { incoming: a, outgoing: b };
        const before = jointVote(joint, (one) => cast[one]);
        const after = jointVote(joint, (one) => cast[one] ?? (one === id ? vote : undefined));
        if (before !== 'VotePending') expect(after).toBe(before);
      }),
      runs,
    );
  });
});

test('voters are those of both halves, once each and ascending', () => {
  const joint = { incoming: new Set([3, 1]), outgoing: new Set([2, 3]) };
  expect(voterIds(joint)).toEqual([1, 2, 3]);
  expect([1, 2, 3, 4].filter((id) => isVoter(joint, id))).toEqual([1, 2, 3]);
});
