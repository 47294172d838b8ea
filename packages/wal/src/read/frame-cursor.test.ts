import { crc32 } from '@shanghai/env';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frameSeed, sealFrame } from '../core/frame.js';
import { decodeFooter } from '../core/segment-footer.js';
import { WalError } from '../wal-error.js';
import { FrameCursor } from './frame-cursor.js';
import { selectRecords } from './select-records.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 71);
const segmentSeed = 5;
const offset = 4096;

function cursorOver(bytes: Uint8Array): FrameCursor {
  const read = async (buffer: Uint8Array, position: number) => {
    const part = bytes.subarray(position - offset, position - offset + buffer.length);
    buffer.set(part);
    return part.length;
  };
  return new FrameCursor(read, segmentSeed, offset + bytes.length, 65_536);
}

const flags = fc.oneof(fc.constantFrom(0, 1, 2, 4, 8, 24, 12, 4 | (3 << 8), 12 | (7 << 8)), fc.nat(0xffff_ffff));
const small = fc.oneof(fc.nat(40), fc.nat(0xffff_ffff));
const body = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.array(fc.constantFrom(0, 0, 0, 1, 12, 15, 255), { maxLength: 200 }).map((list) => Uint8Array.from(list)),
);

test(`whatever a frame with a right checksum holds, it is read, bad, or of a newer format (seed ${seed})`, async () => {
  await fc.assert(
    fc.asyncProperty(body, flags, small, small, async (content, frameFlags, count, rawBytes) => {
      const length = 40 + Math.ceil(content.length / 8) * 8;
      const bytes = new Uint8Array(length + 80);
      bytes.set(content, 40);
      const view = new DataView(bytes.buffer);
      const fields = { firstLsn: 7, wallTimeMs: 1, durableEnd: offset, count, flags: frameFlags, rawBytes };
      sealFrame(bytes, view, 0, length, { segmentSeed, offset }, fields);
      const cursor = cursorOver(bytes);
      const state = await cursor.load(offset).catch((error: unknown) => {
        if (error instanceof WalError && error.code === 'UNSUPPORTED_FORMAT') return 'unsupported' as const;
        throw error;
      });
      expect(['frame', 'bad', 'unsupported']).toContain(state);
      if (state !== 'frame') return;
      decodeFooter(cursor.view, cursor.at, frameFlags & 1);
      const choice = { from: 7, to: 7 + Math.min(count, 1000), stream: undefined, replaced: undefined };
      if ((frameFlags & 2) === 0) expect(selectRecords(cursor, choice).length).toBe(count);
    }),
    { seed, numRuns: process.env['SHANGHAI_DEEP'] === '1' ? 200_000 : 3000 },
  );
});

test('a length before compression that no block can have is refused before anything is allocated', async () => {
  for (const rawBytes of [0, 8 * 255 + 1, 0x7fff_ffff, 0xffff_ffff]) {
    const bytes = new Uint8Array(48);
    const view = new DataView(bytes.buffer);
    const fields = { firstLsn: 1, wallTimeMs: 1, durableEnd: offset, count: 1, flags: 4, rawBytes };
    sealFrame(bytes, view, 0, 48, { segmentSeed, offset }, fields);
    expect(crc32(bytes, frameSeed(segmentSeed, offset), 4, 48)).toBe(view.getUint32(0, true));
    const before = process.memoryUsage().arrayBuffers;
    expect(await cursorOver(bytes).load(offset), `${rawBytes}`).toBe('bad');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10_000_000);
  }
});
