import { expect, it } from 'vitest';
import { RequestRates } from './request-rates.js';

function ratesAt(start: number) {
  const clock = { nowMs: start };
  return { clock, rates: new RequestRates(() => clock.nowMs) };
}

it('is empty before the first request', () => {
  expect(ratesAt(0).rates.summary()).toEqual({ operationsPerSecond: 0, p50Ms: 0, p99Ms: 0 });
});

it('divides by the time since the beginning while that is below ten seconds', () => {
  const { clock, rates } = ratesAt(5_000);
  for (let request = 0; request < 40; request++) rates.add(6_000, 1);
  clock.nowMs = 9_000;
  expect(rates.summary().operationsPerSecond).toBe(10);
});

it('forgets what is older than ten seconds', () => {
  const { clock, rates } = ratesAt(0);
  rates.add(500, 1);
  rates.add(9_500, 1);
  clock.nowMs = 10_100;
  expect(rates.summary().operationsPerSecond).toBe(0.1);
  clock.nowMs = 60_000;
  expect(rates.summary().operationsPerSecond).toBe(0);
  rates.add(60_000, 1);
  expect(rates.summary().operationsPerSecond).toBe(0.1);
});

it('gives percentiles as upper bounds of doubling buckets', () => {
  const { clock, rates } = ratesAt(0);
  for (let request = 0; request < 98; request++) rates.add(10, 0.3);
  rates.add(10, 5);
  rates.add(10, 1e9);
  clock.nowMs = 20;
  expect(rates.summary()).toMatchObject({ p50Ms: 0.4, p99Ms: 6.4 });
});
