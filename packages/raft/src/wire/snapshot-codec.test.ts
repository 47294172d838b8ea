import fc from 'fast-check';
import { expect, test } from 'vitest';
import { emptyConfState } from '../core/configuration/configuration.js';
import { createMessage } from '../core/message.js';
import { PeerError } from './peer-error.js';
import {
  decodeReceiverFrame,
  decodeSenderFrame,
  doneFrame,
  encodeBegin,
  encodeChunk,
  encodeOffer,
  encodeTaken,
  endFrame,
} from './snapshot-codec.js';

const seed = 6;
const numRuns = process.env.SHANGHAI_DEEP === '1' ? 100_000 : 2_000;
const metadata = { index: 9, term: 2, confState: { ...emptyConfState, voters: [1, 2] } };
const offer = {
  groupId: 3,
  message: createMessage({
    type: 'MsgSnap',
    from: 1,
    to: 2,
    term: 4,
    snapshot: { metadata, data: Uint8Array.of(7, 8) },
  }),
};

test('offers give back the message and the files', () => {
  const files = [
    { name: 'state/000001.data', bytes: 2 ** 40, crc: 0xffff_fffe },
    { name: 'a', bytes: 0, crc: 0 },
  ];
  expect(decodeSenderFrame(encodeOffer(offer, files, 1), 1, 2)).toEqual({ type: 'offer', offer, files });
  expect(decodeSenderFrame(encodeOffer(offer, [], 1), 1, 2)).toEqual({ type: 'offer', offer, files: [] });
});

test('names that could lead out of a directory do not travel, in either direction', () => {
  for (const name of ['', '..', 'a/../b', '/a', 'a//b', 'a/', '.', 'a\\b', 'ä', 'a\0', 'a'.repeat(256)]) {
    const files = [{ name, bytes: 1, crc: 1 }];
    expect(() => encodeOffer(offer, files, 1), name).toThrow(RangeError);
  }
  const frame = encodeOffer(offer, [{ name: 'aa/bb', bytes: 1, crc: 1 }], 1).slice();
  const at = Buffer.from(frame).indexOf('aa/bb');
  frame.set(Buffer.from('../bb'), at);
  expect(() => decodeSenderFrame(frame, 1, 2)).toThrow(/file name that is none/);
});

test('chunks give back their bytes, and are refused where one bit is another', () => {
  const bytes = Uint8Array.from({ length: 1_000 }, (_, at) => at & 255);
  const frame = encodeChunk(3, 2 ** 33, bytes).slice();
  expect(decodeSenderFrame(frame, 1, 2)).toEqual({ type: 'chunk', file: 3, offset: 2 ** 33, bytes });
  frame[frame.length - 1] = (frame.at(-1) as number) ^ 1;
  expect(() => decodeSenderFrame(frame, 1, 2)).toThrow(/not what its checksum says/);
});

test('what a receiver says is given back', () => {
  expect(decodeReceiverFrame(encodeBegin(2 ** 21, [0, 2 ** 40]))).toEqual({
    type: 'begin',
    window: 2 ** 21,
    have: [0, 2 ** 40],
  });
  expect(decodeReceiverFrame(encodeTaken(2 ** 50))).toEqual({ type: 'taken', weight: 2 ** 50 });
  expect(decodeReceiverFrame(doneFrame)).toEqual({ type: 'done' });
  expect(decodeSenderFrame(endFrame, 1, 2)).toEqual({ type: 'end' });
});

test(`garbage is refused with a typed error and nothing else (seed ${seed})`, () => {
  const valid = [encodeOffer(offer, [{ name: 'a/b', bytes: 5, crc: 9 }], 1), encodeBegin(5, [1, 2, 300])];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(), fc.nat(255), (garbage, at, byte) => {
      for (const first of [16, 17, 18, 32, 33, 34]) typedOnly(Uint8Array.of(first, ...garbage));
      for (const frame of valid) {
        const changed = frame.slice();
        changed[at % changed.length] = byte;
        typedOnly(changed);
      }
    }),
    { seed, numRuns },
  );
});

function typedOnly(frame: Uint8Array): void {
  for (const decode of [() => decodeSenderFrame(frame, 1, 2), () => decodeReceiverFrame(frame)]) {
    try {
      decode();
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
    }
  }
}
