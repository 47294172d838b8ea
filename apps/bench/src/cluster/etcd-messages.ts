/** The few messages of etcd's v3 API that the comparison sends: protocol buffers written by hand. */

function field(number: number, bytes: Uint8Array): Uint8Array {
  if (bytes.length > 127) throw new RangeError(`a field of ${bytes.length} bytes is longer than this comparison needs`);
  return Uint8Array.from([(number << 3) | 2, bytes.length, ...bytes]);
}

/** `etcdserverpb.PutRequest`: field 1 the key, field 2 the value; each at most 127 bytes. */
export function etcdPut(key: Uint8Array, value: Uint8Array): Uint8Array {
  return Buffer.concat([field(1, key), field(2, value)]);
}

/** `etcdserverpb.RangeRequest` of one key, linearizable, which is its default. */
export function etcdGet(key: Uint8Array): Uint8Array {
  return field(1, key);
}
