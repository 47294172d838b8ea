import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Entry } from '../core/entry.js';
import { createMessage, type Message } from '../core/message.js';
import type { ClockMessage, GroupMessage, GroupSignal } from '../ports/peer-transport.js';
import { decodeBatch, encodeClock, encodeFrames, Fragments, fragmentsOf, maxFrameBytes } from './frame-codec.js';
import { PeerError } from './peer-error.js';

const seed = 5;
const numRuns = process.env.SHANGHAI_DEEP === '1' ? 100_000 : 1_000;

/** Integers of every length that a varint has. */
const number = fc.oneof(
  fc.nat(300),
  fc.maxSafeNat(),
  fc.integer({ min: 0, max: 52 }).map((bits) => 2 ** bits - 1),
  fc.integer({ min: 0, max: 52 }).map((bits) => 2 ** bits),
);
const bytes = fc.uint8Array({ maxLength: 400 });
const entries = fc
  .tuple(
    fc.integer({ min: 1, max: 2 ** 40 }),
    fc.array(
      fc.record({
        term: number,
        type: fc.constantFrom('EntryNormal', 'EntryConfChange', 'EntryConfChangeV2'),
        data: bytes,
      }),
      { maxLength: 8 },
    ),
  )
  .map(([first, list]) => list.map((entry, at): Entry => ({ ...entry, index: first + at })));
const ids = fc.array(number, { maxLength: 5 });
const snapshot = fc.record({
  metadata: fc.record({
    index: number,
    term: number,
    confState: fc.record({
      voters: ids,
      votersOutgoing: ids,
      learners: ids,
      learnersNext: ids,
      autoLeave: fc.boolean(),
    }),
  }),
  data: bytes,
});
const message = fc
  .record({
    type: fc.constantFrom(
      'MsgApp',
      'MsgAppResp',
      'MsgVote',
      'MsgVoteResp',
      'MsgSnap',
      'MsgHeartbeat',
      'MsgHeartbeatResp',
      'MsgTimeoutNow',
      'MsgReadIndex',
      'MsgReadIndexResp',
      'MsgPreVote',
      'MsgPreVoteResp',
    ),
    term: number,
    logTerm: number,
    index: number,
    entries,
    commit: number,
    vote: number,
    snapshot: fc.option(snapshot, { nil: undefined }),
    reject: fc.boolean(),
    rejectHint: number,
    context: number,
  })
  .map((fields): Message => createMessage({ ...fields, from: 1, to: 2 }));
/** Most heartbeats have nothing but what the short form holds. */
const heartbeat = fc
  .tuple(fc.constantFrom('MsgHeartbeat', 'MsgHeartbeatResp'), number, number)
  .map(([type, term, context]) => createMessage({ type, term, context, from: 1, to: 2 }));
const groupMessage: fc.Arbitrary<GroupMessage> = fc.record({
  groupId: number,
  message: fc.oneof(message, heartbeat),
});
const signal: fc.Arbitrary<GroupSignal> = fc.record({
  groupId: number,
  type: fc.constantFrom('sleep', 'asleep', 'rest', 'wake'),
  term: number,
  index: number,
});

describe('frames', () => {
  test(`give back every message and signal that went into them (seed ${seed})`, () => {
    fc.assert(
      fc.property(
        fc.array(groupMessage, { maxLength: 10 }),
        fc.array(signal, { maxLength: 10 }),
        (messages, signals) => {
          const frames = encodeFrames(messages, signals, 1).map((frame) => decodeBatch(frame, 1, 2));
          expect(frames.flatMap((frame) => frame.messages)).toEqual(messages);
          expect(frames.flatMap((frame) => frame.signals)).toEqual(signals);
        },
      ),
      { seed, numRuns: Math.min(numRuns, 5_000) },
    );
  });

  test(`of garbage are refused with a typed error and nothing else (seed ${seed})`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (garbage) => {
        decodesOrIsMalformed(garbage);
        decodesOrIsMalformed(Uint8Array.of(1, ...garbage));
      }),
      { seed, numRuns: numRuns * 10 },
    );
  });

  test(`that were changed or cut are refused with a typed error or say something else (seed ${seed})`, () => {
    fc.assert(
      fc.property(
        fc.array(groupMessage, { minLength: 1, maxLength: 4 }),
        fc.nat(),
        fc.nat(255),
        (messages, at, byte) => {
          const [frame] = encodeFrames(messages, [], 1);
          const changed = (frame as Uint8Array).slice();
          changed[at % changed.length] = byte;
          decodesOrIsMalformed(changed);
          decodesOrIsMalformed(changed.subarray(0, at % changed.length));
        },
      ),
      { seed, numRuns },
    );
  });

  test('that promise more than they have are refused before anything is made of it', () => {
    const huge = [255, 255, 255, 255, 255, 255, 127];
    // An append whose entries are counted, and one whose data is measured, in petabytes; and a list of members.
    decodesOrIsMalformed(Uint8Array.of(1, 2, 0, 0x80, 4, ...huge));
    decodesOrIsMalformed(Uint8Array.of(1, 2, 0, 0x80, 4, 1, 1, 10, 0, 0, 0, 1, ...huge, 0, 0));
    expect(() => decodeBatch(Uint8Array.of(1, 6, 0, 0x80, 8, 1, 1, ...huge), 1, 2)).toThrow(PeerError);
  });

  test('do not let a node speak for another, except to pass on what was asked of it', () => {
    const [vote] = encodeFrames([{ groupId: 1, message: createMessage({ type: 'MsgVote', from: 3, to: 2 }) }], [], 1);
    expect(() => decodeBatch(vote as Uint8Array, 1, 2)).toThrow(/node 3, which is not its sender/);
    const passedOn = { groupId: 1, message: createMessage({ type: 'MsgTransferLeader', from: 3, to: 2 }) };
    const [transfer] = encodeFrames([passedOn], [], 1);
    expect(decodeBatch(transfer as Uint8Array, 1, 2).messages).toEqual([passedOn]);
  });

  test('keep proposals without a place as they are', () => {
    const entry = { term: 0, index: 0, type: 'EntryNormal' as const, data: Uint8Array.of(1) };
    const proposal = {
      groupId: 1,
      message: createMessage({ type: 'MsgProp', from: 1, to: 2, entries: [entry, entry] }),
    };
    const [frame] = encodeFrames([proposal], [], 1);
    expect(decodeBatch(frame as Uint8Array, 1, 2).messages).toEqual([proposal]);
  });

  test('refuse what stays on its node', () => {
    const local = { groupId: 1, message: createMessage({ type: 'MsgStorageAppend', from: 1, to: 2 }) };
    expect(() => encodeFrames([local], [], 1)).toThrow(/stays on its node/);
  });

  test('are not kept alive by a small entry, nor copied for a large one', () => {
    const entryOf = (size: number) => ({ term: 1, index: 5, type: 'EntryNormal' as const, data: new Uint8Array(size) });
    const append = (size: number) => ({
      groupId: 1,
      message: createMessage({ type: 'MsgApp', from: 1, to: 2, entries: [entryOf(size)] }),
    });
    const [frame] = encodeFrames([append(100), append(400_000)], [], 1);
    const own = (frame as Uint8Array).slice();
    const [small, large] = decodeBatch(own, 1, 2).messages.map(({ message }) => message.entries[0]?.data.buffer);
    expect(small?.byteLength).toBeLessThanOrEqual(Buffer.poolSize);
    expect(large).toBe(own.buffer);
  });

  test('are at most one MiB each, whatever is in them', () => {
    const append = (size: number) => ({
      groupId: 1,
      message: createMessage({
        type: 'MsgApp',
        from: 1,
        to: 2,
        entries: [{ term: 1, index: 5, type: 'EntryNormal', data: new Uint8Array(size) }],
      }),
    });
    const messages = [300_000, 300_000, 600_000, 3_000_000, 10, 1_048_000].map(append);
    const signals = Array.from({ length: 50_000 }, () => ({ groupId: 1, type: 'wake' as const, term: 1, index: 1 }));
    const frames = encodeFrames(messages, signals, 1);
    const carried = frames.flatMap(fragmentsOf);
    expect(Math.max(...carried.map(({ length }) => length))).toBeLessThanOrEqual(maxFrameBytes);
    const fragments = new Fragments(4_000_000);
    const wholes = carried.flatMap((part) => fragments.take(part) ?? []).map((whole) => decodeBatch(whole, 1, 2));
    const sizes = wholes.flatMap((whole) => whole.messages.map(({ message }) => message.entries[0]?.data.length));
    expect(sizes).toEqual([300_000, 300_000, 600_000, 3_000_000, 10, 1_048_000]);
    expect(wholes.flatMap((whole) => whole.signals)).toHaveLength(50_000);
  });
});

describe('clock frames', () => {
  test('questions and answers come out as they went in', () => {
    const clock = fc.oneof(
      fc.record({ type: fc.constant('ask' as const), questionMs: number }),
      fc.record({ type: fc.constant('answer' as const), questionMs: number, wallMs: number }),
    );
    const claim = (sent: ClockMessage) => {
      expect(decodeBatch(encodeClock(sent), 1, 2)).toEqual({ messages: [], signals: [], clock: sent });
    };
    fc.assert(fc.property(clock, claim), { seed, numRuns });
  });

  test('have the bytes of version 2 of the protocol', () => {
    const hex = (clock: ClockMessage) => Buffer.from(encodeClock(clock)).toString('hex');
    expect(hex({ type: 'ask', questionMs: 300 })).toBe('0301ac02');
    expect(hex({ type: 'answer', questionMs: 300, wallMs: 1_704_067_200_000 })).toBe('0302ac0280e8c792cc31');
  });

  test('of an unknown type, cut short, or going on behind their end are refused', () => {
    const answer = encodeClock({ type: 'answer', questionMs: 1, wallMs: 2 });
    for (const bad of [Uint8Array.of(3, 3, 1), answer.subarray(0, 3), Uint8Array.of(...answer, 0), Uint8Array.of(3)]) {
      expect(() => decodeBatch(bad, 1, 2)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
    }
  });
});

describe('fragments', () => {
  const whole = new Uint8Array(3_000_000).fill(1);

  test('that are missing, doubled, mixed with others, or too large together are refused', () => {
    const parts = fragmentsOf(whole);
    const take = (limit: number, ...order: number[]) => {
      const fragments = new Fragments(limit);
      for (const at of order) fragments.take(parts[at] ?? Uint8Array.of(1));
    };
    expect(() => take(3_000_000, 0, 1, 2)).not.toThrow();
    expect(() => take(3_000_000, 1)).toThrow(/fragment 1 where 0 is next/);
    expect(() => take(3_000_000, 0, 2)).toThrow(/fragment 2 where 1 is next/);
    expect(() => take(3_000_000, 0, 0)).toThrow(/fragment 0 where 1 is next/);
    expect(() => take(3_000_000, 0, 9)).toThrow(/between the fragments/);
    expect(() => take(2_999_999, 0)).toThrow(/at most 2999999/);
    expect(() => new Fragments(100).take(Uint8Array.of(2, 0, 50, 1))).toThrow(/fit into one frame/);
  });

  test(`of garbage are refused with a typed error and nothing else (seed ${seed})`, () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 5 }), (list) => {
        const fragments = new Fragments(1_000);
        for (const garbage of list) typedOnly(() => fragments.take(Uint8Array.of(2, ...garbage)));
      }),
      { seed, numRuns },
    );
  });
});

function decodesOrIsMalformed(frame: Uint8Array): void {
  typedOnly(() => decodeBatch(frame, 1, 2));
}

function typedOnly(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    if (!(error instanceof PeerError) || error.code !== 'MALFORMED') throw error;
  }
}
