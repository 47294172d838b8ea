/**
 * What ties a request to its log lines and to the trace it is part of. A caller may name its request
 * (`X-Correlation-ID`) or send a W3C trace context (`traceparent`), whose trace id then serves; else the server makes an
 * id. Foreign ids are taken only when they are short and printable: they go into logs and headers.
 */
import { randomBytes } from 'node:crypto';

/** Header and metadata key of the trace context. */
export const traceparentKey = 'traceparent';

const traceparentPattern = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;

/** A caller's correlation id, or `undefined` where it is not 1 to 128 visible ASCII characters. */
export function acceptedCorrelationId(value: string | undefined): string | undefined {
  return value !== undefined && /^[\x21-\x7e]{1,128}$/.test(value) ? value : undefined;
}

/** The trace id of a `traceparent`, or `undefined` where it is not a valid one of version 00. */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  return traceparent === undefined ? undefined : traceparentPattern.exec(traceparent)?.[1];
}

/** The same trace with a span id of ours, for the answer; `undefined` where the input is not valid. */
export function continuedTraceparent(traceparent: string | undefined): string | undefined {
  const match = traceparent === undefined ? null : traceparentPattern.exec(traceparent);
  return match === null ? undefined : `00-${match[1]}-${randomBytes(8).toString('hex')}-${match[2]}`;
}

/** Makes ids that do not repeat: eight random bytes for the process, then a count. Cheap, because every request takes one. */
export function createCorrelationIds(): () => string {
  const process = randomBytes(8).toString('hex');
  let count = 0;
  return () => `${process}-${(++count).toString(36)}`;
}
