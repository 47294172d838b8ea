import { expect, it } from 'vitest';
import { unreachableReason } from './unreachable-reason.js';

it.each([
  [
    'No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: ',
    'connection refused; is a node running there?',
  ],
  [
    'No connection established. Last error: Protocol error (2026-01-01T00:00:00.000Z). Resolution note: ',
    'what listens there does not speak gRPC; is this the HTTP port? Use the gRPC port',
  ],
  ['Name resolution failed for target dns:nowhere.invalid:1', 'the name of the host is not known'],
  [
    'No connection established. Last error: Error: connect EHOSTUNREACH 10.0.0.1:1. Resolution note: ',
    'connect EHOSTUNREACH 10.0.0.1:1; is a node running there?',
  ],
  ['something else', 'something else; is a node running there?'],
])('%s', (details, reason) => {
  expect(unreachableReason(details)).toBe(reason);
});
