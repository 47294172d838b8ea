import { describe, expect, test } from 'vitest';
import { PagePool } from './page-pool.js';

describe('the page pool', () => {
  test('allocates a chunk when the pages before are taken, and keeps one empty chunk at most', () => {
    const pool = new PagePool(512, 1024);
    const counts = [];
    for (let i = 0; i < 6; i += 1) {
      expect(pool.allocate()).toBe(i);
      counts.push(pool.chunkCount);
    }
    for (let i = 0; i < 6; i += 1) {
      pool.releaseHighest();
      counts.push(pool.chunkCount);
    }
    expect(counts).toEqual([1, 1, 2, 2, 3, 3, 3, 3, 3, 2, 2, 1]);
    expect(() => pool.releaseHighest()).toThrow('page pool is empty');
  });

  test('pages do not overlap', () => {
    const pool = new PagePool(512, 2048);
    for (let page = 0; page < 12; page += 1) {
      pool.allocate();
      pool.chunkOf(page).bytes.fill(page + 1, pool.baseOf(page), pool.baseOf(page) + 512);
    }
    pool.copy(11, 3);
    for (let page = 0; page < 12; page += 1) {
      const bytes = pool.chunkOf(page).bytes.subarray(pool.baseOf(page), pool.baseOf(page) + 512);
      expect(new Set(bytes)).toEqual(new Set([page === 3 ? 12 : page + 1]));
    }
  });

  test.each([
    [500, 1024],
    [256, 1024],
    [65536, 65536],
    [512, 256],
    [512, 1000],
  ])('refuses pages of %i bytes in chunks of %i', (pageBytes, chunkBytes) => {
    expect(() => new PagePool(pageBytes, chunkBytes)).toThrow(RangeError);
  });
});
