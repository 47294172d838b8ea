/**
 * Every decoder of the log's format, given bytes that nobody wrote: random ones, and valid ones with a few bytes changed,
 * their checksums made right again, as if a writer of another mind had made them. It answers or throws a `WalError`; it
 * never reads beyond what it was given, asks for memory by a length it has not checked, or goes on for ever.
 */
import { crc32, createSeededRandom, type Random } from '@shanghai/env';
import { createFaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { frameHeaderBytes, frameLength, frameSeed, sealFrame } from '../src/core/frame.js';
import { areRecordsSound } from '../src/core/record.js';
import { decodeFooter, footerOffset, footerTrailerBytes } from '../src/core/segment-footer.js';
import { decodeSegmentHeader, segmentHeaderBytes } from '../src/core/segment-header.js';
import { baseLsnOf, isAheadName } from '../src/core/segment-names.js';
import { WalError } from '../src/index.js';
import { FrameCursor } from '../src/read/frame-cursor.js';
import { openOn } from './support/open-on.js';
import { recordPayload } from './support/record-payload.js';

const rounds = process.env['SHANGHAI_DEEP'] === '1' ? 200_000 : 5_000;
const seed = Number(process.env['SHANGHAI_SEED'] || 20_261_121);

function integer(random: Random, below: number): number {
  return Math.floor(random.float() * below);
}

/** Values that lengths and counts go wrong with. */
function changed(random: Random, bytes: Uint8Array, from: number, to: number): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  for (let changes = 1 + integer(random, 3); changes > 0; changes--) {
    const at = from + integer(random, Math.max(1, to - from - 4));
    const values = [0, 1, 0x7fff_ffff, 0xffff_ffff, copy.length, copy.length - 1, integer(random, 4_294_967_296)];
    if (random.float() < 0.5) view.setUint32(at, values[integer(random, values.length)] as number, true);
    else copy[at] = integer(random, 256);
  }
  return copy;
}

/** Runs `decode` with `seed` in whatever it throws that is not of its type. */
function orTyped<T>(round: number, decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof WalError) return undefined;
    throw new Error(`round ${round} of seed ${seed}: ${error}`, { cause: error });
  }
}

/** A sealed segment with frames of several streams, and one that is not. */
async function segments(compression: 'none' | 'lz4'): Promise<Uint8Array[]> {
  const disk = createFaultDisk({ seed: 1 });
  const wal = await openOn(disk, { lock: false, segmentBytes: 65_536, segmentsAhead: 0, compression });
  for (let lsn = 1; lsn <= 12; lsn++) await wal.append(recordPayload(lsn, 900 * lsn), { stream: lsn % 4 });
  await wal.rewriteStream(2, [{ payload: recordPayload(13, 100) }]);
  await wal.close();
  return disk
    .files()
    .filter((path) => path.endsWith('.wal'))
    .map((path) => disk.contents(path));
}

test('segment headers', () => {
  const random = createSeededRandom(seed);
  for (let round = 0; round < rounds / 10; round++) {
    const bytes = random.bytes(integer(random, 2) === 0 ? segmentHeaderBytes : integer(random, segmentHeaderBytes));
    expect(orTyped(round, () => decodeSegmentHeader(bytes))?.kind).toBe('damaged');
  }
});

test('segment headers whose checksum was made right', async () => {
  const random = createSeededRandom(seed);
  const [bytes] = (await segments('none')) as [Uint8Array];
  const kinds = new Set<string>();
  for (let round = 0; round < rounds / 10; round++) {
    const header = changed(random, bytes.subarray(0, segmentHeaderBytes), 0, 64);
    const crc = crc32(header, 0, 0, segmentHeaderBytes - 4);
    new DataView(header.buffer).setUint32(segmentHeaderBytes - 4, crc, true);
    const decoded = orTyped(round, () => decodeSegmentHeader(header));
    if (decoded !== undefined) kinds.add(decoded.kind);
  }
  expect(kinds).toEqual(new Set(['damaged', 'unsupported', 'header']));
});

test('footers whose checksum was made right', async () => {
  const random = createSeededRandom(seed);
  const [bytes] = (await segments('none')) as [Uint8Array];
  const offset = footerOffset(bytes.subarray(bytes.length - footerTrailerBytes)) as number;
  const footer = bytes.slice(offset);
  expect(decodeFooter(new DataView(footer.buffer), 0, 0)).toMatchObject({ lastLsn: 2 });
  let refused = 0;
  for (let round = 0; round < rounds; round++) {
    const other = changed(random, footer, frameHeaderBytes, footer.length);
    const decoded = orTyped(round, () => decodeFooter(new DataView(other.buffer), 0, round % 4));
    if (decoded === undefined) refused++;
  }
  expect(refused).toBeGreaterThan(rounds / 10);
});

test('footer offsets of random trailers', () => {
  const random = createSeededRandom(seed);
  for (let round = 0; round < rounds; round++) footerOffset(random.bytes(integer(random, 12)));
});

test('records of a frame', () => {
  const random = createSeededRandom(seed);
  let sound = 0;
  for (let round = 0; round < rounds; round++) {
    const bytes = random.bytes(8 * integer(random, 40));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (orTyped(round, () => areRecordsSound(view, 0, bytes.length, integer(random, 4_294_967_296)))) sound++;
  }
  expect(sound).toBeLessThan(rounds / 10);
});

for (const compression of ['none', 'lz4'] as const) {
  test(`frames with changed fields, read and looked for (${compression})`, async () => {
    const random = createSeededRandom(seed);
    const frame = await largestFrame(compression);
    let largestRead = 0;
    const states = new Set<string>();
    for (let round = 0; round < rounds / 5; round++) {
      const bytes = changed(random, frame, 0, round % 2 === 0 ? 64 : frame.length);
      const view = new DataView(bytes.buffer);
      const isSealed = round % 4 === 0 && frameLength(view, 0) <= bytes.length && frameLength(view, 0) >= 8;
      if (isSealed) view.setUint32(0, crc32(bytes, frameSeed(7, 0), 4, frameLength(view, 0)), true);
      const read = (buffer: Uint8Array, position: number) => {
        largestRead = Math.max(largestRead, buffer.length);
        buffer.set(bytes.subarray(position, position + buffer.length));
        return Promise.resolve(Math.max(0, Math.min(buffer.length, bytes.length - position)));
      };
      const cursor = new FrameCursor(read, 7, bytes.length, 4096);
      try {
        const state = await cursor.load(0);
        states.add(state);
        if (state === 'frame') expect(cursor.length).toBeGreaterThanOrEqual(frameHeaderBytes);
        await cursor.find(8, 1);
      } catch (error) {
        if (!(error instanceof WalError)) throw new Error(`round ${round} of seed ${seed}: ${error}`, { cause: error });
        states.add(error.code);
      }
    }
    expect(states).toEqual(new Set(['frame', 'bad', 'UNSUPPORTED_FORMAT']));
    expect(largestRead).toBeLessThanOrEqual(frame.length);
  });
}

/** A frame as the writer made it, sealed for offset 0 of a segment with seed 7. */
async function largestFrame(compression: 'none' | 'lz4'): Promise<Uint8Array> {
  const [bytes] = (await segments(compression)) as [Uint8Array];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let largest = { at: segmentHeaderBytes, length: 0 };
  const end = footerOffset(bytes.subarray(bytes.length - footerTrailerBytes)) as number;
  for (let at = segmentHeaderBytes; at < end; at += frameLength(view, at)) {
    if (frameLength(view, at) > largest.length) largest = { at, length: frameLength(view, at) };
  }
  const frame = bytes.slice(largest.at, largest.at + largest.length);
  const own = new DataView(frame.buffer);
  own.setUint32(24, 0, true);
  own.setUint32(0, crc32(frame, frameSeed(7, 0), 4, frame.length), true);
  return frame;
}

test('a frame of one place is none in another: neither of another segment nor of another offset', async () => {
  const bytes = new Uint8Array(96);
  const fields = { firstLsn: 1, wallTimeMs: 1, durableEnd: 0, count: 0, flags: 0 };
  sealFrame(bytes, new DataView(bytes.buffer), 0, 40, { segmentSeed: 7, offset: 0 }, fields);
  bytes.copyWithin(48, 0, 40);
  const read = (buffer: Uint8Array, position: number) => {
    buffer.set(bytes.subarray(position, position + buffer.length));
    return Promise.resolve(Math.min(buffer.length, bytes.length - position));
  };
  expect(await new FrameCursor(read, 7, 96, 4096).load(0)).toBe('frame');
  expect(await new FrameCursor(read, 8, 96, 4096).load(0)).toBe('bad');
  expect(await new FrameCursor(read, 7, 96, 4096).load(48)).toBe('bad');
  expect(await new FrameCursor(read, 7, 96, 4096).find(8, 1)).toBeUndefined();
});

test('a frame that is shorter than its own header is none, whatever its checksum says', async () => {
  for (const length of [0, 8, 16, 24, 32]) {
    const bytes = new Uint8Array(64).fill(1);
    const view = new DataView(bytes.buffer);
    view.setUint32(4, length, true);
    for (const at of [8, 16, 24, 28, 32]) view.setUint32(at, 0, true);
    view.setUint32(0, crc32(bytes, frameSeed(7, 0), 4, Math.max(4, length)), true);
    const read = (buffer: Uint8Array) => {
      buffer.set(bytes.subarray(0, buffer.length));
      return Promise.resolve(buffer.length);
    };
    expect(await new FrameCursor(read, 7, 64, 4096).load(0), `length ${length}`).toBe('bad');
  }
});

test('names of files', () => {
  const random = createSeededRandom(seed);
  for (let round = 0; round < rounds; round++) {
    const name = Buffer.from(random.bytes(integer(random, 40))).toString('latin1');
    const lsn = baseLsnOf(`${name}.wal`);
    expect(lsn === undefined || Number.isSafeInteger(lsn)).toBe(true);
    isAheadName(name);
  }
});
