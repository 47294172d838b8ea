import { describe, expect, it } from 'vitest';
import { mix } from './mix.js';
import { Ring } from './ring.js';

function ringOf(count: number): Ring {
  const ring = new Ring();
  for (let nodeId = 1; nodeId <= count; nodeId++) ring.add(nodeId);
  return ring;
}

describe('the ring', () => {
  it('mixes ids as the protocol says', () => {
    expect([1, 2, 2 ** 32, 1_700_000_000_000].map(mix)).toEqual([
      1_364_076_727, 821_347_078, 301_794_027, 3_255_648_500,
    ]);
  });

  it('lets each node observe exactly those whose observer it is', () => {
    const ring = ringOf(50);
    for (let nodeId = 1; nodeId <= 50; nodeId++) {
      for (const observer of ring.after(nodeId, 10)) expect(ring.before(observer, 10)).toContain(nodeId);
      expect(ring.after(nodeId, 10)).toHaveLength(10);
    }
  });

  it('names all others where there are fewer than wanted, and nobody twice', () => {
    const ring = ringOf(4);
    expect(ring.after(2, 10).sort()).toEqual([1, 3, 4]);
    expect(ring.before(2, 10).sort()).toEqual([1, 3, 4]);
    expect(ringOf(1).after(1, 10)).toEqual([]);
  });

  it('knows the observers of a node that is not on it any more', () => {
    const ring = ringOf(30);
    const before = ring.after(7, 10);
    ring.remove(7);
    expect(ring.after(7, 10)).toEqual(before);
    expect(ring.has(7)).toBe(false);
  });

  it('says that it changed, and only then', () => {
    const ring = ringOf(3);
    const { version } = ring;
    ring.add(2);
    ring.remove(9);
    expect(ring.version).toBe(version);
    ring.remove(2);
    expect(ring.version).not.toBe(version);
  });
});
