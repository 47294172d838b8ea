import { expect, test } from 'vitest';
import { LagMonitor } from './lag-monitor.js';

test('a follower that keeps a distance under load is healthy; one that stands still is not, and each is told once', () => {
  const monitor = new LagMonitor(1_000, 5_000);
  const look = (nowMs: number, held: number, lag: number) =>
    monitor.observe(nowMs, 1, 2, held, lag).map((news) => (news.type === 'behind' ? news.state : news.type));
  for (let ms = 0; ms < 20_000; ms += 250) expect(look(ms, ms, 200)).toEqual([]);
  expect(look(20_500, 19_750, 1)).toEqual([]);
  expect(look(20_999, 19_750, 1)).toEqual(['lagging']);
  expect(look(22_000, 19_750, 9)).toEqual([]);
  expect(monitor.lagOf(22_000, 1, 2)).toMatchObject({ lagEntries: 9 });
  expect(look(26_000, 19_750, 9)).toEqual(['stale']);
  expect(look(26_100, 19_755, 4)).toEqual([]);
  expect(look(26_200, 19_759, 0)).toEqual(['caughtUp']);
  expect(look(90_000, 19_759, 0)).toEqual([]);
  expect(monitor.lagOf(90_000, 1, 2)).toEqual({ lagEntries: 0, lagMs: 0, sinceProgressMs: 63_800 });
});

test('idle is told from stuck: nothing lacking is no lag, however long nothing came', () => {
  const monitor = new LagMonitor(1_000, 5_000);
  monitor.observe(0, 1, 2, 0, 0);
  expect(monitor.lagOf(60_000, 1, 2)).toEqual({ lagEntries: 0, lagMs: 0, sinceProgressMs: -1 });
  expect(monitor.observe(60_000, 1, 2, 0, 1)).toEqual([]);
  expect(monitor.lagOf(61_500, 1, 2)?.lagMs).toBeLessThanOrEqual(61_500);
  expect(monitor.stateOf(monitor.lagOf(61_500, 1, 2)?.lagMs ?? 0)).toBe('lagging');
});
