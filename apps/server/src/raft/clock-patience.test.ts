import { createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { ClockPatience } from './clock-patience.js';

function setUp(isKnownAtFirst: boolean) {
  const clock = createManualClock();
  const state = { isKnown: isKnownAtFirst };
  const passed: string[] = [];
  const patience = new ClockPatience(clock, () => state.isKnown);
  const pass = async (name: string) => {
    await patience.untilKnown();
    passed.push(name);
  };
  return { clock, state, patience, passed, pass };
}

test('who finds a clock known waits for nothing', () => {
  expect(setUp(true).patience.untilKnown()).toBeUndefined();
});

test('all wait until the clock is known, and go on in the order in which they came', async () => {
  const { clock, state, patience, passed, pass } = setUp(false);
  const waiting = [pass('first'), pass('second')];
  await clock.advance(500);
  expect(passed).toEqual([]);
  state.isKnown = true;
  waiting.push(pass('third'));
  await clock.advance(10);
  await Promise.all(waiting);
  expect(passed).toEqual(['first', 'second', 'third']);
  expect(patience.untilKnown()).toBeUndefined();
});

test('where nobody answers for two seconds the own clock has to do', async () => {
  const { clock, passed, pass } = setUp(false);
  const waiting = pass('only');
  await clock.advance(1_900);
  expect(passed).toEqual([]);
  await clock.advance(200);
  await waiting;
  expect(passed).toEqual(['only']);
});
