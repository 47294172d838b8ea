import { describe, expect, it } from 'vitest';
import { latencyBucketsSeconds, sizeBucketsBytes } from './latency-buckets.js';
import { createMetrics } from './metrics.js';

describe('createMetrics', () => {
  it('exposes counters, gauges and histograms under the prefix', async () => {
    const metrics = createMetrics();
    metrics
      .counter({ name: 'requests_total', help: 'Requests.', labels: ['route'] })
      .series({ route: 'get' })
      .add(2);
    metrics.gauge({ name: 'keys', help: 'Keys.', read: () => 7 });
    metrics.histogram({ name: 'sync_seconds', help: 'Syncs.' }).series().observe(0.00015);
    const text = await metrics.text();
    expect(text).toContain('shanghai_requests_total{route="get"} 2');
    expect(text).toContain('shanghai_keys 7');
    expect(text).toContain('shanghai_sync_seconds_bucket{le="0.0001"} 0');
    expect(text).toContain('shanghai_sync_seconds_bucket{le="0.0002"} 1');
    expect(text).not.toContain('process_');
  });

  it('counts every observation in one bucket and exposes them cumulatively', async () => {
    const metrics = createMetrics();
    const series = metrics.histogram({ name: 'size_bytes', help: 'Sizes.', buckets: [10, 20] }).series();
    for (const value of [10, 11, 20, 21]) series.observe(value);
    expect([[...series.counts], series.sum, series.count]).toEqual([[1, 2, 1], 62, 4]);
    const text = await metrics.text();
    expect(text.match(/shanghai_size_bytes_\S+ \d+/g)).toEqual([
      'shanghai_size_bytes_bucket{le="10"} 1',
      'shanghai_size_bytes_bucket{le="20"} 3',
      'shanghai_size_bytes_bucket{le="+Inf"} 4',
      'shanghai_size_bytes_sum 62',
      'shanghai_size_bytes_count 4',
    ]);
  });

  it('gives the same series for the same labels and refuses labels the metric does not have', () => {
    const counter = createMetrics().counter({ name: 'requests_total', help: 'x', labels: ['a', 'b'] });
    expect(counter.series({ a: '1', b: '2' })).toBe(counter.series({ b: '2', a: '1' }));
    expect(counter.series({ a: '1', b: '2' })).not.toBe(counter.series({ a: '12', b: '' }));
    expect(() => counter.series({ a: '1' })).toThrow('labels are {a}, but the metric has {a, b}');
  });

  it.each([
    ['requests', 'counter'],
    ['keys_total', 'gauge'],
    ['sync_ms', 'gauge'],
    ['shanghai_keys', 'gauge'],
    ['Keys', 'gauge'],
  ] as const)('refuses the name %s for a %s', (name, kind) => {
    expect(() => createMetrics()[kind]({ name, help: 'x' })).toThrow(RangeError);
  });

  it('asks collectors before every exposition and gives the values as data', async () => {
    const metrics = createMetrics();
    const gauge = metrics.gauge({ name: 'asked', help: 'How often.' });
    let asked = 0;
    metrics.beforeCollect(() => gauge.set(++asked));
    await metrics.text();
    const values = await metrics.values();
    expect(values).toMatchObject([{ name: 'shanghai_asked', type: 'gauge', values: [{ value: 2 }] }]);
  });

  it('exposes the process where that is asked for', async () => {
    const metrics = createMetrics({ processMetrics: true });
    const text = await metrics.text();
    expect(text).toContain('process_resident_memory_bytes');
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds');
    metrics.close();
    expect(await metrics.text()).toBe('\n');
  });
});

describe('buckets', () => {
  it('double from 0.1 ms without rounding noise', () => {
    expect(latencyBucketsSeconds.slice(0, 4)).toEqual([0.0001, 0.0002, 0.0004, 0.0008]);
    expect(latencyBucketsSeconds.at(-1)).toBe(13.1072);
  });

  it('cover bytes from 64 B to 256 MiB', () => {
    expect([sizeBucketsBytes[0], sizeBucketsBytes.at(-1)]).toEqual([64, 2 ** 28]);
  });
});
