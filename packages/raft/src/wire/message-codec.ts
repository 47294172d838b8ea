/**
 * Messages as bytes (docs/formats/peer-protocol.md). An item is
 *
 *     tag | group | flags | the fields that the flags name
 *
 * where heartbeats and their answers, of which there is one a group and tick, have short forms without flags. Whoever
 * writes bounds the size first, so that entries' bytes are copied once, into the frame.
 */
import type { ConfState } from '../core/configuration/configuration.js';
import { type Entry, type EntryType, noData, type Snapshot } from '../core/entry.js';
import { createMessage, type Message, type MessageType } from '../core/message.js';
import type { GroupMessage, GroupSignal } from '../ports/peer-transport.js';
import { WireReader } from './wire-reader.js';
import { maxVarintBytes, type WireWriter } from './wire-writer.js';

const messageTypes: readonly (MessageType | undefined)[] = [
  undefined,
  'MsgProp',
  'MsgApp',
  'MsgAppResp',
  'MsgVote',
  'MsgVoteResp',
  'MsgSnap',
  'MsgHeartbeat',
  'MsgHeartbeatResp',
  'MsgTransferLeader',
  'MsgTimeoutNow',
  'MsgReadIndex',
  'MsgReadIndexResp',
  'MsgPreVote',
  'MsgPreVoteResp',
];
const tagOfType = new Map(messageTypes.flatMap((type, tag) => (type === undefined ? [] : [[type, tag] as const])));
const heartbeatTag = 32;
const heartbeatResponseTag = 33;
const firstSignalTag = 48;
const signalTypes: readonly GroupSignal['type'][] = ['sleep', 'asleep', 'rest', 'wake'];
const entryTypes: readonly EntryType[] = ['EntryNormal', 'EntryConfChange', 'EntryConfChangeV2'];

const flag = {
  term: 1,
  logTerm: 2,
  index: 4,
  commit: 8,
  vote: 16,
  rejectHint: 32,
  context: 64,
  reject: 128,
  from: 256,
  entries: 512,
  snapshot: 1024,
};
const allFlags = 2047;

/** Tag, group, flags, the eight integers, and what entries begin with. */
const headBound = 1 + 13 * maxVarintBytes;
const entryHeadBound = 2 * maxVarintBytes;
/** Shorter parts of a frame than this share of it are copied out, so that they do not keep all of it alive. */
const viewShare = 0.5;

/** What an item takes at most. */
export function messageBound({ message }: GroupMessage): number {
  const { entries, snapshot } = message;
  let bytes = headBound;
  for (const { data } of entries) bytes += entryHeadBound + data.length;
  if (snapshot !== undefined) bytes += snapshotBound(snapshot);
  return bytes;
}

function snapshotBound({ metadata, data }: Snapshot): number {
  const { voters, votersOutgoing, learners, learnersNext } = metadata.confState;
  const ids = voters.length + votersOutgoing.length + learners.length + learnersNext.length;
  return (ids + 8) * maxVarintBytes + data.length;
}

/** What a signal takes at most. */
export const signalBound = 1 + 3 * maxVarintBytes;

/** Writes an item. `from` is the node that sends. */
export function writeMessage(writer: WireWriter, { groupId, message }: GroupMessage, from: number): void {
  if (isShort(message, from)) {
    const isHeartbeat = message.type === 'MsgHeartbeat';
    writer.byte(isHeartbeat ? heartbeatTag : heartbeatResponseTag);
    writer.varint(groupId);
    writer.varint(message.term);
    if (isHeartbeat) writer.varint(message.commit);
    writer.varint(message.context);
    return;
  }
  const tag = tagOfType.get(message.type);
  if (tag === undefined || message.responses.length > 0) throw new TypeError(`a ${message.type} stays on its node`);
  const flags = flagsOf(message, from);
  writer.byte(tag);
  writer.varint(groupId);
  writer.varint(flags);
  if (flags & flag.term) writer.varint(message.term);
  if (flags & flag.logTerm) writer.varint(message.logTerm);
  if (flags & flag.index) writer.varint(message.index);
  if (flags & flag.commit) writer.varint(message.commit);
  if (flags & flag.vote) writer.varint(message.vote);
  if (flags & flag.rejectHint) writer.varint(message.rejectHint);
  if (flags & flag.context) writer.varint(message.context);
  if (flags & flag.from) writer.varint(message.from);
  if (flags & flag.entries) writeEntries(writer, message.entries);
  if (message.snapshot !== undefined) writeSnapshot(writer, message.snapshot);
}

/** Whether it is a heartbeat, or the answer to one, that says nothing out of the ordinary. */
function isShort(message: Message, from: number): boolean {
  const { type, entries, snapshot } = message;
  if (type !== 'MsgHeartbeat' && type !== 'MsgHeartbeatResp') return false;
  if (message.from !== from || message.logTerm !== 0 || message.index !== 0 || message.vote !== 0) return false;
  if (message.reject || message.rejectHint !== 0 || entries.length > 0 || snapshot !== undefined) return false;
  return type === 'MsgHeartbeat' || message.commit === 0;
}

function flagsOf(message: Message, from: number): number {
  let flags = 0;
  if (message.term !== 0) flags |= flag.term;
  if (message.logTerm !== 0) flags |= flag.logTerm;
  if (message.index !== 0) flags |= flag.index;
  if (message.commit !== 0) flags |= flag.commit;
  if (message.vote !== 0) flags |= flag.vote;
  if (message.rejectHint !== 0) flags |= flag.rejectHint;
  if (message.context !== 0) flags |= flag.context;
  if (message.reject) flags |= flag.reject;
  if (message.from !== from) flags |= flag.from;
  if (message.entries.length > 0) flags |= flag.entries;
  if (message.snapshot !== undefined) flags |= flag.snapshot;
  return flags;
}

function writeEntries(writer: WireWriter, entries: readonly Entry[]): void {
  const first = entries[0]?.index ?? 0;
  writer.varint(entries.length);
  writer.varint(first);
  const length = writer.reserveU32();
  let expected = first;
  for (const { term, index, type, data } of entries) {
    if (index !== expected) throw new RangeError(`entry ${index} where ${expected} is next`);
    if (first > 0) expected++;
    writer.varint(term);
    writer.varint(data.length * 4 + entryTypes.indexOf(type));
    writer.raw(data);
  }
  writer.fillU32(length);
}

function writeSnapshot(writer: WireWriter, { metadata, data }: Snapshot): void {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = metadata.confState;
  writer.varint(metadata.index);
  writer.varint(metadata.term);
  for (const ids of [voters, votersOutgoing, learners, learnersNext]) {
    writer.varint(ids.length);
    for (const id of ids) writer.varint(id);
  }
  writer.byte(autoLeave ? 1 : 0);
  writer.varint(data.length);
  writer.raw(data);
}

/** Writes an item. */
export function writeSignal(writer: WireWriter, { groupId, type, term, index }: GroupSignal): void {
  writer.byte(firstSignalTag + signalTypes.indexOf(type));
  writer.varint(groupId);
  writer.varint(term);
  writer.varint(index);
}

/** Reads items between two nodes, out of one frame of `frameBytes`. */
export class ItemReader {
  readonly #reader: WireReader;
  readonly #frame: Uint8Array;
  readonly #from: number;
  readonly #to: number;

  constructor(reader: WireReader, frame: Uint8Array, from: number, to: number) {
    this.#reader = reader;
    this.#frame = frame;
    this.#from = from;
    this.#to = to;
  }

  /** Adds the next item to those it is one of. What it holds of the frame's bytes is its own, or at least half of the frame. */
  next(messages: GroupMessage[], signals: GroupSignal[]): void {
    const reader = this.#reader;
    const tag = reader.byte();
    if (tag === heartbeatTag || tag === heartbeatResponseTag) messages.push(this.#heartbeat(tag));
    else if (tag >= firstSignalTag && tag < firstSignalTag + signalTypes.length) {
      const type = signalTypes[tag - firstSignalTag] as GroupSignal['type'];
      signals.push({ groupId: reader.varint(), type, term: reader.varint(), index: reader.varint() });
    } else messages.push(this.#message(tag));
  }

  #heartbeat(tag: number): GroupMessage {
    const reader = this.#reader;
    const type = tag === heartbeatTag ? 'MsgHeartbeat' : 'MsgHeartbeatResp';
    const groupId = reader.varint();
    const term = reader.varint();
    const commit = tag === heartbeatTag ? reader.varint() : 0;
    const context = reader.varint();
    return { groupId, message: createMessage({ type, to: this.#to, commit, context }, this.#from, term) };
  }

  #message(tag: number): GroupMessage {
    const reader = this.#reader;
    const type = messageTypes[tag];
    if (type === undefined) throw reader.malformed(`has an item of the unknown kind ${tag}`);
    const groupId = reader.varint();
    const flags = reader.varint();
    if (flags > allFlags) throw reader.malformed(`has unknown flags ${flags}`);
    const field = (bit: number): number => (flags & bit ? reader.varint() : 0);
    const term = field(flag.term);
    const message = createMessage(
      {
        type,
        to: this.#to,
        logTerm: field(flag.logTerm),
        index: field(flag.index),
        commit: field(flag.commit),
        vote: field(flag.vote),
        rejectHint: field(flag.rejectHint),
        context: field(flag.context),
        reject: (flags & flag.reject) !== 0,
        from: this.#fromOf(type, field(flag.from)),
        entries: flags & flag.entries ? this.#entries() : [],
        snapshot: flags & flag.snapshot ? this.#snapshot() : undefined,
      },
      undefined,
      term,
    );
    return { groupId, message };
  }

  /** Only what a follower passes on to its leader speaks for somebody else. */
  #fromOf(type: MessageType, from: number): number {
    if (from === 0) return this.#from;
    const isPassedOn = type === 'MsgTransferLeader' || type === 'MsgReadIndex' || type === 'MsgProp';
    if (!isPassedOn) throw this.#reader.malformed(`has a ${type} of node ${from}, which is not its sender`);
    return from;
  }

  #entries(): Entry[] {
    const reader = this.#reader;
    const count = reader.count(2);
    const first = reader.varint();
    if (first + count > Number.MAX_SAFE_INTEGER) throw reader.malformed(`has entries from ${first} on`);
    const bytes = reader.u32();
    const start = reader.skip(bytes);
    const region = this.#own(start, start + bytes);
    const inner = new WireReader(region);
    const entries: Entry[] = [];
    for (let at = 0; at < count; at++) {
      const term = inner.varint();
      const head = inner.varint();
      const type = entryTypes[head % 4];
      if (type === undefined) throw reader.malformed('has an entry of an unknown type');
      const data = head < 4 ? noData : inner.view(Math.floor(head / 4));
      entries.push({ term, index: first === 0 ? 0 : first + at, type, data });
    }
    if (inner.left > 0) throw reader.malformed(`has ${inner.left} bytes behind its entries`);
    return entries;
  }

  #snapshot(): Snapshot {
    const reader = this.#reader;
    const index = reader.varint();
    const term = reader.varint();
    const ids = (): number[] => Array.from({ length: reader.count(1) }, () => reader.varint());
    const confState: ConfState = {
      voters: ids(),
      votersOutgoing: ids(),
      learners: ids(),
      learnersNext: ids(),
      autoLeave: reader.byte() === 1,
    };
    const bytes = reader.varint();
    const start = reader.skip(bytes);
    return { metadata: { index, term, confState }, data: bytes === 0 ? noData : this.#own(start, start + bytes) };
  }

  /**
   * A part of the frame for good: a view where it is most of the frame, else one copy for all entries of a message, which
   * go together when the log is cut. Small copies share the runtime's slabs of 8 KiB, because memory of its own for each
   * costs three times as much. Frames may lie in such a slab too.
   */
  #own(start: number, end: number): Uint8Array {
    const frame = this.#frame;
    const view = new Uint8Array(frame.buffer, frame.byteOffset + start, end - start);
    if (view.length >= frame.buffer.byteLength * viewShare) return view;
    const copy = Buffer.allocUnsafe(view.length);
    copy.set(view);
    return new Uint8Array(copy.buffer, copy.byteOffset, copy.length);
  }
}
