import {
  type ConfChange,
  decodeConfChange,
  encodeConfChange,
} from '../../../packages/raft/src/core/configuration/conf-change.js';
import { emptyConfState } from '../../../packages/raft/src/core/configuration/configuration.js';
import { createMessage } from '../../../packages/raft/src/core/message.js';
import { RaftError } from '../../../packages/raft/src/core/raft-error.js';
import type { GroupMessage } from '../../../packages/raft/src/ports/peer-transport.js';
import { decodeFirstReleaseRecord } from '../../../packages/raft/src/wal/first-release-record.js';
import { decodeWrite, type GroupWrite, WriteEncoder } from '../../../packages/raft/src/wal/write-record.js';
import { decodeBatch, encodeFrames, Fragments, fragmentsOf } from '../../../packages/raft/src/wire/frame-codec.js';
import { PeerError } from '../../../packages/raft/src/wire/peer-error.js';
import {
  decodeReceiverFrame,
  decodeSenderFrame,
  doneFrame,
  encodeBegin,
  encodeChunk,
  encodeOffer,
  encodeTaken,
  endFrame,
} from '../../../packages/raft/src/wire/snapshot-codec.js';
import type { FuzzTarget } from '../fuzz-target.js';

const text = (value: string) => new Uint8Array(Buffer.from(value));
/** A copy; what encoders give may be a view of what they use again. */
const plain = (bytes: Uint8Array) => new Uint8Array(bytes);
const confState = { ...emptyConfState, voters: [1, 2, 3], learners: [4], autoLeave: true };
const metadata = { index: 9, term: 2, confState };
const entries = [5, 6, 7].map((index) => ({
  index,
  term: 3,
  type: 'EntryNormal' as const,
  data: text(`entry ${index}`),
}));
const change: ConfChange = { transition: 'auto', changes: [{ type: 'addNode', nodeId: 4 }], context: text('x') };

const messages: readonly GroupMessage[] = [
  { type: 'MsgApp' as const, logTerm: 3, index: 4, commit: 4, entries },
  { type: 'MsgAppResp' as const, index: 7 },
  { type: 'MsgHeartbeat' as const, commit: 7, context: 77 },
  { type: 'MsgVote' as const, logTerm: 3, index: 7 },
  { type: 'MsgSnap' as const, snapshot: { metadata, data: text('state') } },
].map((fields) => ({ groupId: 1, message: createMessage({ from: 1, to: 2, term: 4, ...fields }) }));
const offer = messages.at(-1) as GroupMessage;

const writes: readonly GroupWrite[] = [
  { hardState: { term: 3, vote: 1, commit: 4 }, base: undefined, entries },
  { hardState: undefined, base: { kind: 'snapshot', ...metadata }, entries: [] },
  { hardState: { term: 9, vote: 2, commit: 9 }, base: { kind: 'compaction', ...metadata }, entries },
];

const wholeParts = fragmentsOf(new Uint8Array(2_200_000)).map(plain);

function encodedWrite(write: GroupWrite, number: number): Uint8Array {
  const [record] = new WriteEncoder().encode(number, write);
  return plain(record?.payload ?? new Uint8Array(0));
}

/** What the wire between nodes and the log of consensus are read with. */
export const raftTargets: readonly FuzzTarget[] = [
  {
    name: 'raft: frame of messages',
    examples: () =>
      encodeFrames(messages.slice(0, -1), [{ groupId: 1, type: 'wake', term: 4, index: 7 }], 1).map(plain),
    decode: (bytes) => decodeBatch(bytes, 1, 2),
    refusals: [PeerError],
  },
  {
    name: 'raft: fragments',
    examples: () => wholeParts.map((part) => plain(part).subarray(0, 5_000)),
    decode(bytes, example) {
      const fragments = new Fragments(4 * 1024 * 1024);
      for (const part of wholeParts.slice(0, example)) fragments.take(part);
      return fragments.take(bytes);
    },
    refusals: [PeerError],
  },
  {
    name: "raft: snapshot sender's frame",
    examples: () => [
      plain(encodeOffer(offer, [{ name: 'state/1.data', bytes: 100, crc: 7 }], 1)),
      plain(encodeChunk(1, 2 ** 33, text('some bytes of a file'))),
      plain(endFrame),
    ],
    decode: (bytes) => decodeSenderFrame(bytes, 1, 2),
    refusals: [PeerError],
  },
  {
    name: "raft: snapshot receiver's frame",
    examples: () => [plain(encodeBegin(2 ** 21, [0, 2 ** 40])), plain(encodeTaken(77)), plain(doneFrame)],
    decode: (bytes) => decodeReceiverFrame(bytes),
    refusals: [PeerError],
  },
  {
    name: 'raft: configuration change',
    examples: () => [encodeConfChange(change), encodeConfChange({ transition: 'explicit', changes: [] })],
    decode: (bytes) => decodeConfChange(bytes),
    encode: (value: ConfChange) => encodeConfChange(value),
    refusals: [RaftError],
  },
  {
    name: 'raft: record of a write',
    examples: () => writes.map((write, i) => encodedWrite(write, i + 1)),
    decode: (bytes) => decodeWrite(bytes),
    refusals: [RaftError],
  },
  {
    name: 'raft: record of the first release',
    examples: () =>
      [1, 2].map((kind) =>
        Uint8Array.of(
          kind,
          1,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          9,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          2,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
          1,
          0,
          0,
          0,
          0,
          0,
          0,
          0,
        ),
      ),
    decode: (bytes) => decodeFirstReleaseRecord(bytes[0] ?? 0, bytes.subarray(1)),
    refusals: [RaftError],
  },
];
