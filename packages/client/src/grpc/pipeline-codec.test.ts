import { PipelineRequest, PipelineResponse } from '@shanghai/proto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodePipelineResponse, encodePipelineRequest } from './pipeline-codec.js';

const seed = 20_261_123;
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const u64 = fc.oneof(
  fc.constant(0n),
  fc.nat().map(BigInt),
  fc.maxSafeNat().map(BigInt),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const rare = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
const mostly = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 4 });
const keyspace = fc.oneof({ weight: 9, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.string() });
const options = fc.record({
  ...{ keyspace, sessionId: u64, requestNumber: u64, retry: fc.boolean(), slot: rare(fc.nat()), epoch: rare(u64) },
});
const readOptions = fc.record({
  ...{ keyspace, level: fc.nat(3), token: fc.oneof(fc.constant(Buffer.alloc(0)), bytes(20)) },
  ...{ slot: rare(fc.nat()), epoch: rare(u64) },
});
const caseOf = <Case extends string, Value>(name: Case, value: fc.Arbitrary<Value>) =>
  fc.record({ $case: fc.constant(name), value });
const put = fc.record({ key: bytes(9), value: bytes(300), ttlMs: u64 });
const operation = fc.oneof(
  { weight: 20, arbitrary: caseOf('put', put) },
  { weight: 1, arbitrary: caseOf('delete', fc.record({ key: bytes(9) })) },
);
const request = fc.record({
  id: u64,
  request: fc.oneof(
    {
      weight: 8,
      arbitrary: caseOf(
        'put',
        fc.record({ options: mostly(options), key: bytes(300), value: bytes(20_000), ttlMs: u64 }),
      ),
    },
    { weight: 8, arbitrary: caseOf('get', fc.record({ options: mostly(readOptions), key: bytes(9) })) },
    {
      weight: 8,
      arbitrary: caseOf(
        'batch',
        fc.record({
          options: mostly(options),
          atomic: fc.boolean(),
          operations: fc.array(fc.record({ operation }), { maxLength: 5 }),
        }),
      ),
    },
    { weight: 1, arbitrary: caseOf('delete', fc.record({ options: mostly(options), key: bytes(9) })) },
  ),
});
const many = fc.record({
  id: fc.constant(0n),
  request: caseOf('group', fc.record({ requests: fc.array(request, { maxLength: 5 }) })),
});

it('writes every request as the generated encoder does', () => {
  fc.assert(
    fc.property(fc.oneof(request, many), (given) => {
      const message = given as PipelineRequest;
      expect(encodePipelineRequest(message).equals(PipelineRequest.encode(message).finish())).toBe(true);
    }),
    { seed, numRuns: 2_000 },
  );
});

const header = mostly(fc.record({ token: bytes(30), staleMs: u64 }));
const result = fc.record({
  ...{ error: rare(fc.record({ code: fc.string(), message: fc.string() })), revision: u64 },
  ...{ deleted: fc.boolean(), valueBytes: u64 },
});
const answer = fc.record({
  id: u64,
  response: fc.oneof(
    caseOf('put', fc.record({ header, revision: u64 })),
    caseOf('get', fc.record({ header, found: fc.boolean(), value: bytes(300), revision: u64, expiresAtMs: u64 })),
    caseOf('batch', fc.record({ header, results: fc.array(result, { maxLength: 5 }) })),
    caseOf('error', fc.record({ code: fc.string(), message: fc.string(), detailsJson: fc.string() })),
  ),
});
const answers = fc.record({
  id: fc.constant(0n),
  response: caseOf('answers', fc.record({ responses: fc.array(answer, { maxLength: 5 }) })),
});

it('reads answers, changed and cut ones too, as the generated decoder does', () => {
  const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value);
  const outcome = (read: (input: Buffer) => PipelineResponse, input: Buffer) => {
    try {
      return JSON.parse(JSON.stringify(read(input), plain));
    } catch {
      return 'refused';
    }
  };
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 2 });
  fc.assert(
    fc.property(fc.oneof(answer, answers), changes, fc.nat(), (given, bytesToChange, cut) => {
      let input = Buffer.from(PipelineResponse.encode(given as PipelineResponse).finish());
      for (const [at, byte] of bytesToChange) if (input.length > 0) input[at % input.length] = byte;
      if (cut % 4 === 0) input = input.subarray(0, cut % (input.length + 1));
      expect(outcome(decodePipelineResponse, input)).toEqual(outcome((whole) => PipelineResponse.decode(whole), input));
    }),
    { seed, numRuns: 3_000 },
  );
});

it('gives what callers keep without the message around it', () => {
  const value = Buffer.from('value');
  const response = {
    header: { token: Buffer.from('token'), staleMs: 0n },
    found: true,
    value,
    revision: 1n,
    expiresAtMs: 0n,
  };
  const input = Buffer.concat([
    PipelineResponse.encode({ id: 1n, response: { $case: 'get', value: response } }).finish(),
  ]);
  const read = decodePipelineResponse(input).response;
  if (read?.$case !== 'get') throw new Error('no get');
  input.fill(0);
  expect(read.value).toEqual(response);
});
