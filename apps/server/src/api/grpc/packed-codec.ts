/**
 * A message of a tail with packed entries, as the generated encoder would write it: fields around bytes that are copied once,
 * into a buffer that is used again. The generated one copies them three times, into new ones.
 */
import { crc32 } from '@shanghai/env';
import { LogTailResponse, PackedEntries } from '@shanghai/proto';
import type { PackedEntries as Packed } from '../../logs/packed-entries.js';
import type { PageBuffers } from './page-buffers.js';

const noBytes = Buffer.alloc(0);
/** Field 6 of LogTailResponse, and field 7 of PackedEntries: what follows has a length. */
const packedTag = (6 << 3) | 2;
const entriesTag = (7 << 3) | 2;

/** The form of packed entries that this version gives out (docs/formats/log-page.md). */
export const packedVersion = 1;

/** Packed entries as a message, without the entries where they are written beside it. */
export function packedEntriesMessage(packed: Packed, entries: Buffer): PackedEntries {
  const { origin, epoch, firstSequence, count, bytes } = packed;
  return {
    ...{ origin: BigInt(origin), epoch: BigInt(epoch), firstSequence: BigInt(firstSequence), count },
    ...{ version: packedVersion, checksum: crc32(bytes), entries },
  };
}

/** Encodes `message`, which has no packed entries of its own, with these. */
export function encodePackedTail(message: LogTailResponse, packed: readonly Packed[], buffers: PageBuffers): Buffer {
  const head = LogTailResponse.encode(message).finish();
  const heads = packed.map((one) => PackedEntries.encode(packedEntriesMessage(one, noBytes)).finish());
  let length = head.length;
  for (const [i, { bytes }] of packed.entries()) {
    const inner = innerBytes(heads[i] as Uint8Array, bytes);
    length += 1 + varintBytes(inner) + inner;
  }
  const encoded = buffers.take(length);
  encoded.set(head, 0);
  let at = head.length;
  for (const [i, { bytes }] of packed.entries()) {
    const fields = heads[i] as Uint8Array;
    encoded[at] = packedTag;
    at = writeVarint(encoded, at + 1, innerBytes(fields, bytes));
    encoded.set(fields, at);
    at += fields.length;
    encoded[at] = entriesTag;
    at = writeVarint(encoded, at + 1, bytes.length);
    encoded.set(bytes, at);
    at += bytes.length;
  }
  return encoded;
}

function innerBytes(head: Uint8Array, bytes: Uint8Array): number {
  return head.length + 1 + varintBytes(bytes.length) + bytes.length;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) bytes++;
  return bytes;
}

function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes[at++] = (rest & 0x7f) | 0x80;
  bytes[at++] = rest;
  return at;
}
