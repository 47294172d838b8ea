import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Inflights } from './inflights.js';
import { freshProgress, Progress } from './progress.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_240_903);
const numRuns = process.env['SHANGHAI_DEEP'] === '1' ? 20_000 : 2000;

const open = (match = 0, next = match + 1, maxMessages = 4) =>
  new Progress({ match, next, inflights: new Inflights(maxMessages, 0), isLearner: false, recentActive: true });

test(`whatever comes, match stays below next and never falls (seed ${seed})`, () => {
  const step = fc.record({
    kind: fc.constantFrom('ack', 'reject', 'sent', 'probe', 'replicate', 'snapshot', 'unreported'),
    index: fc.nat(30),
    hint: fc.nat(30),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const progress = open(0, 11);
      for (const { kind, index, hint } of steps) {
        const { match } = progress;
        if (kind === 'ack') progress.maybeUpdate(index);
        else if (kind === 'reject') progress.maybeDecrease(index, hint);
        else if (kind === 'sent' && !progress.isPaused) progress.sentEntries(index % 4, 1);
        else if (kind === 'probe') progress.becomeProbe();
        else if (kind === 'replicate') progress.becomeReplicate();
        else if (kind === 'snapshot' && index > progress.match) progress.becomeSnapshot(index);
        else if (kind === 'unreported') progress.pendingSnapshot = 0;
        expect(progress.next).toBeGreaterThan(progress.match);
        expect(progress.match).toBeGreaterThanOrEqual(match);
        expect(progress.inflights.count).toBeLessThanOrEqual(4);
        if (progress.state !== 'StateReplicate') expect(progress.inflights.count).toBe(0);
      }
    }),
    { seed, numRuns },
  );
});

describe('an acknowledgement', () => {
  test('moves match and next up, and lets go on what was held back', () => {
    const progress = open(3, 5);
    progress.appendsPaused = true;
    expect(progress.maybeUpdate(4)).toBe(true);
    expect(progress).toMatchObject({ match: 4, next: 5, appendsPaused: false });
    expect(progress.maybeUpdate(9)).toBe(true);
    expect(progress).toMatchObject({ match: 9, next: 10 });
  });

  test('that is no news changes nothing', () => {
    const progress = open(3, 9);
    progress.appendsPaused = true;
    expect([progress.maybeUpdate(3), progress.maybeUpdate(1)]).toEqual([false, false]);
    expect(progress).toMatchObject({ match: 3, next: 9, appendsPaused: true });
  });
});

describe('a rejection', () => {
  test('of the probe goes back to the hint, but never behind match', () => {
    const cases = [
      { match: 0, next: 10, rejected: 9, hint: 5, wanted: 6 },
      { match: 0, next: 10, rejected: 9, hint: 20, wanted: 9 },
      { match: 4, next: 10, rejected: 9, hint: 1, wanted: 5 },
      { match: 0, next: 2, rejected: 1, hint: 0, wanted: 1 },
    ];
    for (const { match, next, rejected, hint, wanted } of cases) {
      const progress = open(match, next);
      progress.appendsPaused = true;
      expect(progress.maybeDecrease(rejected, hint)).toBe(true);
      expect(progress, `${match} ${next} ${rejected} ${hint}`).toMatchObject({ next: wanted, appendsPaused: false });
    }
  });

  test('of something else than the probe is stale', () => {
    const progress = open(0, 10);
    expect(progress.maybeDecrease(5, 2)).toBe(false);
    expect(progress.next).toBe(10);
  });

  test('while sending ahead goes back to what matches, unless that is newer', () => {
    const progress = open(4, 5);
    progress.becomeReplicate();
    progress.sentEntries(3, 1);
    expect(progress.maybeDecrease(4, 0)).toBe(false);
    expect(progress.next).toBe(8);
    expect(progress.maybeDecrease(7, 0)).toBe(true);
    expect(progress.next).toBe(5);
  });
});

describe('what was sent', () => {
  test('is a probe that is waited for, or moves next and fills the window', () => {
    const probe = open(0, 1);
    probe.sentEntries(2, 10);
    expect(probe).toMatchObject({ next: 1, isPaused: true });
    const replica = open(0, 1, 2);
    replica.becomeReplicate();
    replica.sentEntries(2, 10);
    expect(replica).toMatchObject({ next: 3, isPaused: false });
    replica.sentEntries(1, 10);
    expect(replica).toMatchObject({ next: 4, isPaused: true });
    replica.inflights.freeUpTo(2);
    replica.maybeUpdate(2);
    expect(replica.isPaused).toBe(false);
  });

  test('tells a commit index again only where it can have an effect', () => {
    const progress = open(5, 6);
    progress.becomeReplicate();
    progress.sentCommit = 3;
    expect(progress.canRaiseCommit(3)).toBe(false);
    expect(progress.canRaiseCommit(4)).toBe(true);
    progress.sentCommit = 5;
    expect(progress.canRaiseCommit(9)).toBe(false);
  });
});

describe('a snapshot under way', () => {
  test('holds everything back, and probing goes on behind it', () => {
    const progress = open(2, 3);
    progress.becomeSnapshot(20);
    expect(progress).toMatchObject({ isPaused: true, next: 21, pendingSnapshot: 20 });
    progress.becomeProbe();
    expect(progress).toMatchObject({ state: 'StateProbe', next: 21, pendingSnapshot: 0 });
  });

  test('that was lost leaves probing where it was', () => {
    const progress = open(2, 3);
    progress.becomeSnapshot(20);
    progress.pendingSnapshot = 0;
    progress.becomeProbe();
    expect(progress.next).toBe(3);
  });
});

test('match at or above next is no progress', () => {
  expect(() => open(5, 5)).toThrow(/not below/);
  expect(freshProgress(7, { maxMessages: 1, maxBytes: 0 }, true)).toMatchObject({ match: 0, next: 8, isLearner: true });
});
