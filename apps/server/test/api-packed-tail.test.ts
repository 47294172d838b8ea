import { crc32 } from '@shanghai/env';
import { LogTailResponse, type PackedEntries } from '@shanghai/proto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { tailMessage } from '../src/api/grpc/log-messages.js';
import { encodePackedTail } from '../src/api/grpc/packed-codec.js';
import { PageBuffers } from '../src/api/grpc/page-buffers.js';
import type { LogPage } from '../src/logs/log-requests.js';
import { type GrpcFixture, openGrpcFixture } from './grpc-fixture.js';

let fixture: GrpcFixture;
beforeEach(async () => {
  fixture = await openGrpcFixture();
});
afterEach(() => fixture.close());

const run = (firstSequence: number, bytes: Uint8Array) => ({
  ...{ origin: 3, epoch: 2, firstSequence, count: 1, bytes, lastAt: 0 },
});

test('a message with packed entries is what the generated encoder would make', () => {
  const positions = [{ origin: 3, epoch: 2, sequence: 9 }];
  for (const size of [1, 100, 127, 128, 20_000, 300_000]) {
    const bytes = Buffer.alloc(size, 7);
    const runs = [run(5, bytes), run(2 ** 40, bytes.subarray(0, 1))];
    const gaps = [{ origin: 1, epoch: 1, firstSequence: 1, lastSequence: 2 }];
    const page: LogPage = {
      ...{ entries: [], packed: runs, nextSequence: 7, firstSequence: 1, lastSequence: 8 },
      ...{ gaps, positions, watermarkMs: 6 },
    };
    const encoded = encodePackedTail(tailMessage(page), runs, new PageBuffers());
    const decoded = LogTailResponse.decode(encoded);
    const packed: PackedEntries[] = runs.map(({ firstSequence, bytes: entries }) => ({
      ...{ origin: 3n, epoch: 2n, firstSequence: BigInt(firstSequence), count: 1, version: 1 },
      ...{ checksum: crc32(entries), entries: Buffer.from(entries) },
    }));
    expect(decoded.packed.map(({ checksum, firstSequence }) => [checksum, firstSequence])).toEqual(
      packed.map(({ checksum, firstSequence }) => [checksum, firstSequence]),
    );
    expect(Buffer.from(LogTailResponse.encode({ ...tailMessage(page), packed }).finish()).equals(encoded)).toBe(true);
  }
});

test('pages are whole at a reader that is slow, although what they are made in is used again', async () => {
  const pages = 60;
  const scratch = Buffer.alloc(200_000);
  fixture.node.logs.tail = async function* () {
    for (let i = 1; i <= pages; i++) {
      scratch.fill(i);
      const packed = [run(i, scratch.subarray(0, scratch.length - i))];
      yield { entries: [], packed, nextSequence: i + 1, firstSequence: 1, lastSequence: pages, gaps: [] };
    }
  };
  const stream = fixture.log.tail({ log: 'l', origin: 0n, start: undefined, packedVersion: 1 });
  let read = 0;
  for await (const { packed, entries } of stream as AsyncIterable<LogTailResponse>) {
    read++;
    expect(entries).toEqual([]);
    const [one] = packed;
    expect([one?.firstSequence, one?.checksum]).toEqual([BigInt(read), crc32(one?.entries ?? scratch)]);
    expect([one?.entries.length, one?.entries[0], one?.entries.at(-1)]).toEqual([scratch.length - read, read, read]);
    if (read % 7 === 0) for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(read).toBe(pages);
});

test('a buffer that is lent is not lent again before it is given back, and only so many are kept', () => {
  const buffers = new PageBuffers();
  const lent = Array.from({ length: 20 }, () => buffers.take(200_000));
  expect(new Set(lent.map(({ buffer }) => buffer)).size).toBe(20);
  for (const part of lent) buffers.give(part);
  for (const part of lent) buffers.give(part);
  const again = Array.from({ length: 20 }, () => buffers.take(250_000));
  const known = new Set(lent.map(({ buffer }) => buffer));
  expect(again.filter(({ buffer }) => known.has(buffer)).length).toBe(8);
  expect(new Set(again.map(({ buffer }) => buffer)).size).toBe(20);
});
