import { describe, expect, test } from 'vitest';
import { checkKeydir } from './keydir/check-keydir.js';
import { createKeydir, type Keydir, type KeydirPosition } from './keydir.js';

function positionOf(n: number): KeydirPosition {
  return { fileId: 1 + (n % 1000), offset: n, recordBytes: 136, sequence: n + 1, expires: n % 3 === 0 };
}

describe("a keydir's memory", () => {
  test('200,000 keys in random order are found, walked, deleted, and their memory comes back', () => {
    const keys = shuffled(200_000).map((n) => randomKey(n));
    const keydir = createKeydir();
    keys.forEach((key, n) => {
      if (keydir.set(key, positionOf(n))) throw new Error(`key ${n} was there`);
    });
    const { keys: counted, leafFill } = checkKeydir(keydir);
    expect(counted).toBe(keys.length);
    expect(leafFill).toBeGreaterThan(0.6);
    const out = { ...positionOf(0) };
    keys.forEach((key, n) => {
      if (!keydir.get(key, out) || out.sequence !== positionOf(n).sequence) throw new Error(`key ${n} is wrong`);
    });
    const sorted = [...keys].sort(Buffer.compare).map(String);
    const walked = allKeys(keydir);
    // One by one: comparing the arrays as a whole takes longer than all the rest.
    expect(walked.length).toBe(sorted.length);
    expect(walked.findIndex((key, i) => key !== sorted[i])).toBe(-1);
    const full = keydir.bytes;
    for (const key of keys.slice(20_000)) keydir.delete(key);
    checkKeydir(keydir);
    expect(keydir.bytes).toBeLessThan(full / 4);
    for (const key of keys) keydir.delete(key);
    checkKeydir(keydir);
    expect(keydir.bytes).toBe(4096);
  });

  test('a key of 16 bytes takes 61 bytes at most in random order and 40 in ascending order', () => {
    const position = { ...positionOf(1) };
    const random = createKeydir();
    for (const n of shuffled(50_000)) random.set(randomKey(n), position);
    expect(random.bytes / random.size).toBeLessThan(45 + 16);
    const ascending = createKeydir();
    for (let n = 0; n < 50_000; n += 1) ascending.set(decimalKey(n), position);
    expect(ascending.bytes / ascending.size).toBeLessThan(40);
    const runs = createKeydir();
    for (let n = 0; n < 50_000; n += 1) runs.set(decimalKey((n % 4) * 10 ** 9 + n), position);
    expect(runs.bytes / runs.size).toBeLessThan(40);
  });

  test('a sorted load leaves its pages full', () => {
    const keydir = createKeydir();
    const keys = shuffled(50_000).map(randomKey).sort(Buffer.compare);
    for (const key of keys) keydir.set(key, { ...positionOf(1) });
    expect(checkKeydir(keydir).leafFill).toBeGreaterThan(0.95);
  });
});

function allKeys(keydir: Keydir): string[] {
  const keys: string[] = [];
  const cursor = keydir.cursor();
  for (let more = cursor.seek(); more; more = cursor.next()) keys.push(String(cursor.key()));
  return keys;
}

/** The numbers below `count`, in an order that only looks random. */
function shuffled(count: number): number[] {
  const order = Array.from({ length: count }, (_, n) => n);
  return order.sort((a, b) => (Math.imul(a, 0x9e3779b1) >>> 0) - (Math.imul(b, 0x9e3779b1) >>> 0));
}

function randomKey(n: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16));
  for (let i = 0; i < 3; i += 1)
    view.setUint32(4 * i, Math.imul(n + 1, [0x85ebca6b, 0xc2b2ae35, 0x27d4eb2f][i] as number));
  view.setUint32(12, n);
  return new Uint8Array(view.buffer);
}

function decimalKey(n: number): Uint8Array {
  return new Uint8Array(Buffer.from(String(n).padStart(16, '0')));
}
