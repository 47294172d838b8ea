import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClockJudge, type ClockReading, endClockOffsetMs, maxClockOffsetMs } from './clock-judge.js';

const seed = 7;
const numRuns = process.env.SHANGHAI_DEEP === '1' ? 50_000 : 1_000;

/** True time is the own monotonic time; each clock is some milliseconds ahead of it. */
function reading(aheadMs: number, askedMs: number, thereMs = 0, backMs = 0): ClockReading {
  return { askedMs, answeredMs: askedMs + thereMs + backMs, wallMs: Math.floor(askedMs + thereMs + aheadMs) };
}

function heard(offsets: readonly number[], atMs = 1_000): { judge: ClockJudge; peers: number[] } {
  const judge = new ClockJudge();
  for (const [i, offsetMs] of offsets.entries()) judge.hear(i + 2, reading(offsetMs, atMs));
  return { judge, peers: offsets.map((_, i) => i + 2) };
}

const base = 1_700_000_000_000;

describe('ClockJudge', () => {
  test('a clock that is an hour ahead of both others is off, and each of them is not', () => {
    const { judge, peers } = heard([base, base + 3]);
    expect(judge.judge(base + 3_600_000 + 2_000, 2_000, peers)).toMatchObject({ isOff: true, peersHeard: 2 });
    const other = heard([base + 3_600_000, base]);
    expect(other.judge.judge(base + 2_000, 2_000, other.peers)).toMatchObject({ isOff: false, offsetMs: 0 });
  });

  test('a jump of the own clock is seen at the next look, without a new answer', () => {
    const { judge, peers } = heard([base, base]);
    expect(judge.judge(base + 2_000, 2_000, peers).isOff).toBe(false);
    expect(judge.judge(base + 2_001 - 20_000, 2_001, peers)).toMatchObject({ isOff: true });
    expect(judge.judge(base + 2_002, 2_002, peers).isOff).toBe(false);
  });

  test('a clock that was off is believed again within the smaller bound only', () => {
    const { judge, peers } = heard([base, base]);
    expect(judge.judge(base + maxClockOffsetMs + 100, 0, peers).isOff).toBe(true);
    expect(judge.judge(base + endClockOffsetMs + 100, 0, peers).isOff).toBe(true);
    expect(judge.judge(base + endClockOffsetMs - 100, 0, peers).isOff).toBe(false);
    expect(judge.judge(base + endClockOffsetMs + 100, 0, peers).isOff).toBe(false);
  });

  test('nothing is judged with too few peers, and a node alone is never off', () => {
    const { judge } = heard([base + 90_000]);
    expect(judge.judge(base, 0, [2, 3, 4, 5])).toMatchObject({ offsetMs: undefined, isOff: false, peersHeard: 1 });
    expect(judge.judge(base, 0, [2, 3])).toMatchObject({ isOff: true });
    expect(judge.judge(base, 0, [])).toEqual({
      offsetMs: undefined,
      isOff: false,
      isKnown: true,
      peersHeard: 0,
      safeLeadMs: undefined,
    });
  });

  test('where to begin from is no clock that is ahead alone, be it the own one or the only one that was heard', () => {
    const hourMs = 3_600_000;
    const one = heard([base + hourMs]);
    expect(one.judge.judge(base, 0, [2, 3])).toMatchObject({ isOff: true, safeLeadMs: base });
    const right = heard([base]);
    expect(right.judge.judge(base + hourMs, 0, [2, 3]).safeLeadMs).toBeCloseTo(base + 0.5);
    const both = heard([base - hourMs, base]);
    expect(both.judge.judge(base + hourMs, 0, both.peers).safeLeadMs).toBeCloseTo(base + 0.5);
    expect(one.judge.judge(base, 0, [2, 3, 4, 5]).safeLeadMs).toBeUndefined();
  });

  test('of two peers that are off in two directions neither makes the clock in the middle a bad one', () => {
    const { judge, peers } = heard([base - 60_000, base + 60_000]);
    expect(judge.judge(base, 0, peers)).toMatchObject({ offsetMs: 0, isOff: false });
  });

  test('a peer whose clock was set counts by its new time, also where that took longer to learn', () => {
    const { judge, peers } = heard([base + 60_000, base + 60_000]);
    expect(judge.judge(base + 2_000, 2_000, peers).isOff).toBe(true);
    for (const nodeId of peers) judge.hear(nodeId, reading(base, 3_000, 100, 800));
    expect(judge.judge(base + 4_000, 4_000, peers).isOff).toBe(false);
  });

  const delay = fc.integer({ min: 0, max: 40_000 });
  const peer = fc.record({ offset: fc.integer({ min: -50_000, max: 50_000 }), there: delay, back: delay });
  const peersOf = fc.array(peer, { minLength: 1, maxLength: 6 });

  test('a clock within the bound of half of its peers is believed, however long answers take', () => {
    const claim = (peers: readonly { offset: number; there: number; back: number }[], own: number) => {
      const isClose = ({ offset }: { offset: number }) => Math.abs(own - offset) <= maxClockOffsetMs;
      fc.pre(peers.filter(isClose).length * 2 >= peers.length);
      const judge = new ClockJudge();
      for (const [i, { offset, there, back }] of peers.entries()) {
        judge.hear(i, reading(base + offset, 1_000 * i, there, back));
      }
      const ids = peers.map((_, i) => i);
      expect(judge.judge(base + own + 90_000, 90_000, ids).isOff).toBe(false);
    };
    fc.assert(fc.property(peersOf, fc.integer({ min: -50_000, max: 50_000 }), claim), { seed, numRuns });
  });

  test('a clock that is apart from most of its peers by the bound and the round is off, and its distance understated', () => {
    const claim = (peers: readonly { offset: number; there: number; back: number }[], own: number) => {
      const isApart = ({ offset, there, back }: { offset: number; there: number; back: number }) =>
        own - offset > maxClockOffsetMs + there + back + 1;
      fc.pre(peers.filter(isApart).length * 2 > peers.length);
      const judge = new ClockJudge();
      for (const [i, { offset, there, back }] of peers.entries()) {
        judge.hear(i, reading(base + offset, 1_000 * i, there, back));
      }
      const verdict = judge.judge(
        base + own + 90_000,
        90_000,
        peers.map((_, i) => i),
      );
      expect(verdict.isOff).toBe(true);
      const farther = peers.filter(({ offset }) => own - offset >= (verdict.offsetMs ?? Number.POSITIVE_INFINITY));
      expect(farther.length * 2).toBeGreaterThan(peers.length);
    };
    const near = fc.record({
      offset: fc.integer({ min: -50_000, max: 10_000 }),
      there: fc.integer({ min: 0, max: 2_000 }),
      back: fc.integer({ min: 0, max: 2_000 }),
    });
    const some = fc.array(near, { minLength: 1, maxLength: 6 });
    fc.assert(fc.property(some, fc.integer({ min: -20_000, max: 90_000 }), claim), { seed, numRuns });
  });
});
