/**
 * Messages as bytes: docs/protocols/CLUSTER.md.
 *
 *   frame   kind u8 · body of the message
 *   record  node id varint · incarnation varint · state u8 · name · address · instance id texts · tags varint · (key value texts)…
 *
 * The kind comes first, so that a node can pass over what a later version says. Records have no length of their own: a frame
 * that cannot be read to its end is not believed in any part.
 */
import { type Member, memberStates, rankOf } from '../core/member.js';
import { excessOf, memberLimits } from '../core/member-limits.js';
import { bucketCount } from '../core/member-view.js';
import type { MemberVersion, Message, RefusalReason } from '../core/message.js';
import { FrameReader } from './frame-reader.js';
import { FrameWriter } from './frame-writer.js';

/** No frame is larger. */
export const maxFrameBytes = 1_048_576;

const kinds = {
  heartbeat: 1,
  ping: 2,
  ack: 3,
  ask: 4,
  nack: 5,
  accuse: 6,
  gossip: 7,
  digest: 8,
  versions: 9,
  records: 10,
  join: 11,
  welcome: 12,
  refusal: 13,
} as const satisfies Readonly<Record<Message['type'], number>>;

const reasons: readonly RefusalReason[] = ['otherCluster', 'nameTaken', 'removed', 'tooMuch'];

/** The bytes of a message. */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new FrameWriter();
  writer.byte(kinds[message.type]);
  writeBody(writer, message);
  return writer.finish();
}

function writeBody(writer: FrameWriter, message: Message): void {
  switch (message.type) {
    case 'heartbeat':
      writer.varint(message.incarnation);
      writer.u32(message.viewHash);
      return;
    case 'ping':
      writer.varint(message.number);
      return;
    case 'ack':
    case 'ask':
    case 'nack':
      writer.varint(message.number);
      writer.varint(message.subject);
      return;
    case 'accuse':
      writer.varint(message.subject);
      writer.varint(message.incarnation);
      return;
    case 'gossip':
    case 'welcome':
      writeRecords(writer, message.records);
      return;
    case 'digest':
      for (const hash of message.hashes) writer.u32(hash);
      return;
    case 'versions':
      writer.u32(message.buckets);
      for (const version of message.versions) writeVersion(writer, version);
      return;
    case 'records':
      writer.varint(message.wanted.length);
      for (const nodeId of message.wanted) writer.varint(nodeId);
      writeRecords(writer, message.records);
      return;
    case 'join':
      writer.text(message.clusterId);
      writeRecords(writer, [message.record]);
      return;
    case 'refusal':
      writer.byte(reasons.indexOf(message.reason) + 1);
      writer.text(message.text);
      return;
  }
}

function writeVersion(writer: FrameWriter, { nodeId, incarnation, state }: MemberVersion): void {
  writer.varint(nodeId);
  writer.varint(incarnation);
  writer.byte(rankOf(state));
}

/** A record goes out many times before another takes its place. */
const encodedRecords = new WeakMap<Member, Uint8Array>();

function writeRecords(writer: FrameWriter, records: readonly Member[]): void {
  for (const record of records) {
    let bytes = encodedRecords.get(record);
    if (bytes === undefined) {
      bytes = encodeRecord(record);
      encodedRecords.set(record, bytes);
    }
    writer.bytes(bytes);
  }
}

function encodeRecord(record: Member): Uint8Array {
  const writer = new FrameWriter();
  writeVersion(writer, record);
  writer.text(record.name);
  writer.text(record.address);
  writer.text(record.instanceId);
  const tags = Object.entries(record.tags);
  // By their bytes, as the protocol wants them; the order of UTF-16 units is another one.
  if (tags.length > 1) tags.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  writer.varint(tags.length);
  for (const [key, value] of tags) {
    writer.text(key);
    writer.text(value);
  }
  return writer.finish();
}

/** The message of a frame; `undefined` for a kind that this version does not know. Throws `MembershipError` `CORRUPT`. */
export function decodeMessage(frame: Uint8Array): Message | undefined {
  const reader = new FrameReader(frame);
  if (frame.length > maxFrameBytes) throw reader.corrupt(`is larger than ${maxFrameBytes}`);
  const message = readBody(reader, reader.byte());
  if (message !== undefined && reader.left > 0) throw reader.corrupt(`has ${reader.left} bytes too many`);
  return message;
}

function readBody(reader: FrameReader, kind: number): Message | undefined {
  switch (kind) {
    case kinds.heartbeat:
      return { type: 'heartbeat', incarnation: reader.varint(), viewHash: reader.u32() };
    case kinds.ping:
      return { type: 'ping', number: reader.varint() };
    case kinds.ack:
      return { type: 'ack', number: reader.varint(), subject: reader.id() };
    case kinds.ask:
      return { type: 'ask', number: reader.varint(), subject: reader.id() };
    case kinds.nack:
      return { type: 'nack', number: reader.varint(), subject: reader.id() };
    case kinds.accuse:
      return { type: 'accuse', subject: reader.id(), incarnation: reader.varint() };
    case kinds.gossip:
      return { type: 'gossip', records: readRecords(reader) };
    case kinds.digest:
      return { type: 'digest', hashes: Array.from({ length: bucketCount }, () => reader.u32()) };
    case kinds.versions:
      return { type: 'versions', buckets: reader.u32(), versions: readVersions(reader) };
    case kinds.records:
      return { type: 'records', wanted: readWanted(reader), records: readRecords(reader) };
    case kinds.join:
      return { type: 'join', clusterId: readClusterId(reader), record: readRecord(reader) };
    case kinds.welcome:
      return { type: 'welcome', records: readRecords(reader) };
    case kinds.refusal:
      return { type: 'refusal', reason: readReason(reader), text: reader.text() };
    default:
      return undefined;
  }
}

function readVersion(reader: FrameReader): MemberVersion {
  const [nodeId, incarnation, rank] = [reader.id(), reader.varint(), reader.byte()];
  const state = memberStates[rank];
  if (state === undefined) throw reader.corrupt(`has the state ${rank}`);
  return { nodeId, incarnation, state };
}

function readVersions(reader: FrameReader): MemberVersion[] {
  const versions: MemberVersion[] = [];
  while (reader.left > 0) versions.push(readVersion(reader));
  return versions;
}

function readRecords(reader: FrameReader): Member[] {
  const records: Member[] = [];
  while (reader.left > 0) records.push(readRecord(reader));
  return records;
}

function readRecord(reader: FrameReader): Member {
  const { nodeId, incarnation, state } = readVersion(reader);
  const [name, address, instanceId] = [reader.text(), reader.text(), reader.text()];
  const record = { nodeId, name, address, instanceId, incarnation, state, tags: readTags(reader) };
  const excess = excessOf(record);
  if (excess !== undefined) throw reader.corrupt(`has a record with ${excess}`);
  return record;
}

function readTags(reader: FrameReader): Readonly<Record<string, string>> {
  const count = reader.varint();
  if (count > memberLimits.tags) throw reader.corrupt(`has a record with ${count} tags`);
  const tags: [string, string][] = [];
  for (let i = 0; i < count; i++) {
    const key = reader.text();
    const last = tags.at(-1)?.[0];
    if (last !== undefined && Buffer.compare(Buffer.from(last), Buffer.from(key)) >= 0) {
      throw reader.corrupt('has tags out of order');
    }
    tags.push([key, reader.text()]);
  }
  return Object.fromEntries(tags);
}

function readWanted(reader: FrameReader): number[] {
  const count = reader.varint();
  if (count > Math.min(memberLimits.members, reader.left)) throw reader.corrupt(`wants ${count} records`);
  return Array.from({ length: count }, () => reader.id());
}

function readClusterId(reader: FrameReader): string {
  const clusterId = reader.text();
  if (clusterId.length < 1 || clusterId.length > 128) throw reader.corrupt('has no cluster id');
  return clusterId;
}

function readReason(reader: FrameReader): RefusalReason {
  const byte = reader.byte();
  const reason = reasons[byte - 1];
  if (reason === undefined) throw reader.corrupt(`has the reason ${byte}`);
  return reason;
}
