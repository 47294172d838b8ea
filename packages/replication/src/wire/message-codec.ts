/** Messages in bytes: docs/protocols/REPLICATION.md draws them. What is encoded is a whole message, its first byte included. */
import { hlcBytes } from '../core/hlc.js';
import type { ControlMessage, DataMessage } from '../core/message.js';
import { entryHeaderBytes } from '../core/run.js';
import {
  markBytes,
  positionBytes,
  readMany,
  readMark,
  readPosition,
  readStream,
  writeMark,
  writePosition,
  writeStream,
} from './fields.js';
import { WireReader } from './wire-reader.js';
import { maxVarintBytes, WireWriter } from './wire-writer.js';

const wholeMark = 0;
const typeOf = { positions: 1, marks: 2, want: 3, grant: 4, run: 16, mark: 17, rows: 18, trimmed: 19 } as const;
/** First byte, type, checksum. */
const envelopeBytes = 6;
const completeFlag = 1;

/** A message of the lane of control. */
export function encodeControl(message: ControlMessage): Uint8Array {
  switch (message.type) {
    case 'positions': {
      const { positions, isComplete } = message;
      const writer = begin(typeOf.positions, 1 + maxVarintBytes + positions.length * positionBytes);
      writer.byte(isComplete ? completeFlag : 0);
      writer.varint(positions.length);
      for (const position of positions) writePosition(writer, position);
      return writer.finish(1);
    }
    case 'marks': {
      const { marks } = message;
      const writer = begin(
        typeOf.marks,
        marks.reduce((sum, mark) => sum + markBytes(mark), maxVarintBytes),
      );
      writer.varint(marks.length);
      for (const mark of marks) writeMark(writer, mark);
      return writer.finish(1);
    }
    case 'want': {
      const writer = begin(typeOf.want, (message.origins.length + 1) * maxVarintBytes);
      writer.varint(message.origins.length);
      for (const origin of message.origins) writer.varint(origin);
      return writer.finish(1);
    }
    case 'grant': {
      const writer = begin(typeOf.grant, 2 * maxVarintBytes);
      writer.varint(message.entries);
      writer.varint(message.bytes);
      return writer.finish(1);
    }
  }
}

/** A message of the lane of data. */
export function encodeData(message: DataMessage): Uint8Array {
  switch (message.type) {
    case 'run': {
      const { stream, firstSequence, count, lastHlc, bytes } = message.run;
      const writer = begin(typeOf.run, 5 * maxVarintBytes + hlcBytes + bytes.length);
      writeStream(writer, stream);
      writer.varint(firstSequence);
      writer.varint(count);
      writer.hlc(lastHlc);
      writer.raw(bytes);
      return writer.finish(1);
    }
    case 'mark': {
      const writer = begin(typeOf.mark, markBytes(message.mark));
      writeMark(writer, message.mark);
      return writer.finish(1);
    }
    case 'rows': {
      const writer = begin(typeOf.rows, maxVarintBytes + message.rows.length);
      writer.varint(message.logId);
      writer.raw(message.rows);
      return writer.finish(1);
    }
    case 'trimmed': {
      const writer = begin(typeOf.trimmed, 4 * maxVarintBytes);
      writeStream(writer, message.stream);
      writer.varint(message.firstSequence);
      return writer.finish(1);
    }
  }
}

/** Reads a message of control. Throws `ReplicationError` `CORRUPT`. */
export function decodeControl(bytes: Uint8Array): ControlMessage {
  const reader = new WireReader(bytes, 1);
  const type = reader.byte();
  const message = readControl(reader, type);
  reader.end();
  return message;
}

function readControl(reader: WireReader, type: number): ControlMessage {
  switch (type) {
    case typeOf.positions: {
      const flags = reader.byte();
      if (flags > completeFlag) throw reader.corrupt(`has flags ${flags}`);
      const positions = readMany(reader, 5 + hlcBytes, readPosition);
      return { type: 'positions', positions, isComplete: flags === completeFlag };
    }
    case typeOf.marks:
      return { type: 'marks', marks: readMany(reader, 2 + hlcBytes, readMark) };
    case typeOf.want:
      return { type: 'want', origins: readMany(reader, 1, () => reader.positive('origin')) };
    case typeOf.grant:
      return { type: 'grant', entries: reader.varint(), bytes: reader.varint() };
    default:
      throw reader.corrupt(`is of type ${type}, which control does not have`);
  }
}

/** Reads a message of data; entries and rows are views. Throws `ReplicationError` `CORRUPT`. */
export function decodeData(bytes: Uint8Array): DataMessage {
  const reader = new WireReader(bytes, 1);
  const type = reader.byte();
  const message = readData(reader, type);
  reader.end();
  return message;
}

function readData(reader: WireReader, type: number): DataMessage {
  switch (type) {
    case typeOf.run: {
      const stream = readStream(reader);
      const firstSequence = reader.positive('sequence');
      const count = reader.positive('count');
      const lastHlc = reader.hlc();
      // What is in the entries is for the store to check; that there can be so many is seen here.
      if (count * entryHeaderBytes > reader.left) throw reader.corrupt(`counts ${count} entries`);
      if (firstSequence + count > Number.MAX_SAFE_INTEGER) throw reader.corrupt(`begins at entry ${firstSequence}`);
      return { type: 'run', run: { stream, firstSequence, count, lastHlc, bytes: reader.rest() } };
    }
    case typeOf.mark:
      return { type: 'mark', mark: readMark(reader) };
    case typeOf.rows:
      return { type: 'rows', logId: reader.positive('log id'), rows: reader.rest() };
    case typeOf.trimmed:
      return { type: 'trimmed', stream: readStream(reader), firstSequence: reader.positive('sequence') };
    default:
      throw reader.corrupt(`is of type ${type}, which data does not have`);
  }
}

function begin(type: number, bodyBytes: number): WireWriter {
  const writer = new WireWriter(envelopeBytes + bodyBytes);
  writer.byte(wholeMark);
  writer.byte(type);
  return writer;
}
