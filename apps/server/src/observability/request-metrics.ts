/**
 * Counts and durations of requests, by API and method. Methods are a fixed set (routes and procedures, never paths or
 * keys) and codes come from the table, so the number of series has a bound. A recorder is taken once per method; a
 * finished request then costs a map lookup and some additions.
 */
import type { ErrorCode } from '@shanghai/proto';
import type { CounterMetric, HistogramHandle, Metrics } from '@shanghai/telemetry';
import { RequestRates } from './request-rates.js';

/** How a request ended. */
export type RequestOutcome = ErrorCode | 'OK';

/** Takes what became of the requests of one method. */
export interface RequestRecorder {
  /** Requests (default: one) that began at `startedMs` (monotonic) ended now. */
  finished(startedMs: number, outcome: RequestOutcome, requests?: number): void;
}

/** All requests of the process. */
export interface RequestMetrics {
  recorder(api: 'grpc' | 'http', method: string): RequestRecorder;
  /** A request was passed on to the leader. */
  passedOn(api: 'grpc' | 'http'): void;
  /** Streams that are open now. */
  streamOpened(method: string): () => void;
  readonly rates: RequestRates;
}

/** Registers the metrics of requests. */
export function createRequestMetrics(metrics: Metrics, monotonicMs: () => number): RequestMetrics {
  const labels = ['api', 'method'];
  const requests = metrics.counter({
    name: 'requests_total',
    help: 'Requests answered, by outcome: OK or an error code.',
    labels: [...labels, 'code'],
  });
  const durations = metrics.histogram({ name: 'request_duration_seconds', help: 'From request to answer.', labels });
  const streams = metrics.gauge({ name: 'open_streams', help: 'Streams open now.', labels: ['method'] });
  const passedOn = metrics.counter({
    name: 'requests_passed_on_total',
    help: 'Requests that this node passed on to a leader.',
    labels: ['api'],
  });
  const passedOnBy = { grpc: passedOn.series({ api: 'grpc' }), http: passedOn.series({ api: 'http' }) };
  const rates = new RequestRates(monotonicMs);
  const open = new Map<string, number>();
  const changeOpen = (method: string, by: number) => {
    const now = (open.get(method) ?? 0) + by;
    open.set(method, now);
    streams.set(now, { method });
  };
  return {
    rates,
    recorder(api, method) {
      // What nodes ask of each other is no load of the callers'.
      const counted = method.startsWith('Internal/') ? undefined : rates;
      return new Recorder(api, method, requests, durations.series({ api, method }), counted, monotonicMs);
    },
    passedOn: (api) => passedOnBy[api].add(),
    streamOpened(method) {
      changeOpen(method, 1);
      let isOpen = true;
      return () => {
        if (isOpen) changeOpen(method, -1);
        isOpen = false;
      };
    },
  };
}

class Recorder implements RequestRecorder {
  readonly #api: string;
  readonly #method: string;
  readonly #requests: CounterMetric;
  readonly #durations: HistogramHandle;
  readonly #rates: RequestRates | undefined;
  readonly #monotonicMs: () => number;
  readonly #byOutcome = new Map<RequestOutcome, { add(amount?: number): void }>();

  constructor(
    api: string,
    method: string,
    requests: CounterMetric,
    durations: HistogramHandle,
    rates: RequestRates | undefined,
    monotonicMs: () => number,
  ) {
    this.#api = api;
    this.#method = method;
    this.#requests = requests;
    this.#durations = durations;
    this.#rates = rates;
    this.#monotonicMs = monotonicMs;
  }

  finished(startedMs: number, outcome: RequestOutcome, requests = 1): void {
    const nowMs = this.#monotonicMs();
    const durationMs = nowMs - startedMs;
    for (let i = 0; i < requests; i++) this.#durations.observe(durationMs / 1000);
    this.#rates?.add(nowMs, durationMs, requests);
    let counter = this.#byOutcome.get(outcome);
    if (counter === undefined) {
      counter = this.#requests.series({ api: this.#api, method: this.#method, code: outcome });
      this.#byOutcome.set(outcome, counter);
    }
    counter.add(requests);
  }
}
