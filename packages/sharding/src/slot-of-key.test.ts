import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashedRange, slotOfKey, tagOfKey } from './slot-of-key.js';

const bytes = (text: string) => new TextEncoder().encode(text);
const tagText = (key: string) => {
  const tag = tagOfKey(bytes(key));
  return tag === undefined ? undefined : new TextDecoder().decode(tag);
};

describe('slotOfKey', () => {
  // Made with zlib's crc32 in another language (Python: zlib.crc32(key) % slots). Part of the protocol: never changed.
  const golden: readonly (readonly [key: string, of1024: number, of10: number])[] = [
    ['a', 579, 7],
    ['user:1', 642, 2],
    ['{user1000}.following', 870, 4],
    ['{user1000}.followers', 870, 4],
    ['foo{}{bar}', 857, 3],
    ['foo{{bar}}zap', 313, 1],
    ['foo{bar}{zap}', 170, 8],
    ['', 0, 0],
    ['123456789', 294, 2],
    ['stadt/köln', 355, 9],
  ];
  it.each(golden)('puts %j where every other implementation does', (key, of1024, of10) => {
    expect(slotOfKey(bytes(key), 1024)).toBe(of1024);
    expect(slotOfKey(bytes(key), 10)).toBe(of10);
  });

  it('hashes bytes, not text', () => {
    expect(slotOfKey(Uint8Array.of(0, 255, 254), 1024)).toBe(891);
  });

  it('spreads consecutive keys so that no slot of 64 is empty or holds three times its share', () => {
    const counts = new Array<number>(64).fill(0);
    for (let i = 0; i < 64 * 100; i++) {
      const slot = slotOfKey(bytes(`user:${i}`), 64);
      counts[slot] = (counts[slot] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(0);
    expect(Math.max(...counts)).toBeLessThan(300);
  });

  it('answers within [0, slots) for every key and number of slots, and the same for keys that share a tag', () => {
    const seed = 20_261;
    fc.assert(
      fc.property(
        fc.uint8Array(),
        fc.uint8Array({ minLength: 1 }),
        fc.integer({ min: 1, max: 65_536 }),
        (a, tag, n) => {
          const clean = (part: Uint8Array) => part.filter((byte) => byte !== 0x7b && byte !== 0x7d);
          const inner = clean(tag);
          const key = Uint8Array.of(...clean(a), 0x7b, ...inner, 0x7d);
          const slot = slotOfKey(a, n);
          expect(Number.isInteger(slot) && slot >= 0 && slot < n).toBe(true);
          if (inner.length > 0) expect(slotOfKey(key, n)).toBe(slotOfKey(Uint8Array.of(0x7b, ...inner, 0x7d, 1, 2), n));
        },
      ),
      { seed, verbose: 1 },
    );
  });

  it.each([0, -1, 1.5, Number.NaN, 65_537])('refuses %s slots', (slots) => {
    expect(() => slotOfKey(bytes('a'), slots)).toThrow(RangeError);
  });
});

describe('tagOfKey', () => {
  it.each([
    ['{user1000}.following', 'user1000'],
    ['{user1000}.followers', 'user1000'],
    ['foo{}{bar}', undefined],
    ['foo{{bar}}zap', '{bar'],
    ['foo{bar}{zap}', 'bar'],
    ['}a{b}', 'b'],
    ['plain', undefined],
    ['open{only', undefined],
    ['close}only', undefined],
    ['{}', undefined],
    ['', undefined],
  ])('finds in %j the tag %j', (key, tag) => {
    expect(tagText(key)).toBe(tag);
  });

  it('agrees with hashedRange', () => {
    expect(hashedRange(bytes('a{bc}d'))).toEqual({ start: 2, end: 4 });
    expect(hashedRange(bytes('abcd'))).toEqual({ start: 0, end: 4 });
  });
});
