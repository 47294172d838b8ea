import { describe, expect, test } from 'vitest';
import { delay } from '../clock.js';
import { type ClockSubject, clockContract } from '../testing/clock-contract.js';
import { createManualClock } from '../testing/manual-clock.js';
import { nodeClock } from './node-clock.js';

const forms: Record<string, () => Promise<ClockSubject>> = {
  "the process's clock": async () => {
    const clock = nodeClock();
    return { clock, pass: (ms) => delay(clock, ms) };
  },
  'the manual clock': async () => {
    const clock = createManualClock();
    return { clock, pass: (ms) => clock.advance(ms) };
  },
};

for (const [form, open] of Object.entries(forms)) {
  describe(`the clock contract holds for ${form}`, () => {
    for (const { name, run } of clockContract) test(name, () => run(open));
  });
}

test('a timer keeps the process alive where it is told to, and only there', () => {
  const clock = nodeClock();
  const alive = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = alive();
  const quiet = clock.setTimer(10_000, () => undefined);
  expect(alive()).toBe(before);
  const awaited = clock.setTimer(10_000, () => undefined, { keepsProcess: true });
  expect(alive()).toBe(before + 1);
  awaited.cancel();
  quiet.cancel();
  expect(alive()).toBe(before);
});

test('timers longer than Node can hold do not fire at once', async () => {
  const clock = nodeClock();
  let fired = false;
  const timer = clock.setTimer(2 ** 31 + 10, () => {
    fired = true;
  });
  await delay(clock, 20);
  timer.cancel();
  expect(fired).toBe(false);
});
