/** What a caller may conclude from a call to a leader that failed: mostly that nobody knows what became of it. */
import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { wireMetadata } from '@shanghai/proto';
import { expect, test } from 'vitest';
import { forwardedFailure } from './forwarded-failure.js';

function failed(code: status, details: string, trailer: Readonly<Record<string, string>> = {}): ServiceError {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(trailer)) metadata.set(key, value);
  return Object.assign(new Error(details), { code, details, metadata });
}

const codeOf = (error: ServiceError) => forwardedFailure(error, 'leader:1', undefined).code;

test.each([
  [status.UNAVAILABLE, 'Connection dropped'],
  [status.UNAVAILABLE, 'read ECONNRESET'],
  [status.CANCELLED, 'Call cancelled'],
  [status.INTERNAL, 'Received RST_STREAM with code 2'],
  [status.UNKNOWN, 'what'],
  [status.ABORTED, 'what'],
  [status.DATA_LOSS, 'what'],
  [status.DEADLINE_EXCEEDED, 'Deadline exceeded'],
])('without an answer of the leader (%i, %s) the outcome is unknown', (code, details) => {
  expect(codeOf(failed(code, details))).toBe('OUTCOME_UNKNOWN');
});

test.each(['No connection established. Last error: ECONNREFUSED', 'Name resolution failed for target dns:x'])(
  'what was never sent was not done: %s',
  (details) => {
    const error = forwardedFailure(failed(status.UNAVAILABLE, details), 'leader:1', undefined);
    expect(error).toMatchObject({ code: 'CLUSTER_ERROR', details: { unreachableLeader: 'leader:1' } });
  },
);

test('what the leader says of it counts, whatever the status', () => {
  const trailer = { [wireMetadata.errorCode]: 'STORAGE_FULL' };
  expect(codeOf(failed(status.UNAVAILABLE, 'Connection dropped', trailer))).toBe('STORAGE_FULL');
  expect(codeOf(failed(status.INVALID_ARGUMENT, 'too long'))).toBe('INVALID_REQUEST');
});
