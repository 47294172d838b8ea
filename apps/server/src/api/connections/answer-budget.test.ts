import { expect, test } from 'vitest';
import { AnswerBudget } from './answer-budget.js';
import { HeldAnswer } from './held-answer.js';

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

test('who asks for room is refused rather than that somebody is cut off who took something just now', () => {
  const cut: string[] = [];
  let nowMs = 0;
  const budget = new AnswerBudget(1_000, undefined, () => nowMs);
  const [a, b] = [reader(cut, 'a'), reader(cut, 'b')];
  budget.add(a, 900);
  nowMs = 4_000;
  expect(budget.tryAdd(b, 200)).toBe(false);
  budget.taken(a, 10);
  nowMs = 8_999;
  expect(budget.tryAdd(b, 200)).toBe(false);
  expect([budget.heldBytes, cut]).toEqual([890, []]);
  nowMs = 9_000;
  expect(budget.tryAdd(b, 200)).toBe(true);
  expect([budget.heldBytes, cut]).toEqual([200, ['a']]);
});

test('an answer that makes place for others is cut off once, grows no more, and holds nothing', () => {
  const budget = new AnswerBudget(100);
  let cuts = 0;
  const first = new HeldAnswer(budget, () => cuts++);
  const second = new HeldAnswer(budget, () => undefined);
  expect(first.tryGrow(80)).toBe(true);
  second.settle(60);
  expect([cuts, budget.heldBytes]).toEqual([1, 60]);
  expect(first.tryGrow(1)).toBe(false);
  first.settle(50);
  second.settle(10);
  expect([cuts, budget.heldBytes]).toEqual([1, 10]);
  second.release();
  expect(budget.heldBytes).toBe(0);
});
