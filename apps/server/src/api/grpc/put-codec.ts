/**
 * Put's messages between bytes and objects, for the forms nearly every call has: a request of nothing but a key and a
 * value, and an answer of a leader. The generated code takes a writer, a reader and several buffers with a store of
 * their own for each message, which is a noticeable part of what a put costs. Any other form, and any damage, goes to
 * the generated code, so that what is accepted and what is refused stays the same.
 */
import * as wire from '@shanghai/proto';

const keyTag = (2 << 3) | 2;
const valueTag = (3 << 3) | 2;
const headerTag = (1 << 3) | 2;
const tokenTag = (1 << 3) | 2;
const revisionTag = 2 << 3;
const noBytes = Buffer.alloc(0);
/** A PutRequest has some twenty; what is unknown is passed over one by one, which takes its time. */
const maxFields = 10_000;

/** A PutRequest whose key and value are views of `bytes`, where it has the plain form. Throws as the generated decoder. */
export function decodePutRequest(bytes: Buffer): wire.PutRequest {
  let key: Buffer = noBytes;
  let value: Buffer = noBytes;
  let at = 0;
  while (at < bytes.length) {
    const tag = bytes[at++];
    let length = 0;
    let shift = 0;
    let byte = 0x80;
    for (; byte >= 0x80 && shift < 28; shift += 7) {
      byte = bytes[at++] ?? 0x80;
      length |= (byte & 0x7f) << shift;
    }
    const end = at + length;
    if ((tag !== keyTag && tag !== valueTag) || byte >= 0x80 || end > bytes.length)
      return wire.PutRequest.decode(wire.boundedReader(bytes, maxFields));
    if (tag === keyTag) key = bytes.subarray(at, end);
    else value = bytes.subarray(at, end);
    at = end;
  }
  return { options: undefined, key, value, ttlMs: 0n };
}

/** The same bytes as the generated encoder's. */
export function encodePutResponse(message: wire.PutResponse): Buffer {
  const { header } = message;
  const revision = Number(message.revision);
  const tokenLength = header?.token.length ?? 0;
  if (header?.staleMs !== 0n || tokenLength === 0 || tokenLength > 100 || !(revision > 0 && revision < 2 ** 53)) {
    return Buffer.from(wire.PutResponse.encode(message).finish());
  }
  const bytes = Buffer.allocUnsafe(tokenLength + 13);
  bytes[0] = headerTag;
  bytes[1] = tokenLength + 2;
  bytes[2] = tokenTag;
  bytes[3] = tokenLength;
  bytes.set(header.token, 4);
  let at = tokenLength + 4;
  bytes[at++] = revisionTag;
  let rest = revision;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[at++] = (rest % 0x80) | 0x80;
  bytes[at++] = rest;
  return bytes.subarray(0, at);
}
