/**
 * Where in a group's store each part of its state lies: one byte says which part. docs/formats/state-machine.md lists
 * them. Numbers in keys are big-endian, so that ranges come in numeric order.
 */
import type { StreamId } from '@shanghai/replication';
import { writeU32Ordered, writeU64Ordered } from './byte-fields.js';

/** The first byte of every key of a group's store. */
export const statePrefix = {
  /** Counters, applied index, settings: one record. */
  meta: 0x01,
  sessionHeader: 0x02,
  sessionResult: 0x03,
  /** Many results of a session together. */
  sessionBlock: 0x13,
  log: 0x04,
  producer: 0x05,
  catalogue: 0x06,
  consumer: 0x09,
  /** What compaction took away. */
  hidden: 0x0a,
  stream: 0x07,
  origin: 0x08,
  /** Of keyspaces of mode multi-master: the fold's numbers, held entries, verdicts, what lost. */
  keyspace: 0x0b,
  keyspaceHeld: 0x0c,
  keyspaceVerdict: 0x0d,
  keyspaceLost: 0x0e,
  /** What the upkeep log says: consumers of logs that every node writes, and what was trimmed of these by hand. */
  sharedConsumer: 0x0f,
  trimFloor: 0x10,
  /** What is known of other origins. */
  mark: 0x11,
  data: 0x20,
  /** Rows of keyspaces of mode multi-master, and when they have something to forget. */
  row: 0x21,
  due: 0x22,
  /** This node's own notes; not part of the replicated state. */
  local: 0xf0,
  /** Whose store it is; not part of the replicated state either. */
  owner: 0xf1,
  /** This node's own notes of its own group. */
  originNotes: 0xf2,
} as const;

/** The one record of counters. */
export const metaKey = Buffer.from([statePrefix.meta]);

/** What the state was restored from; absent where it never was. Beside the counters. */
export const restoredKey = Buffer.from([statePrefix.meta, 1]);

/** Bytes in front of a caller's key. */
export const dataKeyHeadBytes = 5;

/** A key of a keyspace. */
export function dataKey(keyspaceId: number, key: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(dataKeyHeadBytes + key.length);
  bytes[0] = statePrefix.data;
  writeU32Ordered(bytes, 1, keyspaceId);
  bytes.set(key, dataKeyHeadBytes);
  return bytes;
}

/** A session's own record. */
export function sessionHeaderKey(sessionId: number): Buffer {
  const bytes = Buffer.allocUnsafe(9);
  bytes[0] = statePrefix.sessionHeader;
  writeU64Ordered(bytes, 1, sessionId);
  return bytes;
}

/** The place of a request's result: numbers a window apart share it, so that a session never holds more than a window. */
export function sessionResultKey(sessionId: number, place: number): Buffer {
  const bytes = Buffer.allocUnsafe(11);
  bytes[0] = statePrefix.sessionResult;
  writeU64Ordered(bytes, 1, sessionId);
  bytes[9] = place >>> 8;
  bytes[10] = place;
  return bytes;
}

/** The place of the results of 64 consecutive request numbers. */
export function sessionBlockKey(sessionId: number, place: number): Buffer {
  const bytes = Buffer.allocUnsafe(10);
  bytes[0] = statePrefix.sessionBlock;
  writeU64Ordered(bytes, 1, sessionId);
  bytes[9] = place;
  return bytes;
}

/** A log's record. */
export function logKey(logId: number): Buffer {
  const bytes = Buffer.allocUnsafe(5);
  bytes[0] = statePrefix.log;
  writeU32Ordered(bytes, 1, logId);
  return bytes;
}

/** What is remembered of a log's producer. */
export function producerKey(logId: number, producerId: number): Buffer {
  const bytes = Buffer.allocUnsafe(13);
  bytes[0] = statePrefix.producer;
  writeU32Ordered(bytes, 1, logId);
  writeU64Ordered(bytes, 5, producerId);
  return bytes;
}

/** A consumer of a log. */
export function consumerKey(logId: number, name: string): Buffer {
  return namedKey(statePrefix.consumer, logId, name);
}

/** A consumer of a log that every node writes. */
export function sharedConsumerKey(logId: number, name: string): Buffer {
  return namedKey(statePrefix.sharedConsumer, logId, name);
}

function namedKey(prefix: number, logId: number, name: string): Buffer {
  const text = Buffer.from(name);
  const bytes = Buffer.allocUnsafe(5 + text.length);
  bytes[0] = prefix;
  writeU32Ordered(bytes, 1, logId);
  bytes.set(text, 5);
  return bytes;
}

/** How far compaction of a log has come. In front of its chunks. */
export function compactionKey(logId: number): Buffer {
  const bytes = Buffer.allocUnsafe(5);
  bytes[0] = statePrefix.hidden;
  writeU32Ordered(bytes, 1, logId);
  return bytes;
}

/** Which of 4,096 sequence numbers of a log are hidden. */
export function hiddenChunkKey(logId: number, index: number): Buffer {
  const bytes = Buffer.allocUnsafe(13);
  bytes[0] = statePrefix.hidden;
  writeU32Ordered(bytes, 1, logId);
  writeU64Ordered(bytes, 5, index);
  return bytes;
}

/** A record of the catalogue: `table` is one letter. */
export function catalogueKey(table: string, name: string): Buffer {
  return Buffer.concat([Buffer.from([statePrefix.catalogue]), Buffer.from(table), Buffer.from(name)]);
}

/** A stream's record. */
export function streamRecordKey(stream: StreamId): Buffer {
  return streamKeyOf(statePrefix.stream, stream);
}

/** From where on a stream is read. */
export function trimFloorKey(stream: StreamId): Buffer {
  return streamKeyOf(statePrefix.trimFloor, stream);
}

function streamKeyOf(prefix: number, { logId, origin, epoch }: StreamId): Buffer {
  const bytes = Buffer.allocUnsafe(17);
  bytes[0] = prefix;
  writeU32Ordered(bytes, 1, logId);
  writeU32Ordered(bytes, 5, origin);
  writeU64Ordered(bytes, 9, epoch);
  return bytes;
}

/** What is known of an origin. */
export function markKey(origin: number): Buffer {
  const bytes = Buffer.allocUnsafe(5);
  bytes[0] = statePrefix.mark;
  writeU32Ordered(bytes, 1, origin);
  return bytes;
}

/** The one record of this node as an origin. */
export const originKey = Buffer.from([statePrefix.origin]);

/** Which log appends a run of entries ending at `index` accepted. */
export function acceptedAppendsKey(index: number): Buffer {
  return noteKey(statePrefix.local, index);
}

/** Which appends of this origin a run of entries ending at `index` accepted. */
export function originNotesKey(index: number): Buffer {
  return noteKey(statePrefix.originNotes, index);
}

function noteKey(prefix: number, index: number): Buffer {
  const bytes = Buffer.allocUnsafe(9);
  bytes[0] = prefix;
  writeU64Ordered(bytes, 1, index);
  return bytes;
}
