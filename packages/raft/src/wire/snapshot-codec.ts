/** The frames of a snapshot on its way (docs/formats/peer-protocol.md). */
import { crc32 } from '@shanghai/env';
import type { GroupMessage } from '../ports/peer-transport.js';
import type { SnapshotFile } from '../ports/state-machine.js';
import { ItemReader, messageBound, writeMessage } from './message-codec.js';
import { PeerError } from './peer-error.js';
import { WireReader } from './wire-reader.js';
import { maxVarintBytes, WireWriter } from './wire-writer.js';

/** The most bytes of a chunk. */
export const maxChunkBytes = 262_144;
/** The most bytes of an offer. */
export const maxOfferBytes = 8_388_608;
const maxFiles = 65_536;
const maxNameBytes = 255;
/** What a chunk costs beside its bytes, so that a window bounds their number too. */
const chunkWeight = 1_024;

const kind = { offer: 16, chunk: 17, end: 18, begin: 32, taken: 33, done: 34 };

/** What a sender says. Bytes are views of the frame. */
export type SenderFrame =
  | { readonly type: 'offer'; readonly offer: GroupMessage; readonly files: readonly SnapshotFile[] }
  | { readonly type: 'chunk'; readonly file: number; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly type: 'end' };

/** What a receiver says. `taken`: the weight of the chunks that were written. */
export type ReceiverFrame =
  | { readonly type: 'begin'; readonly window: number; readonly have: readonly number[] }
  | { readonly type: 'taken'; readonly weight: number }
  | { readonly type: 'done' };

/** What a chunk counts for in the window. */
export function weightOf(bytes: number): number {
  return bytes + chunkWeight;
}

/** Writes; throws `RangeError` where the names or their number are not fit to travel, or all is too large. */
export function encodeOffer(offer: GroupMessage, files: readonly SnapshotFile[], from: number): Uint8Array {
  if (files.length > maxFiles) throw new RangeError(`a snapshot of ${files.length} files; at most ${maxFiles}`);
  const perFile = 3 * maxVarintBytes + 4 + maxNameBytes;
  const writer = new WireWriter(1 + messageBound(offer) + maxVarintBytes + files.length * perFile);
  writer.byte(kind.offer);
  writeMessage(writer, offer, from);
  writer.varint(files.length);
  for (const { name, bytes, crc } of files) {
    if (!isFileName(name)) throw new RangeError(`a snapshot's file cannot be called '${name}'`);
    writer.varint(name.length);
    for (let at = 0; at < name.length; at++) writer.byte(name.charCodeAt(at));
    writer.varint(bytes);
    writer.u32(crc);
  }
  const frame = writer.finish();
  if (frame.length > maxOfferBytes) {
    throw new RangeError(`a snapshot's message of ${frame.length} bytes; at most ${maxOfferBytes}: use files`);
  }
  return frame;
}

/** Writes a chunk and its checksum. */
export function encodeChunk(file: number, offset: number, bytes: Uint8Array): Uint8Array {
  const writer = new WireWriter(1 + 2 * maxVarintBytes + 4 + bytes.length);
  writer.byte(kind.chunk);
  writer.varint(file);
  writer.varint(offset);
  writer.u32(crc32(bytes));
  writer.raw(bytes);
  return writer.finish();
}

/** Everything was sent. */
export const endFrame: Uint8Array = Uint8Array.of(kind.end);

/** All of it is durable. */
export const doneFrame: Uint8Array = Uint8Array.of(kind.done);

/** What is there already, by file. */
export function encodeBegin(window: number, have: readonly number[]): Uint8Array {
  const writer = new WireWriter(1 + (2 + have.length) * maxVarintBytes);
  writer.byte(kind.begin);
  writer.varint(window);
  writer.varint(have.length);
  for (const bytes of have) writer.varint(bytes);
  return writer.finish();
}

/** What was written since `begin`. */
export function encodeTaken(weight: number): Uint8Array {
  const writer = new WireWriter(1 + maxVarintBytes);
  writer.byte(kind.taken);
  writer.varint(weight);
  return writer.finish();
}

/** Throws `PeerError` `MALFORMED`, or `SNAPSHOT_DAMAGED` where a checksum does not fit; nothing else. */
export function decodeSenderFrame(frame: Uint8Array, from: number, to: number): SenderFrame {
  const reader = new WireReader(frame);
  const first = reader.byte();
  if (first === kind.offer) return decodeOffer(reader, frame, from, to);
  if (first === kind.chunk) return decodeChunk(reader);
  if (first !== kind.end || reader.left > 0) throw reader.malformed(`of a snapshot is of the unknown kind ${first}`);
  return { type: 'end' };
}

function decodeOffer(reader: WireReader, frame: Uint8Array, from: number, to: number): SenderFrame {
  const messages: GroupMessage[] = [];
  new ItemReader(reader, frame, from, to).next(messages, []);
  const [offer] = messages;
  if (offer?.message.snapshot === undefined || offer.message.type !== 'MsgSnap') {
    throw reader.malformed('offers what is no snapshot');
  }
  const files: SnapshotFile[] = [];
  const count = reader.count(7);
  if (count > maxFiles) throw reader.malformed(`offers ${count} files; at most ${maxFiles}`);
  for (let at = 0; at < count; at++) {
    const nameBytes = reader.varint();
    if (nameBytes > maxNameBytes) throw reader.malformed(`has a file name of ${nameBytes} bytes`);
    const name = String.fromCharCode(...reader.view(nameBytes));
    if (!isFileName(name)) throw reader.malformed('has a file name that is none');
    files.push({ name, bytes: reader.varint(), crc: reader.u32() });
  }
  if (reader.left > 0) throw reader.malformed('goes on behind its files');
  return { type: 'offer', offer, files };
}

function decodeChunk(reader: WireReader): SenderFrame {
  const file = reader.varint();
  const offset = reader.varint();
  const crc = reader.u32();
  const bytes = reader.view(reader.left);
  if (bytes.length === 0 || bytes.length > maxChunkBytes) throw reader.malformed('has a chunk of a wrong size');
  if (crc32(bytes) !== crc) {
    throw new PeerError('SNAPSHOT_DAMAGED', `the chunk of file ${file} at ${offset} is not what its checksum says`);
  }
  return { type: 'chunk', file, offset, bytes };
}

/** Throws `PeerError` `MALFORMED`, and nothing else. */
export function decodeReceiverFrame(frame: Uint8Array): ReceiverFrame {
  const reader = new WireReader(frame);
  const decoded = decodeAnswer(reader);
  if (reader.left > 0) throw reader.malformed('goes on behind its end');
  return decoded;
}

function decodeAnswer(reader: WireReader): ReceiverFrame {
  const first = reader.byte();
  if (first === kind.done) return { type: 'done' };
  if (first === kind.taken) return { type: 'taken', weight: reader.varint() };
  if (first !== kind.begin) throw reader.malformed(`of a snapshot is of the unknown kind ${first}`);
  const window = reader.varint();
  const have: number[] = [];
  for (let left = reader.count(1); left > 0; left--) have.push(reader.varint());
  return { type: 'begin', window, have };
}

function isFileName(name: string): boolean {
  if (name.length > maxNameBytes || !/^[\w.-]+(?:\/[\w.-]+)*$/.test(name)) return false;
  return name.split('/').every((part) => part !== '.' && part !== '..');
}
