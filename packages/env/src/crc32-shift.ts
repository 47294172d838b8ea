/**
 * What a difference of seeds becomes in a checksum. CRC-32 is linear over bits: for two seeds the checksums of the same
 * bytes differ by what their difference becomes behind so many bytes, whatever these are. (zlib's `crc32_combine` stands
 * on the same.) So bytes whose checksum is known need not be read again to be sealed with another seed.
 */

/** The polynomial, bits in the order of CRC-32. */
const polynomial = 0xedb8_8320;

/** Lengths below 2^32: a table for each power of two. */
const powers = 32;

/** For every power of two of bytes the images of each byte in each of four places; made when first needed. */
const tables: (Uint32Array | undefined)[] = new Array(powers).fill(undefined);

/** The images of single bits behind so many bytes as the last table was made for. */
const images: Uint32Array[] = [];

/**
 * The difference of the checksums of any `length` bytes (below 2^32) with two seeds whose difference (exclusive or) is
 * `difference`: `crc32(b, s) ^ crc32(b, t) === shiftCrc32(s ^ t, b.length)`, as unsigned integers.
 */
export function shiftCrc32(difference: number, length: number): number {
  let shifted = difference | 0;
  for (let power = 0, rest = length >>> 0; rest !== 0; power++, rest >>>= 1) {
    if ((rest & 1) === 0) continue;
    const table = tables[power] ?? tableOf(power);
    shifted =
      (table[shifted & 0xff] as number) ^
      (table[0x100 | ((shifted >>> 8) & 0xff)] as number) ^
      (table[0x200 | ((shifted >>> 16) & 0xff)] as number) ^
      (table[0x300 | (shifted >>> 24)] as number);
  }
  return shifted >>> 0;
}

function tableOf(power: number): Uint32Array {
  const bits = imagesOf(power);
  const table = new Uint32Array(0x400);
  for (let place = 0; place < 4; place++) {
    for (let byte = 0; byte < 0x100; byte++) table[place * 0x100 + byte] = imageOf(bits, byte << (8 * place));
  }
  tables[power] = table;
  return table;
}

/** What each single bit becomes behind 2^power bytes: twice what it becomes behind half as many. */
function imagesOf(power: number): Uint32Array {
  const known = images[power];
  if (known !== undefined) return known;
  const made = new Uint32Array(32);
  if (power === 0) for (let bit = 0; bit < 32; bit++) made[bit] = behindByte(1 << bit);
  else {
    const half = imagesOf(power - 1);
    for (let bit = 0; bit < 32; bit++) made[bit] = imageOf(half, half[bit] as number);
  }
  images[power] = made;
  return made;
}

function behindByte(difference: number): number {
  let shifted = difference >>> 0;
  for (let bit = 0; bit < 8; bit++) shifted = (shifted >>> 1) ^ ((shifted & 1) === 0 ? 0 : polynomial);
  return shifted >>> 0;
}

function imageOf(bits: Uint32Array, difference: number): number {
  let image = 0;
  for (let bit = 0, rest = difference >>> 0; rest !== 0; bit++, rest >>>= 1) {
    if ((rest & 1) !== 0) image ^= bits[bit] as number;
  }
  return image >>> 0;
}
