import { expect, test } from 'vitest';
import { RecentLatencies } from './recent-latencies.js';

test('percentiles are those of the nearest rank', () => {
  const latencies = new RecentLatencies();
  for (let i = 100; i >= 1; i--) latencies.add(i, 0);
  expect(latencies.summary(0)).toEqual({ count: 100, p50Ms: 50, p99Ms: 99, maxMs: 100 });
});

test('what is older than five minutes, or than some thousand later ones, is forgotten', () => {
  const latencies = new RecentLatencies();
  latencies.add(1000, 0);
  latencies.add(2, 200_000);
  expect(latencies.summary(299_000)).toMatchObject({ count: 2, maxMs: 1000 });
  expect(latencies.summary(301_000)).toMatchObject({ count: 1, maxMs: 2 });
  for (let i = 0; i < 5_000; i++) latencies.add(1, 301_000);
  expect(latencies.summary(301_000)).toMatchObject({ count: 4096, maxMs: 1 });
});

test('nothing measured is zeros', () => {
  expect(new RecentLatencies().summary(5)).toEqual({ count: 0, p50Ms: 0, p99Ms: 0, maxMs: 0 });
});
