import { createManualClock } from '@shanghai/env/testing';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LogClock } from './log-clock.js';

const startMs = 1_700_000_000_000;
const seed = 3;

function logClock(logTimeMs = 0) {
  const clock = createManualClock(startMs);
  const verdict = { isOff: false, isKnown: true, safeLeadMs: undefined as number | undefined };
  return { clock, verdict, log: new LogClock(clock, () => verdict, logTimeMs) };
}

describe('LogClock', () => {
  test('stamps are wall time and never fall', async () => {
    const { clock, log } = logClock();
    expect(log.stamp()).toBe(startMs);
    clock.setWall(startMs - 5_000);
    expect(log.stamp()).toBe(startMs);
    clock.setWall(startMs + 7_000);
    expect(log.stamp()).toBe(startMs + 7_000);
    log.observe(startMs + 8_000);
    expect(log.stamp()).toBe(startMs + 8_000);
  });

  test('with a clock that is off, time goes on from the last stamp as it passes, however often it is asked', async () => {
    const { clock, verdict, log } = logClock();
    log.stamp();
    verdict.isOff = true;
    clock.setWall(startMs + 3_600_000);
    for (let i = 0; i < 1_000; i++) {
      await clock.advance(0.5);
      log.stamp();
    }
    expect(log.stamp()).toBe(startMs + 500);
  });

  test('who takes over with a clock that is off goes on from what it applied last, since it did', async () => {
    const { clock, verdict, log } = logClock();
    clock.setWall(startMs + 3_600_000);
    log.observe(startMs + 20);
    await clock.advance(60_000);
    verdict.isOff = true;
    verdict.safeLeadMs = startMs + 99_000;
    expect(log.stamp()).toBe(startMs + 60_020);
    log.observe(startMs + 60_020);
    await clock.advance(1_000);
    expect(log.stamp()).toBe(startMs + 61_020);
  });

  test('what it was asked for before anything was known of its clock is not taken for log time later', async () => {
    const { clock, verdict, log } = logClock(startMs);
    verdict.isKnown = false;
    clock.setWall(startMs + 3_600_000);
    expect(log.isFounded).toBe(false);
    expect(log.stamp()).toBe(startMs + 3_600_000);
    expect(log.isFounded).toBe(false);
    verdict.isKnown = true;
    verdict.isOff = true;
    verdict.safeLeadMs = startMs + 7;
    expect(log.isFounded).toBe(true);
    expect(log.stamp()).toBe(startMs + 7);
  });

  test('a node that has seen no log time since its start begins with the clock that is safe, and not before what is stored', () => {
    const { verdict, log } = logClock(startMs - 86_400_000);
    verdict.isOff = true;
    verdict.safeLeadMs = startMs + 10;
    expect(log.stamp()).toBe(startMs + 10);
    const other = logClock(startMs + 500);
    other.verdict.isOff = true;
    other.verdict.safeLeadMs = startMs + 10;
    expect(other.log.stamp()).toBe(startMs + 500);
  });

  test('while nobody can be asked, a jump is not believed, and a clock that just goes on is', async () => {
    const { clock, verdict, log } = logClock();
    log.stamp();
    verdict.isKnown = false;
    await clock.advance(3_000);
    clock.setWall(startMs + 12_000);
    expect(log.stamp()).toBe(startMs + 12_000);
    clock.setWall(startMs + 3_600_000);
    await clock.advance(1_000);
    expect(log.stamp()).toBe(startMs + 13_000);
    verdict.isKnown = true;
    expect(log.stamp()).toBe(startMs + 3_601_000);
  });

  test('while a clock is off, nothing it shows moves log time', async () => {
    const jumps = fc.array(fc.tuple(fc.nat(5_000), fc.integer({ min: -1e9, max: 1e9 })), { maxLength: 20 });
    const claim = fc.asyncProperty(jumps, async (steps) => {
      const { clock, verdict, log } = logClock();
      const first = log.stamp();
      verdict.isOff = true;
      let passed = 0;
      for (const [ms, wallMs] of steps) {
        await clock.advance(ms);
        passed += ms;
        clock.setWall(startMs + wallMs);
        expect(log.stamp()).toBe(first + passed);
      }
    });
    await fc.assert(claim, { seed, numRuns: 200 });
  });
});
