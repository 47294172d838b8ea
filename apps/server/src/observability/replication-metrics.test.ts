import { createLogger, createMetrics } from '@shanghai/telemetry';
import { expect, test } from 'vitest';
import { observeReplication, showReplication } from './replication-metrics.js';

function observed() {
  const lines: { readonly level: string; readonly msg: string }[] = [];
  const metrics = createMetrics();
  const logger = createLogger({ level: 'debug', write: (line) => void lines.push(JSON.parse(line)) });
  return { lines, metrics, listener: observeReplication(metrics, logger) };
}

test('what is shipped, and for how long there was no credit, is counted', async () => {
  const { metrics, listener } = observed();
  listener.shipped?.(2, 10, 400);
  listener.shipped?.(3, 5, 100);
  listener.received?.(2, 7, 70);
  listener.unblocked?.(2, 1_500);
  const text = await metrics.text();
  for (const line of [
    'shanghai_replication_shipped_runs_total 2',
    'shanghai_replication_shipped_entries_total 15',
    'shanghai_replication_shipped_bytes_total 500',
    'shanghai_replication_received_entries_total 7',
    'shanghai_replication_blocked_seconds_total 1.5',
  ])
    expect(text).toContain(line);
});

test('a follower that falls behind and catches up is told; so is what only people can mend, once', async () => {
  const { lines, metrics, listener } = observed();
  const stream = { logId: 7, origin: 1, epoch: 3 };
  listener.behind?.(1, 2, 'lagging', 10);
  listener.behind?.(1, 2, 'stale', 90);
  listener.caughtUp?.(1, 2);
  for (let i = 0; i < 20; i++) listener.diverged?.(stream, 5, 2);
  listener.reverted?.(stream, 3, 2, 9, 4);
  listener.unreadable?.(stream, 5, 2, new Error('damaged'));
  expect(lines.map(({ level }) => level)).toEqual(['info', 'warn', 'info', 'error', 'warn', 'error']);
  const text = await metrics.text();
  expect(text).toContain('shanghai_replication_events_total{type="diverged"} 20');
  expect(text).toContain('shanghai_replication_events_total{type="caught_up"} 1');
});

test('the age of the watermark is shown while it is known', async () => {
  const metrics = createMetrics();
  let ageMs: number | undefined = 2_500;
  const status = () => undefined;
  showReplication(metrics, { status, watermarkAgeMs: () => ageMs });
  expect(await metrics.text()).toContain('shanghai_replication_watermark_age_seconds 2.5');
  ageMs = undefined;
  expect(await metrics.text()).not.toMatch(/^shanghai_replication_watermark_age_seconds/m);
});
