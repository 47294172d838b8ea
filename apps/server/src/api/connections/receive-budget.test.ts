import { expect, test } from 'vitest';
import { ReceiveBudget } from './receive-budget.js';

test('the request that came in first makes place, and then is no longer taken', () => {
  let refused = 0;
  const cut: string[] = [];
  const budget = new ReceiveBudget(1_000, () => refused++);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => budget.open(() => void cut.push(name)));
  expect([a?.add(300), b?.add(300), c?.add(300)]).toEqual([true, true, true]);
  expect(cut).toEqual(['a']);
  expect(a?.add(1)).toBe(false);
  expect(refused).toBe(1);
  for (const share of [a, b, c]) share?.release();
  expect(budget.heldBytes).toBe(0);
});

test('one that is there whole is not cut off; who has no room then is refused', () => {
  const budget = new ReceiveBudget(1_000);
  const first = budget.open(() => expect.fail('it was cut off'));
  first.add(700);
  first.complete();
  expect(budget.open(() => undefined).add(500)).toBe(false);
  first.release();
  first.release();
  expect(budget.open(() => undefined).add(500)).toBe(true);
});

test('small parts cost more than their bytes', () => {
  const budget = new ReceiveBudget(100_000);
  const share = budget.open(() => undefined);
  let parts = 0;
  while (share.add(1)) parts++;
  expect(parts).toBeLessThan(1_000);
});
