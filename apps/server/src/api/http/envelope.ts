import type { ErrorCode } from '@shanghai/proto';
import type { WireFailure } from '../error-mapping.js';

/** Every JSON answer of the HTTP API but the probes. */
export type Envelope =
  | { readonly status: 'success' | 'partial_success'; readonly data: unknown; readonly timestamp: string }
  | { readonly status: 'error'; readonly error: EnvelopeError; readonly timestamp: string };

/** What went wrong; `details` is an object, empty where there is nothing to say. */
export interface EnvelopeError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** The envelope of an answer. */
export function envelopeOf(
  answer: { readonly data: unknown; readonly status?: 'success' | 'partial_success' },
  nowMs: number,
): Envelope {
  return { status: answer.status ?? 'success', data: answer.data, timestamp: new Date(nowMs).toISOString() };
}

/** The envelope of a failure. */
export function errorEnvelope({ code, message, details }: WireFailure, nowMs: number): Envelope {
  return { status: 'error', error: { code, message, details }, timestamp: new Date(nowMs).toISOString() };
}
