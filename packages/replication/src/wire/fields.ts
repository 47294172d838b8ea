/** What messages and records are made of: docs/protocols/REPLICATION.md says how each field is written. */
import type { StreamId } from '../core/entry-id.js';
import { hlcBytes } from '../core/hlc.js';
import type { OriginMark, StreamPosition } from '../core/stream-position.js';
import type { WireReader } from './wire-reader.js';
import { maxVarintBytes, type WireWriter } from './wire-writer.js';

/** What a position takes at most. */
export const positionBytes = 5 * maxVarintBytes + hlcBytes;

/** A count, and so many items of at least `leastBytes`. */
export function readMany<Item>(reader: WireReader, leastBytes: number, read: (reader: WireReader) => Item): Item[] {
  const count = reader.count(leastBytes);
  const items: Item[] = [];
  for (let i = 0; i < count; i++) items.push(read(reader));
  return items;
}

/** A stream. */
export function writeStream(writer: WireWriter, { logId, origin, epoch }: StreamId): void {
  writer.varint(logId);
  writer.varint(origin);
  writer.varint(epoch);
}

/** A stream. */
export function readStream(reader: WireReader): StreamId {
  const logId = reader.positive('log id');
  const origin = reader.positive('origin');
  return { logId, origin, epoch: reader.positive('epoch') };
}

/** A position. */
export function writePosition(
  writer: WireWriter,
  { stream, firstSequence, lastSequence, lastHlc }: StreamPosition,
): void {
  writeStream(writer, stream);
  writer.varint(firstSequence);
  writer.varint(lastSequence);
  writer.hlc(lastHlc);
}

/** A position. */
export function readPosition(reader: WireReader): StreamPosition {
  const stream = readStream(reader);
  const firstSequence = reader.positive('sequence');
  const lastSequence = reader.varint();
  if (firstSequence > lastSequence + 1) throw reader.corrupt(`has a position of ${firstSequence} to ${lastSequence}`);
  return { stream, firstSequence, lastSequence, lastHlc: reader.hlc() };
}

/** What a mark takes at most. */
export function markBytes({ behind }: OriginMark): number {
  return 2 * maxVarintBytes + hlcBytes + behind.length * (maxVarintBytes + hlcBytes);
}

/** A mark. */
export function writeMark(writer: WireWriter, { origin, hlc, behind }: OriginMark): void {
  writer.varint(origin);
  writer.hlc(hlc);
  writer.varint(behind.length);
  for (const log of behind) {
    writer.varint(log.logId);
    writer.hlc(log.hlc);
  }
}

/** A mark. */
export function readMark(reader: WireReader): OriginMark {
  const origin = reader.positive('origin');
  const hlc = reader.hlc();
  const behind = readMany(reader, 1 + hlcBytes, () => ({ logId: reader.positive('log id'), hlc: reader.hlc() }));
  return { origin, hlc, behind };
}
