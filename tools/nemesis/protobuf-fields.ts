/** The few forms of protocol buffers that unary calls need, written from the public description of the encoding. */

/** A field to write: bytes and text with their length, numbers and truth as variable-length integers. */
export type FieldValue = Uint8Array | string | number | boolean;

/** Encodes fields: number and value; nested messages are bytes. */
export function encodeFields(fields: readonly (readonly [number, FieldValue])[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [number, value] of fields) {
    if (typeof value === 'number' || typeof value === 'boolean') {
      parts.push(varint(number * 8), varint(Number(value)));
      continue;
    }
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
    parts.push(varint(number * 8 + 2), varint(bytes.length), bytes);
  }
  return Buffer.concat(parts);
}

/** Decodes the fields of a message; of one that repeats all values, in order. Throws `RangeError` for what is none. */
export function decodeFields(message: Uint8Array): ReadonlyMap<number, readonly (number | Uint8Array)[]> {
  const fields = new Map<number, (number | Uint8Array)[]>();
  let at = 0;
  const readVarint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message[at++];
      if (byte === undefined || factor > 2 ** 63) throw new RangeError('a number that does not end');
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = readVarint();
    const number = Math.floor(tag / 8);
    const values = fields.get(number) ?? [];
    fields.set(number, values);
    if (tag % 8 === 0) values.push(readVarint());
    else if (tag % 8 === 2) {
      const length = readVarint();
      if (at + length > message.length) throw new RangeError('a field that is longer than its message');
      values.push(message.subarray(at, at + length));
      at += length;
    } else throw new RangeError(`wire type ${tag % 8} is not expected`);
  }
  return fields;
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let left = value;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  return Uint8Array.from([...bytes, left]);
}
