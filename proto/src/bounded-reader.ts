import { BinaryReader } from '@bufbuild/protobuf/wire';

/**
 * Reads a message that somebody else wrote, and gives up where it has more tags and lengths than `maxFields`: two bytes of
 * a message can be an object of a hundred, so the size of a message alone does not bound what decoding it costs. Decoders
 * of generated code take it in the place of bytes. Throws `RangeError`.
 */
export function boundedReader(bytes: Uint8Array, maxFields: number): BinaryReader {
  const reader = new BinaryReader(bytes);
  const readNext = reader.uint32;
  let left = maxFields;
  reader.uint32 = () => {
    if (--left < 0) throw new RangeError(`it has more than ${maxFields} fields`);
    return readNext.call(reader);
  };
  return reader;
}
