import { expect, test } from 'vitest';
import { AnswerBudget } from './answer-budget.js';

const reader = (cut: string[], name: string) => ({ cutOff: () => void cut.push(name) });

test('of readers for whom too much waits, the one that took nothing for longest is cut off', () => {
  const cut: string[] = [];
  const budget = new AnswerBudget(1_000);
  const [a, b, c] = ['a', 'b', 'c'].map((name) => reader(cut, name)) as [
    ReturnType<typeof reader>,
    ReturnType<typeof reader>,
    ReturnType<typeof reader>,
  ];
  budget.add(a, 400);
  budget.add(b, 400);
  budget.taken(a, 100);
  budget.add(c, 300);
  expect(cut).toEqual([]);
  budget.add(c, 100);
  expect(cut).toEqual(['b']);
  budget.taken(b, 400);
  expect(budget.heldBytes).toBe(700);
  for (const one of [a, b, c]) budget.forget(one);
  budget.forget(c);
  expect(budget.heldBytes).toBe(0);
});
