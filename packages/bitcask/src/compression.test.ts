import { createSeededRandom } from '@shanghai/env';
import { createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { unpack, unpackSync, ValueCompressor } from './compression.js';

const value = new Uint8Array(5_000).fill(7);

for (const codec of ['lz4', 'gzip'] as const) {
  test(`${codec}: a raw size that lies is refused before anything of that size is allocated`, async () => {
    const packed = new ValueCompressor({ codec, level: 1, minBytes: 1 }, createManualClock()).pack(value);
    expect(Buffer.from(unpackSync(packed)).equals(value)).toBe(true);
    for (const rawBytes of [4_999, 5_001, 2 ** 31, 0]) {
      expect(() => unpackSync({ ...packed, rawBytes })).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
      await expect(unpack({ ...packed, rawBytes })).rejects.toMatchObject({ code: 'CORRUPT' });
    }
    const garbled = packed.stored.slice(0, 6);
    expect(() => unpackSync({ ...packed, stored: garbled })).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
  });
}

test('counts tell what was compressed, what saved too little, what was too small to try', async () => {
  const noise = createSeededRandom(1).bytes(2_000);
  const compressor = new ValueCompressor({ codec: 'gzip', level: 3, minBytes: 100 }, createManualClock());
  const packed = compressor.pack(value);
  await compressor.packOnThread(new Uint8Array(70_000));
  expect(compressor.pack(noise)).toMatchObject({ codec: 0, stored: noise });
  expect(compressor.pack(value.subarray(0, 99))).toMatchObject({ codec: 0, rawBytes: 99 });
  const stats = compressor.stats();
  expect(stats).toMatchObject({
    codec: 'gzip',
    level: 3,
    packed: 2,
    skipped: 1,
    small: 1,
    rawBytes: 77_000,
    packMs: 0,
  });
  expect(stats.storedBytes).toBeGreaterThan(packed.stored.length + noise.length);
  expect(stats.storedBytes).toBeLessThan(packed.stored.length + noise.length + 1_000);
});
