import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { emptyConfState } from '../src/core/configuration/configuration.js';
import type { Entry, EntryType } from '../src/core/entry.js';
import { createMessage, type MessageFields, type MessageType } from '../src/core/message.js';
import type { GroupMessage, GroupSignal } from '../src/ports/peer-transport.js';
import { decodeBatch, encodeFrames } from '../src/wire/frame-codec.js';
import {
  decodeReceiverFrame,
  decodeSenderFrame,
  doneFrame,
  encodeBegin,
  encodeChunk,
  encodeOffer,
  encodeTaken,
  endFrame,
} from '../src/wire/snapshot-codec.js';

// REGENERATE=1 writes the file anew: only before a version is released, or beside a new version of the protocol.
const path = new URL('../testdata/formats/peer-v1.json', import.meta.url);

const message = (groupId: number, type: MessageType, fields: Partial<MessageFields> = {}): GroupMessage => ({
  groupId,
  message: createMessage({ type, from: 1, to: 2, ...fields }),
});
const entry = (index: number, type: EntryType, ...data: number[]): Entry => ({
  term: 5,
  index,
  type,
  data: Uint8Array.from(data),
});
const entries = [entry(8, 'EntryNormal'), entry(9, 'EntryConfChange', 1, 2), entry(10, 'EntryConfChangeV2', 3)];
const confState = { ...emptyConfState, voters: [1, 2], votersOutgoing: [3], learners: [300], autoLeave: true };
const snapshot = { metadata: { index: 7, term: 4, confState }, data: Uint8Array.of(9, 8, 7) };

const messages: Readonly<Record<string, GroupMessage>> = {
  proposal: message(1, 'MsgProp', { entries: [{ ...entry(0, 'EntryNormal', 6), term: 0 }] }),
  append: message(1, 'MsgApp', { term: 5, logTerm: 4, index: 7, commit: 6, entries }),
  appended: message(1, 'MsgAppResp', { term: 5, index: 10 }),
  rejected: message(1, 'MsgAppResp', { term: 5, index: 7, reject: true, rejectHint: 3, logTerm: 2, commit: 1 }),
  vote: message(1, 'MsgVote', { term: 6, index: 10, logTerm: 5, context: 1 }),
  voted: message(1, 'MsgVoteResp', { term: 6, reject: true, vote: 2 }),
  preVote: message(1, 'MsgPreVote', { term: 6, index: 10, logTerm: 5 }),
  preVoted: message(1, 'MsgPreVoteResp', { term: 6 }),
  snapshot: message(2 ** 33, 'MsgSnap', { term: 5, snapshot }),
  heartbeat: message(300, 'MsgHeartbeat', { term: 5, commit: 2 ** 52, context: 77 }),
  heartbeatAnswer: message(300, 'MsgHeartbeatResp', { term: 5, context: 77 }),
  transfer: message(1, 'MsgTransferLeader', { from: 3 }),
  timeoutNow: message(1, 'MsgTimeoutNow', { term: 5 }),
  read: message(1, 'MsgReadIndex', { context: 9 }),
  readAnswer: message(1, 'MsgReadIndexResp', { term: 5, index: 10, context: 9 }),
};
const signals: readonly GroupSignal[] = (['sleep', 'asleep', 'rest', 'wake'] as const).map((type) => ({
  groupId: 1,
  type,
  term: 5,
  index: 10,
}));
const files = [{ name: 'state/1.data', bytes: 2 ** 40, crc: 0xfedc_ba98 }];
const offer = messages.snapshot as GroupMessage;

/** Frames by name: what they are as bytes, and what they say. */
const frames: Readonly<Record<string, readonly [Uint8Array, (bytes: Uint8Array) => unknown, unknown]>> = {
  ...Object.fromEntries(
    Object.entries(messages).map(([name, one]) => [
      name,
      [
        encodeFrames([one], [], 1)[0] as Uint8Array,
        (bytes: Uint8Array) => decodeBatch(bytes, 1, 2),
        { messages: [one], signals: [] },
      ],
    ]),
  ),
  signals: [
    encodeFrames([], signals, 1)[0] as Uint8Array,
    (bytes) => decodeBatch(bytes, 1, 2),
    { messages: [], signals },
  ],
  offer: [encodeOffer(offer, files, 1), (bytes) => decodeSenderFrame(bytes, 1, 2), { type: 'offer', offer, files }],
  chunk: [
    encodeChunk(2, 262_144, Uint8Array.of(1, 2, 3)),
    (bytes) => decodeSenderFrame(bytes, 1, 2),
    { type: 'chunk', file: 2, offset: 262_144, bytes: Uint8Array.of(1, 2, 3) },
  ],
  end: [endFrame, (bytes) => decodeSenderFrame(bytes, 1, 2), { type: 'end' }],
  begin: [encodeBegin(2 ** 21, [0, 300]), decodeReceiverFrame, { type: 'begin', window: 2 ** 21, have: [0, 300] }],
  taken: [encodeTaken(2 ** 40), decodeReceiverFrame, { type: 'taken', weight: 2 ** 40 }],
  done: [doneFrame, decodeReceiverFrame, { type: 'done' }],
};

if (process.env.REGENERATE === '1') {
  const hex = Object.entries(frames).map(([name, [bytes]]) => [name, Buffer.from(bytes).toString('hex')]);
  writeFileSync(path, `${JSON.stringify(Object.fromEntries(hex), null, 2)}\n`);
}
const golden = JSON.parse(readFileSync(path, 'utf8')) as Readonly<Record<string, string>>;

test('every kind of frame has a golden form', () => {
  expect(Object.keys(golden).sort()).toEqual(Object.keys(frames).sort());
});

for (const [name, [bytes, decode, said]] of Object.entries(frames)) {
  test(`the ${name} of version 1 is read, and written, as ever`, () => {
    const known = Buffer.from(golden[name] ?? '', 'hex');
    expect(decode(Uint8Array.from(known))).toEqual(said);
    expect(Buffer.from(bytes).toString('hex')).toBe(golden[name]);
  });
}
