import { Metadata } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import type { ApiServices } from '../api-services.js';
import { type AnyCall, CallContext } from './call-context.js';

/** Why a call that its caller cancels is over, with so many milliseconds left until its deadline. */
function reasonOfCancel(leftMs: number): unknown {
  const call: AnyCall = {
    cancelled: true,
    metadata: new Metadata(),
    getDeadline: () => Date.now() + leftMs,
    sendMetadata() {},
    once() {},
  };
  const services = { newCorrelationId: () => 'id-1' } as unknown as ApiServices;
  return new CallContext(call, services).signal.reason;
}

it.each([
  ['after the deadline', -1, 'DEADLINE_EXCEEDED'],
  // The caller began to count earlier, so that its cancel is here before the time is up by our count.
  ['when the deadline is due', 20, 'DEADLINE_EXCEEDED'],
  ['long before the deadline', 60_000, 'CANCELLED'],
  ['of a call without a deadline', Number.POSITIVE_INFINITY, 'CANCELLED'],
])('a cancel %s has its reason', (_when, leftMs, code) => {
  expect(reasonOfCancel(leftMs)).toMatchObject({ code });
});
