import { createFaultDisk } from '@shanghai/env/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Wal, WalBlock } from '../src/index.js';
import { openMemoryWal } from '../src/testing/index.js';
import { openOn } from './support/open-on.js';
import { recordPayload } from './support/record-payload.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 23);

/** Payloads, each with its length before it: what is the same in this form is the same. */
function framed(payloads: readonly Uint8Array[]): string {
  return payloads.map((payload) => `${payload.length}:${Buffer.from(payload).toString('latin1')}`).join();
}

function payloadsOf({ bytes, count }: WalBlock): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const payloads: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 12 + view.getUint32(at, true);
    payloads.push(bytes.subarray(at + 12, end));
    at = end;
  }
  expect(payloads.length).toBe(count);
  return framed(payloads);
}

async function entriesOf(wal: Wal, from: number, to: number): Promise<string> {
  const payloads: Uint8Array[] = [];
  for await (const { payload } of wal.entries({ from, to })) payloads.push(payload);
  return framed(payloads);
}

test(`blocks hold what entries give, whatever the frames, bounds and order of reads (seed ${seed})`, async () => {
  const frames = fc.array(fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 30 }), {
    minLength: 1,
    maxLength: 30,
  });
  const reads = fc.array(fc.tuple(fc.nat(500), fc.nat(200), fc.integer({ min: 1, max: 40_000 })), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(frames, reads, fc.boolean(), async (batches, ranges, isCompressed) => {
      const wal = await openMemoryWal(isCompressed ? { compression: 'lz4' } : {});
      for (const sizes of batches) {
        await wal.appendBatch(sizes.map((size) => ({ payload: recordPayload(size, size) })));
      }
      const { lastLsn } = wal.info();
      // From the beginning to the end, as a tail goes.
      let next = 1;
      for (const bytes = 20_000; next <= lastLsn; ) {
        const block = (await wal.block({ from: next, maxBytes: bytes })) as WalBlock;
        expect(block.firstLsn).toBe(next);
        if (block.count > 1) expect(block.bytes.length).toBeLessThanOrEqual(bytes);
        expect(payloadsOf(block) === (await entriesOf(wal, next, next + block.count)), `from ${next}`).toBe(true);
        next += block.count;
      }
      expect(await wal.block({ from: next, maxBytes: 1 })).toBeUndefined();
      for (const [start, count, maxBytes] of ranges) {
        const from = 1 + (start % lastLsn);
        const block = await wal.block({ from, to: from + count, maxBytes });
        if (block === undefined) {
          expect(count).toBe(0);
          continue;
        }
        expect(block.count).toBeLessThanOrEqual(count);
        expect(payloadsOf(block) === (await entriesOf(wal, from, from + block.count)), `from ${from}`).toBe(true);
      }
      await wal.close();
    }),
    { seed, numRuns: process.env['SHANGHAI_DEEP'] === '1' ? 2000 : 30 },
  );
});

test('a block ends with a frame where it can, and with what is synced', async () => {
  const wal = await openMemoryWal({ segmentBytes: 1_048_576 });
  for (const count of [10, 10, 10]) {
    await wal.appendBatch(Array.from({ length: count }, () => ({ payload: recordPayload(1, 100) })));
  }
  const counts = [1000, 1120, 2240, 3359, 100_000];
  const blocks = await Promise.all(counts.map((maxBytes) => wal.block({ from: 1, maxBytes })));
  expect(blocks.map((block) => block?.count)).toEqual([8, 10, 20, 20, 30]);
  expect((await wal.block({ from: 15, maxBytes: 800 }))?.count).toBe(6);
  await wal.close();
});

test('what lies before damage is in a block, what is damaged is refused', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const wal = await openOn(disk, { segmentBytes: 1_048_576, firstSegmentBytes: 1_048_576 });
  for (let lsn = 1; lsn <= 20; lsn++) await wal.append(recordPayload(lsn, 1000));
  // The eleventh frame: 40 bytes of header, 12 of the record, 1,000, padded to 1,056.
  disk.corrupt(`${wal.info().directory}/00000000000000000001.wal`, 4096 + 10 * 1056 + 500, 1);
  expect((await wal.block({ from: 1, maxBytes: 1_000_000 }))?.count).toBe(10);
  await expect(wal.block({ from: 11, maxBytes: 1_000_000 })).rejects.toMatchObject({ code: 'CORRUPT' });
  expect((await wal.block({ from: 12, maxBytes: 1_000_000 }))?.count).toBe(9);
  await wal.close();
});

test('records that were released or written anew are not passed on', async () => {
  const wal = await openMemoryWal();
  for (let lsn = 1; lsn <= 60; lsn++) await wal.append(recordPayload(lsn, 2000), { stream: 1 });
  wal.release(1, 40);
  await wal.trim(41);
  await expect(wal.block({ from: 1, maxBytes: 1000 })).rejects.toMatchObject({ code: 'LSN_TRIMMED' });
  const from = wal.info().firstLsn;
  expect((await wal.block({ from, maxBytes: 1000 }))?.firstLsn).toBe(from);
  const lsn = await wal.rewriteStream(1, [{ payload: recordPayload(1, 10) }]);
  await expect(wal.block({ from, maxBytes: 1000 })).rejects.toThrow(TypeError);
  expect((await wal.block({ from: lsn, maxBytes: 1000 }))?.count).toBe(1);
  await wal.close();
});
