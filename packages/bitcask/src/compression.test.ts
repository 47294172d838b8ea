import { expect, test } from 'vitest';
import { unpack, unpackSync, ValueCompressor } from './compression.js';

const value = new Uint8Array(5_000).fill(7);

for (const codec of ['lz4', 'gzip'] as const) {
  test(`${codec}: a raw size that lies is refused before anything of that size is allocated`, async () => {
    const packed = new ValueCompressor({ codec, level: 1, minBytes: 1 }).pack(value);
    expect(Buffer.from(unpackSync(packed)).equals(value)).toBe(true);
    for (const rawBytes of [4_999, 5_001, 2 ** 31, 0]) {
      expect(() => unpackSync({ ...packed, rawBytes })).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
      await expect(unpack({ ...packed, rawBytes })).rejects.toMatchObject({ code: 'CORRUPT' });
    }
    const garbled = packed.stored.slice(0, 6);
    expect(() => unpackSync({ ...packed, stored: garbled })).toThrow(expect.objectContaining({ code: 'CORRUPT' }));
  });
}

test('values below minBytes are stored as they are, and not counted as tried', () => {
  const compressor = new ValueCompressor({ codec: 'lz4', level: 1, minBytes: 6_000 });
  expect(compressor.pack(value)).toMatchObject({ codec: 0, stored: value });
  expect(compressor.counts).toEqual({ rawBytes: 0, storedBytes: 0, skipped: 0 });
});
