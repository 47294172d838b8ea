/**
 * What is checked before a route sees a request, so that a web page somebody visits cannot use a server on the same
 * machine: the `Host` header (a page of another name that resolves to 127.0.0.1), the content type (a form post needs
 * no permission of the browser, JSON does), and which routes pages of other origins may read.
 */
import type { IncomingHttpHeaders } from 'node:http';
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

/**
 * Bodies are JSON in UTF-8 and say so, also empty ones, and are not compressed: whatever else a client believes it sent
 * would be stored as something it did not mean.
 */
export function checkContentType(method: string, headers: IncomingHttpHeaders, takesBytes = false): void {
  if (method !== 'POST' && method !== 'PUT') return;
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = headers;
  const [media = '', ...parameters] = type.split(';');
  const isPlain = takesBytes && isBytes(headers);
  if (!isPlain && !/^application\/json\s*$/i.test(media)) {
    throw new ServerError('INVALID_REQUEST', `${method} needs 'Content-Type: application/json', not '${type}'`);
  }
  const charset = parameters.find((parameter) => /^\s*charset\s*=/i.test(parameter));
  if (!isPlain && charset !== undefined && !/^\s*charset\s*=\s*("?)utf-?8\1\s*$/i.test(charset)) {
    throw new ServerError('INVALID_REQUEST', `bodies are UTF-8, not '${charset.trim()}'`);
  }
  if (!/^\s*(?:identity)?\s*$/i.test(encoding)) {
    throw new ServerError(
      'INVALID_REQUEST',
      `bodies are not compressed; send them without 'Content-Encoding: ${encoding}'`,
    );
  }
}

/** Whether a body says of itself that it is bytes; that, too, no page of another origin can send unasked. */
export function isBytes({ 'content-type': type = '' }: IncomingHttpHeaders): boolean {
  return /^application\/octet-stream\s*(?:;|$)/i.test(type);
}

/** Headers that let pages of every origin read an answer. */
export const allOriginHeaders = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'X-Correlation-ID, X-Session-Token, X-Stale-Ms, X-Shanghai-Leader, traceparent',
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
