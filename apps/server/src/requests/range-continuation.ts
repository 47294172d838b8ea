import { crc32 } from '@shanghai/env';
import { readU32, writeU32 } from '../apply/byte-fields.js';
import type { RangeRequest } from './key-value-requests.js';
import { invalidRequest } from './request-checks.js';

const version = 1;
const headBytes = 5;

/** Where a range goes on: version, checksum of the range it belongs to, the last key returned. Opaque to callers. */
export function encodeContinuation(request: RangeRequest, keyspace: string, lastKey: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headBytes + lastKey.length);
  bytes[0] = version;
  writeU32(bytes, 1, checksum(request, keyspace));
  bytes.set(lastKey, headBytes);
  return bytes;
}

/** The last key returned. `INVALID_REQUEST` where the continuation belongs to another range. */
export function decodeContinuation(bytes: Uint8Array, request: RangeRequest, keyspace: string): Uint8Array {
  if (bytes.length <= headBytes || bytes[0] !== version) throw invalidRequest('the continuation is not one of ours');
  if (readU32(bytes, 1) !== checksum(request, keyspace)) {
    throw invalidRequest(
      'the continuation belongs to another range: keyspace, bounds, prefix and order must be as they were',
    );
  }
  return bytes.subarray(headBytes);
}

function checksum(request: RangeRequest, keyspace: string): number {
  const parts = [Buffer.from(keyspace), request.start, request.end, request.prefix];
  let sum = request.reverse === true ? 1 : 0;
  for (const part of parts) {
    const length = new Uint8Array(4);
    writeU32(length, 0, part?.length ?? 0);
    sum = crc32(length, sum);
    if (part !== undefined) sum = crc32(part, sum);
  }
  return sum;
}
