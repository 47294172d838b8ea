import { PutRequest, PutResponse } from '@shanghai/proto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodePutRequest, encodePutResponse } from './put-codec.js';

const seed = 20_261_121;
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const u64 = fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));

/** What a decoder makes of bytes, or that it refuses them. */
function outcome(decode: (bytes: Buffer) => PutRequest, input: Buffer): unknown {
  try {
    const message = decode(input);
    return { ...message, key: message.key.toString('hex'), value: message.value.toString('hex') };
  } catch {
    return 'refused';
  }
}

function expectSame(input: Buffer): void {
  expect(outcome(decodePutRequest, input)).toEqual(outcome((given) => PutRequest.decode(given), input));
}

const requests = fc.record({
  options: fc.option(
    fc.record({
      keyspace: fc.string({ maxLength: 5 }),
      sessionId: u64,
      requestNumber: u64,
      retry: fc.boolean(),
      slot: fc.option(fc.nat(), { nil: undefined }),
      epoch: fc.option(u64, { nil: undefined }),
    }),
    { nil: undefined },
  ),
  key: bytes(300),
  value: bytes(20_000),
  ttlMs: u64,
});

it('reads every request as the generated decoder does', () => {
  fc.assert(
    fc.property(requests, (request) => expectSame(Buffer.from(PutRequest.encode(request).finish()))),
    { seed, numRuns: 300 },
  );
});

it('reads a plain request without copying it', () => {
  const request = { options: undefined, key: Buffer.from('key'), value: Buffer.from('value'), ttlMs: 0n };
  const input = Buffer.from(PutRequest.encode(request).finish());
  expect(decodePutRequest(input)).toEqual(request);
  expect(decodePutRequest(input).value.buffer).toBe(input.buffer);
});

it('makes of damaged, cut and foreign bytes what the generated decoder makes of them', () => {
  const tags = fc.constantFrom(0x0a, 0x12, 0x1a, 0x20, 0x22, 0x13, 0x92);
  const lengths = fc.constantFrom(
    [0],
    [1],
    [3],
    [0x80],
    [0x83, 0x00],
    [0xff, 0xff, 0xff, 0xff, 0x0f],
    [0xff, 0xff, 0x7f],
  );
  const parts = fc.tuple(tags, lengths, bytes(4)).map(([tag, length, rest]) => Buffer.from([tag, ...length, ...rest]));
  const streams = fc.array(parts, { maxLength: 4 }).map((all) => Buffer.concat(all));
  fc.assert(fc.property(fc.oneof(streams, bytes(30)), expectSame), { seed, numRuns: 3_000 });
});

it('writes every answer as the generated encoder does', () => {
  const headers = fc.record({ token: bytes(200), staleMs: fc.constantFrom(0n, 1n, 2n ** 64n - 1n) });
  const answers = fc.record({ header: fc.option(headers, { nil: undefined }), revision: u64 });
  const plain = fc.record({
    header: fc.record({ token: bytes(120), staleMs: fc.constant(0n) }),
    revision: fc.bigInt({ min: 0n, max: 2n ** 54n }),
  });
  fc.assert(
    fc.property(fc.oneof(answers, plain), (answer) => {
      expect(encodePutResponse(answer).equals(PutResponse.encode(answer).finish())).toBe(true);
    }),
    { seed, numRuns: 2_000 },
  );
});
