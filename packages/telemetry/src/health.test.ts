import { expect, it } from 'vitest';
import { createHealth } from './health.js';

it('is healthy with no checks, and when all hold', () => {
  const health = createHealth();
  expect(health.report()).toEqual({ ok: true, checks: [] });
  health.add({ name: 'disk', failure: () => undefined });
  expect(health.report()).toEqual({ ok: true, checks: [{ name: 'disk', ok: true }] });
});

it('names what failed and why, and asks anew every time', () => {
  const health = createHealth();
  let reason: string | undefined = 'poisoned';
  health.add({ name: 'log', failure: () => reason });
  expect(health.report()).toEqual({ ok: false, checks: [{ name: 'log', ok: false, reason: 'poisoned' }] });
  reason = undefined;
  expect(health.report().ok).toBe(true);
});

it('counts a check that throws as failed', () => {
  const health = createHealth();
  health.add({
    name: 'broken',
    failure: () => {
      throw new Error('no answer');
    },
  });
  expect(health.report().checks[0]).toEqual({ name: 'broken', ok: false, reason: 'no answer' });
});

it('refuses two checks of one name', () => {
  const health = createHealth();
  health.add({ name: 'disk', failure: () => undefined });
  expect(() => health.add({ name: 'disk', failure: () => undefined })).toThrow(RangeError);
});
