/**
 * Decompresses Snappy's block format (`format_description.txt` of google/snappy): the raw length as a varint, then
 * literals and copies from what was written already. `undefined` for anything that is not that, or longer than `maxBytes`.
 */
export function unsnappy(packed: Uint8Array, maxBytes: number): Uint8Array | undefined {
  let at = 0;
  let length = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = packed[at++];
    if (byte === undefined || shift > 28) return undefined;
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (length > maxBytes) return undefined;
  const raw = new Uint8Array(length);
  let end = 0;
  while (at < packed.length) {
    const tag = packed[at++] as number;
    const form = tag & 3;
    if (form === 0) {
      const extra = Math.max(0, (tag >> 2) - 59);
      const bytes = 1 + (extra === 0 ? tag >> 2 : littleEndian(packed, at, extra));
      at += extra;
      if (at + bytes > packed.length || end + bytes > length) return undefined;
      raw.set(packed.subarray(at, at + bytes), end);
      at += bytes;
      end += bytes;
      continue;
    }
    const width = form === 3 ? 4 : form;
    const bytes = form === 1 ? 4 + ((tag >> 2) & 7) : 1 + (tag >> 2);
    const distance = littleEndian(packed, at, width) + (form === 1 ? (tag >> 5) * 256 : 0);
    at += width;
    if (distance === 0 || distance > end || end + bytes > length) return undefined;
    // A copy may overlap what it writes.
    for (let i = 0; i < bytes; i++, end++) raw[end] = raw[end - distance] as number;
  }
  return end === length ? raw : undefined;
}

function littleEndian(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let i = 0; i < width; i++) value += (bytes[at + i] ?? 0) * 2 ** (8 * i);
  return value;
}
