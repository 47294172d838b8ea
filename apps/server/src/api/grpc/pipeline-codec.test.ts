import { PipelineRequest, PipelineResponse } from '@shanghai/proto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodePipelineAnswers, pipelineRequestDecoder } from './pipeline-codec.js';

const seed = 20_261_122;
const decode = pipelineRequestDecoder(10_000);
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
const u64 = fc.oneof(
  fc.constant(0n),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.nat().map(BigInt),
  fc.maxSafeNat().map(BigInt),
);

/** What a decoder makes of bytes, or that it refuses them. */
function outcome(read: (bytes: Buffer) => unknown, input: Buffer): unknown {
  const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value);
  try {
    return JSON.parse(JSON.stringify(read(input), plain));
  } catch {
    return 'refused';
  }
}

function expectSame(input: Buffer): void {
  expect(outcome(decode, input)).toEqual(outcome((given) => PipelineRequest.decode(given), input));
}

const sparse = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 4 });
const rare = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });
const writeOptions = fc.record({
  keyspace: fc.string({ maxLength: 5, unit: 'grapheme' }),
  sessionId: u64,
  requestNumber: u64,
  retry: fc.boolean(),
  slot: rare(fc.nat()),
  epoch: rare(u64),
});
const readOptions = fc.record({
  ...{ keyspace: fc.string({ maxLength: 5 }), level: fc.nat(3), token: bytes(20) },
  slot: rare(fc.nat()),
  epoch: rare(u64),
});
const put = fc.record({ options: sparse(writeOptions), key: bytes(300), value: bytes(20_000), ttlMs: u64 });
const operation = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      $case: fc.constant('put'),
      value: fc.record({ key: bytes(9), value: bytes(200), ttlMs: u64 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ $case: fc.constant('delete'), value: fc.record({ key: bytes(9) }) }) },
  { weight: 1, arbitrary: fc.constant(undefined) },
);
const batch = fc.record({
  options: sparse(writeOptions),
  atomic: fc.boolean(),
  operations: fc.array(fc.record({ operation }), { maxLength: 6 }),
});
const one = fc.record({
  id: u64,
  request: fc.oneof(
    { weight: 8, arbitrary: fc.record({ $case: fc.constant('put'), value: put }) },
    { weight: 8, arbitrary: fc.record({ $case: fc.constant('batch'), value: batch }) },
    {
      weight: 8,
      arbitrary: fc.record({
        $case: fc.constant('get'),
        value: fc.record({ options: sparse(readOptions), key: bytes(9) }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        $case: fc.constant('delete'),
        value: fc.record({ options: sparse(writeOptions), key: bytes(9) }),
      }),
    },
    { weight: 1, arbitrary: fc.constant(undefined) },
  ),
});
const group = fc.record({
  id: u64,
  request: fc.record({ $case: fc.constant('group'), value: fc.record({ requests: fc.array(one, { maxLength: 5 }) }) }),
});
const encoded = fc
  .oneof(one, group)
  .map((message) => Buffer.from(PipelineRequest.encode(message as PipelineRequest).finish()));

it('reads every request as the generated decoder does', () => {
  fc.assert(fc.property(encoded, expectSame), { seed, numRuns: 500 });
});

it('makes of changed, cut and foreign bytes what the generated decoder makes of them', () => {
  const changed = fc
    .tuple(encoded, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), fc.nat())
    .map(([input, changes, cut]) => {
      for (const [at, byte] of changes) input[at % Math.max(1, input.length)] = byte;
      return cut % 3 === 0 ? input.subarray(0, cut % (input.length + 1)) : input;
    });
  const tags = fc.constantFrom(0x08, 0x12, 0x1a, 0x32, 0x42, 0x0a, 0x10, 0x18, 0x20, 0x4a, 0x13);
  const parts = fc.tuple(
    tags,
    fc.constantFrom([0], [1], [3], [0x80], [0x83, 0], [0xff, 0xff, 0xff, 0xff, 0x0f]),
    bytes(4),
  );
  const streams = fc
    .array(
      parts.map(([tag, length, rest]) => Buffer.from([tag, ...length, ...rest])),
      { maxLength: 5 },
    )
    .map((all) => Buffer.concat(all));
  fc.assert(fc.property(fc.oneof(changed, streams, bytes(30)), expectSame), { seed, numRuns: 4_000 });
});

it('reads plain requests without copying them', () => {
  const value = { options: undefined, key: Buffer.from('key'), value: Buffer.from('value'), ttlMs: 7n };
  const message: PipelineRequest = { id: 3n, request: { $case: 'put', value } };
  const input = Buffer.from(PipelineRequest.encode(message).finish());
  const read = decode(input);
  expect(read).toEqual(message);
  expect(read.request?.$case === 'put' && read.request.value.value.buffer).toBe(input.buffer);
});

it('reads a message of very many things as far as a request may go', () => {
  // Two bytes each: an empty request of a group.
  const many = Buffer.alloc(4_000_000, Buffer.from([0x0a, 0]));
  const group = Buffer.concat([Buffer.from([0x42, 0x80, 0x92, 0xf4, 0x01]), many]);
  expect(() => decode(group)).toThrow(/more than 660000 fields/);
});

it('writes all answers as the generated encoder does', () => {
  const header = sparse(fc.record({ token: bytes(120), staleMs: fc.constantFrom(0n, 0n, 0n, 1n, 2n ** 64n - 1n) }));
  const result = fc.record({
    error: rare(fc.record({ code: fc.string(), message: fc.string() })),
    ...{
      revision: u64,
      deleted: fc.constantFrom(false, false, false, true),
      valueBytes: fc.constantFrom(0n, 0n, 0n, 5n),
    },
  });
  const get = fc.record({
    header,
    found: fc.boolean(),
    value: bytes(400),
    revision: u64,
    expiresAtMs: fc.constantFrom(0n, 9n),
  });
  const response = fc.oneof(
    fc.record({ $case: fc.constant('put'), value: fc.record({ header, revision: u64 }) }),
    fc.record({ $case: fc.constant('get'), value: get }),
    fc.record({
      $case: fc.constant('batch'),
      value: fc.record({ header, results: fc.array(result, { maxLength: 5 }) }),
    }),
    fc.record({
      $case: fc.constant('error'),
      value: fc.record({ code: fc.string(), message: fc.string(), detailsJson: fc.string() }),
    }),
  );
  const answers = fc.array(fc.record({ id: u64, response }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(answers, (given) => {
      const list = given as Parameters<typeof encodePipelineAnswers>[0];
      const generated =
        list.length === 1 ? list[0] : { id: 0n, response: { $case: 'answers', value: { responses: list } } };
      const expected = PipelineResponse.encode(generated as PipelineResponse).finish();
      expect(encodePipelineAnswers(list).equals(expected)).toBe(true);
    }),
    { seed, numRuns: 3_000 },
  );
});
