import { copyBytes } from '@shanghai/env';

/** Bytewise order: negative, 0 or positive. A key that begins another comes before it. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** The least key above all keys that begin with `prefix`, or `undefined` where there is none (all bytes 0xff). */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  for (let last = prefix.length - 1; last >= 0; last--) {
    if (prefix[last] === 0xff) continue;
    const end = copyBytes(prefix, 0, last + 1);
    end[last] = (end[last] as number) + 1;
    return end;
  }
  return undefined;
}
