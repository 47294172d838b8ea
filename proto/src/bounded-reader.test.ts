import { expect, test } from 'vitest';
import { boundedReader } from './bounded-reader.js';
import { BatchRequest } from './index.js';

const operation = { operation: { $case: 'delete' as const, value: { key: Buffer.from('k') } } };
const batch = { options: undefined, atomic: true, operations: [operation, operation] };
const bytes = BatchRequest.encode(batch).finish();

test('a message is decoded as ever', () => {
  expect(BatchRequest.decode(boundedReader(bytes, 100))).toEqual(BatchRequest.decode(bytes));
});

test('one of more fields than allowed is not', () => {
  expect(() => BatchRequest.decode(boundedReader(bytes, 5))).toThrow('more than 5 fields');
});

test('neither is one of fields that nobody knows', () => {
  const unknown = Buffer.alloc(2_000, Buffer.from([0x7a, 0]));
  expect(() => BatchRequest.decode(boundedReader(unknown, 100))).toThrow(RangeError);
});
