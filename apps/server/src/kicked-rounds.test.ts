import { createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { Broadcast } from './apply/broadcast.js';
import { KickedRounds } from './kicked-rounds.js';

function setUp() {
  const clock = createManualClock();
  const changed = new Broadcast();
  const state: { rounds: number; againMs: number | undefined; during: () => void } = {
    ...{ rounds: 0, againMs: undefined, during: () => undefined },
  };
  const round = async () => {
    state.rounds++;
    state.during();
    return state.againMs;
  };
  return { clock, changed, state, rounds: new KickedRounds({ clock, changes: [changed], round }) };
}

test('a change makes a round, any number of them while one is under way one more, and none before the start', async () => {
  const { clock, changed, state, rounds } = setUp();
  rounds.kick();
  await clock.advance(0);
  expect(state.rounds).toBe(0);
  state.during = () => {
    state.during = () => undefined;
    for (let i = 0; i < 5; i++) rounds.kick();
  };
  rounds.start();
  await clock.advance(0);
  expect(state.rounds).toBe(2);
  changed.notify();
  await clock.advance(0);
  expect(state.rounds).toBe(3);
  rounds.stop();
});

test('a round that asks for another one later gets it once, unless there was one in between; none after the end', async () => {
  const { clock, changed, state, rounds } = setUp();
  state.againMs = 100;
  rounds.start();
  await clock.advance(50);
  changed.notify();
  await clock.advance(60);
  expect(state.rounds).toBe(2);
  state.againMs = undefined;
  await clock.advance(40);
  expect(state.rounds).toBe(3);
  await clock.advance(10_000);
  expect(state.rounds).toBe(3);
  state.againMs = 100;
  changed.notify();
  await clock.advance(0);
  rounds.stop();
  changed.notify();
  await clock.advance(10_000);
  expect([state.rounds, clock.pending, changed.waiting]).toEqual([4, 0, 0]);
});
