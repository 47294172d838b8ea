import assert from 'node:assert/strict';
import type { Clock } from '../clock.js';
import type { ContractCase } from './contract-case.js';

/** A clock, and how to let at least `ms` pass on it. */
export interface ClockSubject {
  readonly clock: Clock;
  pass(ms: number): Promise<void>;
}

/** What every `Clock` does. */
export const clockContract: readonly ContractCase<ClockSubject>[] = [
  contractCase('wall time is an integer', async ({ clock }) => {
    assert.ok(Number.isSafeInteger(clock.nowMs()));
  }),
  contractCase('monotonic time goes on and never falls', async ({ clock, pass }) => {
    const before = clock.monotonicMs();
    await pass(5);
    assert.ok(clock.monotonicMs() >= before + 5);
  }),
  contractCase('a timer fires once, no earlier than its delay', async ({ clock, pass }) => {
    const due = clock.monotonicMs() + 10;
    const fired: number[] = [];
    clock.setTimer(10, () => fired.push(clock.monotonicMs()));
    await pass(60);
    assert.equal(fired.length, 1);
    assert.ok((fired[0] as number) >= due, `fired at ${fired[0]}, due at ${due}`);
  }),
  contractCase('a timer is never called before setTimer has returned', async ({ clock, pass }) => {
    let returned = false;
    let early = false;
    clock.setTimer(0, () => {
      early = !returned;
    });
    returned = true;
    await pass(30);
    assert.equal(early, false);
  }),
  contractCase('timers fire in the order of their delays', async ({ clock, pass }) => {
    const fired: string[] = [];
    clock.setTimer(40, () => fired.push('late'));
    clock.setTimer(10, () => fired.push('early'));
    await pass(120);
    assert.deepEqual(fired, ['early', 'late']);
  }),
  contractCase('a cancelled timer does not fire; cancelling is idempotent', async ({ clock, pass }) => {
    let fired = 0;
    const cancelled = clock.setTimer(5, () => fired++);
    const kept = clock.setTimer(5, () => fired++);
    cancelled.cancel();
    cancelled.cancel();
    await pass(50);
    kept.cancel();
    assert.equal(fired, 1);
  }),
  contractCase(
    'what is called soon is called once, in order, without time, after `soon` has returned',
    async ({ clock, pass }) => {
      const called: string[] = [];
      clock.soon(() => called.push('first'));
      clock.soon(() => called.push('second'));
      called.push('returned');
      await pass(0);
      assert.deepEqual(called, ['returned', 'first', 'second']);
    },
  ),
  contractCase('a negative delay is refused', async ({ clock }) => {
    assert.throws(() => clock.setTimer(-1, () => undefined), RangeError);
    assert.throws(() => clock.setTimer(Number.NaN, () => undefined), RangeError);
  }),
];

function contractCase(name: string, check: (subject: ClockSubject) => Promise<void>): ContractCase<ClockSubject> {
  return { name, run: async (open) => check(await open()) };
}
