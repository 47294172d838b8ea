/** Records of a store in a write-ahead log: docs/formats/entry-store.md. Their checksums are the log's. */
import type { StreamId } from '../core/entry-id.js';
import { type Hlc, hlcBytes } from '../core/hlc.js';
import type { Run } from '../core/run.js';
import type { OriginMark, StreamPosition } from '../core/stream-position.js';
import {
  markBytes,
  positionBytes,
  readMark,
  readPosition,
  readStream,
  writeMark,
  writePosition,
  writeStream,
} from '../wire/fields.js';
import { WireReader } from '../wire/wire-reader.js';
import { maxVarintBytes, WireWriter } from '../wire/wire-writer.js';

/** What a record says. */
export type StoreRecord =
  | { readonly type: 'run'; readonly run: Run }
  | { readonly type: 'position'; readonly position: StreamPosition }
  | { readonly type: 'mark'; readonly mark: OriginMark }
  | { readonly type: 'ceiling'; readonly hlc: Hlc }
  | { readonly type: 'epoch'; readonly epoch: number }
  | { readonly type: 'removed'; readonly logId: number };

const kinds = { run: 1, position: 2, mark: 3, ceiling: 4, epoch: 5, removed: 6 } as const;

/** The record's kind and payload, as the log takes them. */
export function encodeStoreRecord(record: StoreRecord): { readonly kind: number; readonly payload: Uint8Array } {
  const writer = new WireWriter(boundOf(record));
  switch (record.type) {
    case 'run': {
      const { stream, firstSequence, count, lastHlc, bytes } = record.run;
      writeStream(writer, stream);
      writer.varint(firstSequence);
      writer.varint(count);
      writer.hlc(lastHlc);
      writer.raw(bytes);
      break;
    }
    case 'position':
      writePosition(writer, record.position);
      break;
    case 'mark':
      writeMark(writer, record.mark);
      break;
    case 'ceiling':
      writer.hlc(record.hlc);
      break;
    case 'epoch':
      writer.varint(record.epoch);
      break;
    case 'removed':
      writer.varint(record.logId);
      break;
  }
  return { kind: kinds[record.type], payload: writer.plain() };
}

function boundOf(record: StoreRecord): number {
  if (record.type === 'run') return 5 * maxVarintBytes + hlcBytes + record.run.bytes.length;
  return record.type === 'mark' ? markBytes(record.mark) : positionBytes;
}

/** Reads a record; the entries of a run are a view, and are not looked at. Throws `ReplicationError` `CORRUPT`. */
export function decodeStoreRecord(kind: number, payload: Uint8Array): StoreRecord {
  const reader = new WireReader(payload, 0, true);
  const record = readRecord(kind, reader);
  reader.end();
  return record;
}

function readRecord(kind: number, reader: WireReader): StoreRecord {
  switch (kind) {
    case kinds.run: {
      const stream: StreamId = readStream(reader);
      const firstSequence = reader.positive('sequence');
      const count = reader.positive('count');
      return { type: 'run', run: { stream, firstSequence, count, lastHlc: reader.hlc(), bytes: reader.rest() } };
    }
    case kinds.position:
      return { type: 'position', position: readPosition(reader) };
    case kinds.mark:
      return { type: 'mark', mark: readMark(reader) };
    case kinds.ceiling:
      return { type: 'ceiling', hlc: reader.hlc() };
    case kinds.epoch:
      return { type: 'epoch', epoch: reader.positive('epoch') };
    case kinds.removed:
      return { type: 'removed', logId: reader.positive('log id') };
    default:
      throw reader.corrupt(`is of kind ${kind}, which this version does not have`);
  }
}
