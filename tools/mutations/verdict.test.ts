import { expect, test } from 'vitest';
import { verdictOf } from './verdict.js';

const run = (...tests: readonly (readonly [string, string?])[]) => ({
  testResults: [
    {
      name: 'x.test.ts',
      status: tests.some(([status]) => status === 'failed') ? 'failed' : 'passed',
      assertionResults: tests.map(([status, message]) => ({
        fullName: 'a claim',
        status,
        failureMessages: message === undefined ? [] : [message],
      })),
    },
  ],
});

test('an assertion that fails, and an error of ours, catch a bug', () => {
  expect(verdictOf(run(['passed'], ['failed', 'AssertionError: expected 1 to be 2'])).kind).toBe('caught');
  expect(verdictOf(run(['failed', 'BitcaskError: the record cannot be read'])).kind).toBe('caught');
});

test('tests that pass let it survive', () => {
  expect(verdictOf(run(['passed'], ['skipped'])).kind).toBe('survived');
});

test('code that does not run, or hangs, has caught nothing', () => {
  for (const message of [
    'TypeError: disk.frobnicate is not a function',
    'ReferenceError: offset is not defined',
    'Error: Test timed out in 60000ms.',
    'Error: STACK_TRACE_ERROR',
  ]) {
    expect(verdictOf(run(['failed', message])).kind, message).toBe('broken');
  }
  expect(verdictOf(run(['failed', 'TypeError: x is not a function'], ['failed', 'AssertionError: no'])).kind).toBe(
    'caught',
  );
});

test('a file that does not load, and a filter that matches nothing, have caught nothing', () => {
  const broken = { name: 'x.test.ts', status: 'failed', message: 'Transform failed', assertionResults: [] };
  expect(verdictOf({ testResults: [broken] })).toEqual({ kind: 'broken', why: 'Transform failed' });
  expect(verdictOf(run(['skipped'])).kind).toBe('broken');
  expect(verdictOf({ testResults: [] }).kind).toBe('broken');
});
