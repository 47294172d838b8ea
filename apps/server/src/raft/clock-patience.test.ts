import { createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { Broadcast } from '../apply/broadcast.js';
import { ClockPatience } from './clock-patience.js';

function setUp(isKnownAtFirst: boolean) {
  const clock = createManualClock();
  const changed = new Broadcast();
  const state = { isKnown: isKnownAtFirst, looks: 0 };
  const passed: string[] = [];
  const isKnown = () => {
    state.looks++;
    return state.isKnown;
  };
  const patience = new ClockPatience({ clock, changed, isKnown });
  const pass = async (name: string) => {
    await patience.untilKnown();
    passed.push(name);
  };
  return { clock, changed, state, patience, passed, pass };
}

test('who finds a clock known waits for nothing', () => {
  expect(setUp(true).patience.untilKnown()).toBeUndefined();
});

test('all wait until it is told that the clock is known, and go on in the order in which they came', async () => {
  const { clock, changed, state, patience, passed, pass } = setUp(false);
  const waiting = [pass('first'), pass('second')];
  await clock.advance(500);
  expect(passed).toEqual([]);
  state.isKnown = true;
  waiting.push(pass('third'));
  changed.notify();
  await Promise.all(waiting);
  expect(passed).toEqual(['first', 'second', 'third']);
  expect(patience.untilKnown()).toBeUndefined();
});

test('nothing is looked at while nothing changes, and what changes otherwise goes on waiting', async () => {
  const { clock, changed, state, passed, pass } = setUp(false);
  const waiting = pass('only');
  const { looks } = state;
  await clock.advance(1_500);
  expect(state.looks).toBe(looks);
  changed.notify();
  await clock.advance(0);
  expect([state.looks, passed]).toEqual([looks + 1, []]);
  await clock.advance(500);
  await waiting;
});

test('log time from elsewhere ends the wait at once', async () => {
  const { patience, state, pass } = setUp(false);
  const waiting = pass('only');
  patience.look();
  state.isKnown = true;
  patience.look();
  await waiting;
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

test('the wait ends with the node, and none begins after it', async () => {
  const { patience, changed, clock, pass } = setUp(false);
  const waiting = pass('only');
  patience.close();
  await expect(waiting).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  await expect(pass('later')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  expect([changed.waiting, clock.pending]).toEqual([0, 0]);
});
