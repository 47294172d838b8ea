import { expect, test } from 'vitest';
import { grpcFrame } from './grpc-frame.js';
import { parseCounts } from './h2load.js';

const summary = (requests: string, codes: string) => `finished in 2.00s, 3.00 req/s, 1KB/s
requests: ${requests}
status codes: ${codes}
traffic: 1KB (1024) total`;

test('a frame is a zero byte, the length in four bytes, and the message', () => {
  expect([...grpcFrame(new Uint8Array(258)).subarray(0, 6)]).toEqual([0, 0, 0, 1, 2, 0]);
  expect(grpcFrame(new Uint8Array([7, 8]))).toEqual(new Uint8Array([0, 0, 0, 0, 2, 7, 8]));
});

test('only answers with 2xx succeeded; others, failed and timed out ones are errors', () => {
  const good = '10 total, 10 started, 10 done, 10 succeeded, 0 failed, 0 errored, 0 timeout';
  expect(parseCounts(summary(good, '10 2xx, 0 3xx, 0 4xx, 0 5xx'))).toEqual({ succeeded: 10, failed: 0 });
  expect(parseCounts(summary(good, '7 2xx, 1 3xx, 0 4xx, 0 5xx'))).toEqual({ succeeded: 9, failed: 1 });
  const refused = '10 total, 10 started, 10 done, 7 succeeded, 3 failed, 0 errored, 0 timeout';
  expect(parseCounts(summary(refused, '7 2xx, 0 3xx, 2 4xx, 1 5xx'))).toEqual({ succeeded: 7, failed: 3 });
  const edges = '10 total, 10 started, 10 done, 10 succeeded, 0 failed, 0 errored, 0 timeout';
  expect(parseCounts(summary(edges, '9 2xx, 0 3xx, 0 4xx, 0 5xx'))).toEqual({ succeeded: 10, failed: 0 });
  const bad = '10 total, 10 started, 9 done, 5 succeeded, 4 failed, 4 errored, 1 timeout';
  expect(parseCounts(summary(bad, '5 2xx, 0 3xx, 0 4xx, 0 5xx'))).toEqual({ succeeded: 5, failed: 5 });
  expect(() => parseCounts('nothing')).toThrow(/something else/);
});
