import assert from 'node:assert/strict';
import { test } from 'vitest';
import { ByteSlab } from './byte-slab.js';

test('buffers of every size have their length and share no byte', () => {
  const slab = new ByteSlab();
  const sizes = Array.from({ length: 3_000 }, (_, i) => (i * 97) % 2_200);
  const taken = sizes.map((bytes, i) => slab.take(bytes).fill(i));
  taken.forEach((piece, i) => {
    assert.equal(piece.length, sizes[i]);
    assert.ok(piece.every((byte) => byte === (i & 0xff)));
  });
});

test('a kept small buffer keeps at most 8 KiB alive', () => {
  const slab = new ByteSlab();
  for (let bytes = 0; bytes < 2_048; bytes += 13) assert.ok(slab.take(bytes).buffer.byteLength <= 8_192);
  assert.equal(slab.take(5_000).buffer.byteLength, 5_000);
});

test('a copy does not change with what it was copied from', () => {
  const source = new Uint8Array(100).fill(1);
  const copied = new ByteSlab().copy(source);
  source.fill(2);
  assert.ok(copied.every((byte) => byte === 1));
});
