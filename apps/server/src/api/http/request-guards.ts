/**
 * What is checked before a route sees a request, so that a web page somebody visits cannot use a server on the same
 * machine: the `Host` header (a page of another name that resolves to 127.0.0.1), the content type (a form post needs
 * no permission of the browser, JSON does), and which routes pages of other origins may read.
 */
import { ServerError } from '../../requests/server-error.js';

const loopbackName = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i;

/** On a loopback listener the `Host` header must be a loopback name. */
export function checkHost(header: string | undefined): void {
  if (header !== undefined && loopbackName.test(header)) return;
  throw new ServerError(
    'PERMISSION_DENIED',
    `the Host header is '${header ?? ''}'; this listener is loopback and answers only to localhost, 127.0.0.1 and [::1]`,
  );
}

/** Bodies are JSON and say so, also empty ones. */
export function checkContentType(method: string, header: string | undefined): void {
  if (method !== 'POST' && method !== 'PUT') return;
  if (header !== undefined && /^application\/json\s*(?:;.*)?$/i.test(header)) return;
  throw new ServerError('INVALID_REQUEST', `${method} needs 'Content-Type: application/json', not '${header ?? ''}'`);
}

/** Headers that let pages of every origin read an answer. */
export const allOriginHeaders = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'X-Correlation-ID, X-Session-Token, X-Stale-Ms, traceparent',
} as const;

/** Headers of the answer to a preflight request. */
export function preflightHeaders(methods: readonly string[]): Readonly<Record<string, string>> {
  return {
    ...allOriginHeaders,
    'Access-Control-Allow-Methods': methods.join(', '),
    'Access-Control-Allow-Headers':
      'Content-Type, Idempotency-Key, Idempotency-Retry, X-Correlation-ID, X-Session-Token, traceparent',
    'Access-Control-Max-Age': '600',
  };
}
