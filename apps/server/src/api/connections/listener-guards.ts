import type { Metrics } from '@shanghai/telemetry';
import { type AnswerBudget, observedAnswers } from './answer-budget.js';
import { ConnectionGuard, observeConnections } from './connection-guard.js';
import { observedBudget, type ReceiveBudget } from './receive-budget.js';

/** What bounds the listeners for clients. */
export interface ListenerGuards {
  readonly http: ConnectionGuard;
  readonly grpc: ConnectionGuard;
  /** Of both. */
  readonly receiving: ReceiveBudget;
  readonly answering: AnswerBudget;
}

/** Bounds that are configured. */
export interface ListenerLimits {
  /** Of each listener. */
  readonly maxConnections: number;
  /** Of requests that are not answered yet. */
  readonly maxReceivingBytes: number;
  /** Of answers that wait for readers of streams. */
  readonly maxAnsweringBytes: number;
}

/** How long a new connection may be silent; and how long any may before it has to make place. Milliseconds. */
const handshakeMs = 10_000;
const quietMs = 5_000;
/** The 24 bytes with which HTTP/2 begins, and the head of the frame behind them. */
const http2HandshakeBytes = 33;

/** Guards whose refusals are counted in the metrics. */
export function createListenerGuards(
  metrics: Metrics,
  { maxConnections, maxReceivingBytes, maxAnsweringBytes }: ListenerLimits,
  monotonicMs: () => number,
): ListenerGuards {
  const observe = observeConnections(metrics);
  const shared = { maxConnections, handshakeMs, quietMs, monotonicMs };
  return {
    http: new ConnectionGuard({ ...shared, handshakeBytes: 1, listener: observe('http') }),
    grpc: new ConnectionGuard({ ...shared, handshakeBytes: http2HandshakeBytes, listener: observe('grpc') }),
    answering: observedAnswers(metrics, maxAnsweringBytes, monotonicMs),
    receiving: observedBudget(metrics, maxReceivingBytes),
  };
}
