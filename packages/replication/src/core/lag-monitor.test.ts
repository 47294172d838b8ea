import { expect, test } from 'vitest';
import { type Lacking, LagMonitor } from './lag-monitor.js';

/** Logs 1, 2 … of which so much is held and lacking. */
function lacking(...logs: readonly { readonly held: number; readonly lag: number }[]): Lacking[] {
  return logs
    .map(({ held, lag }, index) => ({ key: `${index}`, logId: index + 1, heldSequence: held, lagEntries: lag }))
    .filter(({ lagEntries }) => lagEntries > 0);
}

test('a follower that keeps a distance under load is healthy; one that stands still is not, and each is told once', () => {
  const monitor = new LagMonitor(1_000, 5_000);
  const look = (nowMs: number, held: number, lag: number) =>
    monitor
      .observe(nowMs, 1, 2, held, lacking({ held, lag }))
      .map((news) => (news.type === 'behind' ? news.state : news.type));
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
  monitor.observe(0, 1, 2, 0, []);
  expect(monitor.lagOf(60_000, 1, 2)).toEqual({ lagEntries: 0, lagMs: 0, sinceProgressMs: -1 });
  expect(monitor.observe(60_000, 1, 2, 0, lacking({ held: 0, lag: 1 }))).toEqual([]);
  expect(monitor.lagOf(61_500, 1, 2)?.lagMs).toBe(1_500);
  expect(monitor.stateOf(monitor.lagOf(61_500, 1, 2)?.lagMs ?? 0)).toBe('lagging');
});

test('a log that stands still is behind, however fast the others get on', () => {
  const monitor = new LagMonitor(1_000, 5_000);
  const told: string[] = [];
  for (let ms = 0; ms <= 6_000; ms += 250) {
    const news = monitor.observe(ms, 1, 2, ms + 3, lacking({ held: ms, lag: 100 }, { held: 3, lag: 1 }));
    for (const one of news) told.push(`${ms} ${one.type === 'behind' ? one.state : one.type}`);
  }
  expect(told).toEqual(['1000 lagging', '5000 stale']);
  expect(monitor.lagOf(6_000, 1, 2)).toEqual({ lagEntries: 101, lagMs: 6_000, sinceProgressMs: 0 });
  expect(monitor.lagOf(6_000, 1, 2, 1)).toMatchObject({ lagEntries: 100, lagMs: 0 });
  expect(monitor.lagOf(6_000, 1, 2, 2)).toMatchObject({ lagEntries: 1, lagMs: 6_000 });
});
