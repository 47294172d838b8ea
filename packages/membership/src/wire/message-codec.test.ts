import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Member, memberStates } from '../core/member.js';
import { MembershipError } from '../core/membership-error.js';
import type { Message } from '../core/message.js';
import { decodeMessage, encodeMessage, maxFrameBytes } from './message-codec.js';

const seed = 41_2026;
const id = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const number = fc.maxSafeNat();
const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
const text = (most: number) =>
  fc.string({ minLength: 1, maxLength: most, unit: 'grapheme' }).filter((one) => Buffer.byteLength(one) <= most);
const state = fc.constantFrom(...memberStates);
const record: fc.Arbitrary<Member> = fc.record({
  nodeId: id,
  name: text(64),
  address: text(255),
  instanceId: text(128),
  incarnation: number,
  state,
  tags: fc.dictionary(text(20), text(40), { maxKeys: 8, noNullPrototype: true }),
});
const records = fc.array(record, { maxLength: 4 });
const of = <T extends Message['type']>(type: T) => ({ type: fc.constant(type) });
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ ...of('heartbeat'), incarnation: number, viewHash: u32 }),
  fc.record({ ...of('ping'), number }),
  fc.record({ ...of('ack'), number, subject: id }),
  fc.record({ ...of('ask'), number, subject: id }),
  fc.record({ ...of('nack'), number, subject: id }),
  fc.record({ ...of('accuse'), subject: id, incarnation: number }),
  fc.record({ ...of('gossip'), records }),
  fc.record({ ...of('digest'), hashes: fc.array(u32, { minLength: 32, maxLength: 32 }) }),
  fc.record({
    ...of('versions'),
    buckets: u32,
    versions: fc.array(fc.record({ nodeId: id, incarnation: number, state })),
  }),
  fc.record({ ...of('records'), wanted: fc.array(id), records }),
  fc.record({ ...of('join'), clusterId: text(40), record }),
  fc.record({ ...of('welcome'), records }),
  fc.record({
    ...of('refusal'),
    reason: fc.constantFrom('otherCluster', 'nameTaken', 'removed', 'tooMuch'),
    text: text(99),
  }),
);

const known: Member = {
  nodeId: 300,
  name: 'a',
  address: 'h:1',
  instanceId: 'i',
  incarnation: 1_700_000_000_000,
  state: 'suspect',
  tags: { zone: 'ü', az: '' },
};

describe('messages as bytes', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(decodeMessage(encodeMessage(sent))).toEqual(sent);
      }),
      { seed },
    );
  });

  it('are those of the protocol', () => {
    const hex = (one: Message) => Buffer.from(encodeMessage(one)).toString('hex');
    expect(hex({ type: 'heartbeat', incarnation: 5, viewHash: 0x01020304 })).toBe('010504030201');
    expect(hex({ type: 'accuse', subject: 300, incarnation: 1 })).toBe('06ac0201');
    expect(hex({ type: 'records', wanted: [7], records: [known] })).toBe(
      '0a0107ac0280d095ffbc3102016103683a31016902026 17a00047a6f6e6502c3bc'.replace(' ', ''),
    );
    expect(hex({ type: 'refusal', reason: 'nameTaken', text: 'x' })).toBe('0d020178');
  });

  it('of a later version are passed over', () => {
    expect(decodeMessage(Uint8Array.of(99, 1, 2))).toBeUndefined();
  });

  it('that are cut off, or go on, are corrupt, and nothing else ever happens', () => {
    fc.assert(
      fc.property(message, fc.double({ min: 0, max: 1, noNaN: true }), (sent, part) => {
        const bytes = encodeMessage(sent);
        const cut = bytes.subarray(0, Math.floor(part * bytes.length));
        try {
          decodeMessage(cut);
        } catch (error) {
          expect(error).toBeInstanceOf(MembershipError);
        }
      }),
      { seed },
    );
    expect(() => decodeMessage(Uint8Array.of(2, 1, 1))).toThrow(/1 bytes too many/);
    expect(() => decodeMessage(new Uint8Array(0))).toThrow(/ends too early/);
    expect(() => decodeMessage(new Uint8Array(maxFrameBytes + 1))).toThrow(/larger than/);
  });

  it('made of anything are corrupt at worst', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 0, max: 14 }), (bytes, kind) => {
        try {
          decodeMessage(Uint8Array.of(kind, ...bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(MembershipError);
        }
      }),
      { seed, numRuns: 500 },
    );
  });

  it('say no more of a member than the limits, and its tags in order', () => {
    const bytes = encodeMessage({ type: 'gossip', records: [{ ...known, name: 'n'.repeat(65) }] });
    expect(() => decodeMessage(bytes)).toThrow(/the name .* has 65 bytes/);
    const swapped = Buffer.from(encodeMessage({ type: 'gossip', records: [known] }));
    swapped.write('zz', swapped.indexOf('az'));
    expect(() => decodeMessage(swapped)).toThrow(/tags out of order/);
  });
});
