/** Bytes of every value. */
export const valueBytes = 100;

const distinct = 1_024;

/**
 * The value of a number: 100 bytes that no codec makes smaller, the same in every run. There are 1,024 different ones;
 * they are shared and must not be changed.
 */
export function valueOfNumber(number: number): Uint8Array {
  return values[number % distinct] ?? values[0] ?? new Uint8Array();
}

const values: readonly Uint8Array[] = makeValues();

function makeValues(): Uint8Array[] {
  let state = 0x9e3779b9;
  return Array.from({ length: distinct }, () => {
    const value = Buffer.alloc(valueBytes);
    for (let i = 0; i < valueBytes; i++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      value[i] = state & 255;
    }
    return value;
  });
}
