export {
  createHealth,
  type Health,
  type HealthCheck,
  type HealthCheckResult,
  type HealthReport,
} from './health.js';
export { doublingBuckets, latencyBucketsSeconds, sizeBucketsBytes } from './latency-buckets.js';
export {
  correlated,
  createLogger,
  type LogFields,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  logLevels,
} from './logger.js';
export {
  type CounterMetric,
  createMetrics,
  type GaugeMetric,
  type GaugeOptions,
  type HistogramHandle,
  type HistogramMetric,
  type HistogramOptions,
  type MetricOptions,
  type Metrics,
  type MetricsOptions,
  type MetricValues,
  metricPrefix,
} from './metrics.js';
export type { ExposedValue, Labels } from './series.js';
