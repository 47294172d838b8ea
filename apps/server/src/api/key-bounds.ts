import { copyBytes } from '@shanghai/env';

/** The first key behind `key` in bytewise order: the exclusive end of a range that includes it. */
export function exclusiveEndAfter(key: Uint8Array): Uint8Array {
  const end = new Uint8Array(key.length + 1);
  end.set(key);
  return end;
}

/** The first key that does not begin with `prefix`, or `undefined` where every later key does (0xff only, or empty). */
export function prefixEnd(prefix: Uint8Array): Uint8Array | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return undefined;
  const end = copyBytes(prefix, 0, length);
  end[length - 1] = (end[length - 1] ?? 0) + 1;
  return end;
}
