/**
 * Metrics in Prometheus' form, on a registry of their own. Names get the prefix `shanghai_`; they carry base units
 * (`_seconds`, `_bytes`), counters end in `_total`: wrong names are refused when the metric is made, where a test sees
 * it, not when an operator writes a query. Labels must be few-valued: a label's values are the caller's promise.
 */
import { collectDefaultMetrics, Gauge, type Metric, Registry } from 'prom-client';
import { latencyBucketsSeconds } from './latency-buckets.js';
import { CounterFamily, type ExposedValue, HistogramFamily, type Labels } from './series.js';

/** What every metric has. */
export interface MetricOptions {
  /** Without the prefix; snake_case. */
  readonly name: string;
  /** One sentence for the reader of `/metrics`. */
  readonly help: string;
  /** Names of the labels, none by default. */
  readonly labels?: readonly string[];
}

/** A gauge may be read when asked for, in place of being set. */
export interface GaugeOptions extends MetricOptions {
  readonly read?: () => number;
}

/** Buckets in the metric's unit; default `latencyBucketsSeconds`. */
export interface HistogramOptions extends MetricOptions {
  readonly buckets?: readonly number[];
}

/** Only rises. */
export interface CounterMetric {
  /** The series of these labels (all of the metric's); keep it, `add` on it costs an addition. */
  series(labels?: Labels): { add(amount?: number): void };
}

/** Rises and falls. */
export interface GaugeMetric {
  set(value: number, labels?: Labels): void;
  /** Exposes the series of these labels no more, until it is set again. */
  remove(labels: Labels): void;
}

/** A distribution. */
export interface HistogramMetric {
  /** The series of these labels (all of the metric's); keep it, `observe` on it costs some additions. */
  series(labels?: Labels): HistogramHandle;
}

/** One series of a histogram: takes values and can be read. */
export interface HistogramHandle {
  observe(value: number): void;
  readonly bounds: readonly number[];
  /** Values in each bucket, not cumulative; the last one holds what lies above the last bound. */
  readonly counts: Readonly<Float64Array>;
  readonly sum: number;
  readonly count: number;
}

/** The metrics of one process. */
export interface Metrics {
  counter(options: MetricOptions): CounterMetric;
  gauge(options: GaugeOptions): GaugeMetric;
  histogram(options: HistogramOptions): HistogramMetric;
  /** Calls `collect` before every exposition; for gauges that are set from one snapshot. */
  beforeCollect(collect: () => void): void;
  /** The text exposition. */
  text(): Promise<string>;
  readonly contentType: string;
  /** The same as data: series by metric name. */
  values(): Promise<readonly MetricValues[]>;
  /** Stops what observes the process. Idempotent. */
  close(): void;
}

/** One metric as data. */
export interface MetricValues {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly values: readonly ExposedValue[];
}

/** What `createMetrics` takes. */
export interface MetricsOptions {
  /** Also expose the process: `process_*` (CPU, memory, descriptors) and `nodejs_*` (event loop lag, heap, GC). Default false. */
  readonly processMetrics?: boolean;
}

/** Every name of ours begins so. */
export const metricPrefix = 'shanghai_';

const unitlessSuffixes = /_(?:milliseconds|ms|millis|kb|mb|kib|mib)$/;

/** Makes an empty set of metrics. */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  const registry = new Registry();
  if (options.processMetrics === true) collectDefaultMetrics({ register: registry });
  const collectors: (() => void)[] = [];
  const collect = () => {
    for (const collector of collectors) collector();
  };
  return {
    counter: (metric) => counterOf(registry, metric),
    gauge: (metric) => gaugeOf(registry, metric),
    histogram: (metric) => histogramOf(registry, metric),
    beforeCollect: (collector) => void collectors.push(collector),
    text: () => {
      collect();
      return registry.metrics();
    },
    contentType: registry.contentType,
    values: async () => {
      collect();
      return (await registry.getMetricsAsJSON()) as unknown as MetricValues[];
    },
    close: () => registry.clear(),
  };
}

function nameOf(options: MetricOptions, isCounter: boolean): string {
  const { name } = options;
  if (!/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/.test(name)) throw new RangeError(`metric name '${name}' is not snake_case`);
  if (name.startsWith(metricPrefix)) throw new RangeError(`metric name '${name}' already has the prefix; leave it out`);
  if (isCounter !== name.endsWith('_total')) {
    throw new RangeError(`metric name '${name}': counters end in _total, nothing else does`);
  }
  if (unitlessSuffixes.test(name)) throw new RangeError(`metric name '${name}': use base units, _seconds or _bytes`);
  return metricPrefix + name;
}

function counterOf(registry: Registry, options: MetricOptions): CounterMetric {
  const family = new CounterFamily(nameOf(options, true), options.help, options.labels ?? []);
  registry.registerMetric(family as unknown as Metric);
  return family;
}

function gaugeOf(registry: Registry, options: GaugeOptions): GaugeMetric {
  const { read } = options;
  const gauge: Gauge = new Gauge({
    name: nameOf(options, false),
    help: options.help,
    labelNames: [...(options.labels ?? [])],
    registers: [registry],
    ...(read === undefined ? {} : { collect: (): void => gauge.set(read()) }),
  });
  return {
    set: (value, labels) => (labels === undefined ? gauge.set(value) : gauge.set(labels, value)),
    remove: (labels) => gauge.remove(labels),
  };
}

function histogramOf(registry: Registry, options: HistogramOptions): HistogramMetric {
  const bounds = options.buckets ?? latencyBucketsSeconds;
  const family = new HistogramFamily(nameOf(options, false), options.help, options.labels ?? [], bounds);
  registry.registerMetric(family as unknown as Metric);
  return family;
}
