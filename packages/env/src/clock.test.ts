import { expect, test } from 'vitest';
import { delay } from './clock.js';
import { createManualClock } from './testing/manual-clock.js';

test('a delay resolves when its time has passed', async () => {
  const clock = createManualClock();
  let done = false;
  const waiting = delay(clock, 10).then(() => {
    done = true;
  });
  await clock.advance(9);
  expect(done).toBe(false);
  await clock.advance(1);
  await waiting;
});

test('an abort rejects a delay at once, with its reason, and leaves no timer', async () => {
  const clock = createManualClock();
  const controller = new AbortController();
  const waiting = delay(clock, 10, controller.signal);
  const reason = new Error('no longer wanted');
  controller.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  expect(clock.pending).toBe(0);
  await expect(delay(clock, 10, controller.signal)).rejects.toBe(reason);
  expect(clock.pending).toBe(0);
});
