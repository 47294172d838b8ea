/**
 * Every decoder of the store's format, given bytes that nobody wrote: random ones, and valid ones with a few bytes
 * changed, their checksums made right again, as if a writer of another mind had made them. It answers or refuses; it
 * never reads beyond what it was given, asks for memory by a length it has not checked, or goes on for ever.
 */
import { crc32, createSeededRandom, type Random } from '@shanghai/env';
import { createFaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { BitcaskError } from '../src/bitcask-error.js';
import {
  createHintEntry,
  decodeHintHeader,
  encodeHintHeader,
  hintBlockHeadBytes,
  hintHeaderBytes,
  readHintEntry,
} from '../src/core/hint-codec.js';
import { decodeManifest, encodeManifest } from '../src/core/manifest-codec.js';
import {
  checkRecord,
  crcSeed,
  createRecordFields,
  fieldsMakeSense,
  layRecord,
  recordFlags,
  stampRecord,
} from '../src/core/record.js';
import { createSegment } from '../src/core/segment.js';
import { decodeSegmentHeader, decodeWitness, encodeSegmentHeader, witnessOffset } from '../src/core/segment-header.js';
import { parseName } from '../src/core/segment-names.js';
import { highestDurableEnd, type ParseState, parseUnits } from '../src/core/unit-parser.js';
import { HintInvalid, openHint } from '../src/hint-reader.js';
import { bytesOf, directory, openOn } from './history.js';

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

function seal(bytes: Uint8Array, end: number, at: number): Uint8Array {
  new DataView(bytes.buffer).setUint32(at, crc32(bytes, 0, 0, end), true);
  return bytes;
}

/** Says which round it was. */
function inRound<T>(round: number, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    throw new Error(`round ${round} of seed ${seed}: ${error}`, { cause: error });
  }
}

test('random bytes are no manifest, no segment header and no hint header', () => {
  const random = createSeededRandom(seed);
  for (let round = 0; round < rounds; round++) {
    const bytes = random.bytes(integer(random, 200));
    for (const decode of [decodeManifest, decodeSegmentHeader, decodeHintHeader]) {
      expect(inRound(round, () => decode(bytes)).kind).toBe('damaged');
    }
  }
});

test('manifests whose checksum was made right', () => {
  const random = createSeededRandom(seed);
  const entry = { segmentId: 7, merged: false, tombstonesNeeded: false, sealedBytes: 100 };
  const entries = [1, 2, 3].map((fileId) => ({ ...entry, fileId }));
  const whole = encodeManifest({ storeId: 1, generation: 2, nextFileId: 4, sequenceFloor: 9, entries });
  const kinds = new Set<string>();
  for (let round = 0; round < rounds; round++) {
    const resized = new Uint8Array(whole.length + (round % 2) * (integer(random, 60) - 30));
    resized.set(whole.subarray(0, resized.length));
    const bytes = changed(random, resized, 0, resized.length - 4);
    seal(bytes, bytes.length - 4, bytes.length - 4);
    const decoded = inRound(round, () => decodeManifest(bytes));
    kinds.add(decoded.kind);
    // 48 bytes before the entries, 24 each, 4 behind them: nothing but whole entries is taken.
    if (decoded.kind === 'ok') expect(decoded.value.entries).toHaveLength((bytes.length - 52) / 24);
  }
  expect(kinds).toEqual(new Set(['ok', 'damaged', 'unsupported']));
});

test('segment headers, witnesses and hint headers whose checksum was made right', () => {
  const random = createSeededRandom(seed);
  const header = { segmentId: 7, fileId: 1, kind: 'log', baseSequence: 3, createdMs: 5 } as const;
  const hint = { segmentId: 7, fileId: 1, entries: 2, dataBytes: 200, minSequence: 1, maxSequence: 2 };
  for (let round = 0; round < rounds; round++) {
    const bytes = changed(random, encodeSegmentHeader(header), 0, witnessOffset);
    inRound(round, () => decodeSegmentHeader(seal(bytes, witnessOffset, 60)));
    const witnessed = changed(random, encodeSegmentHeader(header), witnessOffset, 60);
    expect(inRound(round, () => decodeWitness(witnessed, 11))).toBeGreaterThanOrEqual(0);
    const other = changed(random, encodeHintHeader(hint), 0, 60);
    inRound(round, () => decodeHintHeader(seal(other, 60, 60)));
  }
});

test('hint entries are never read beyond their block', () => {
  const random = createSeededRandom(seed);
  const entry = createHintEntry();
  let fitting = 0;
  for (let round = 0; round < rounds; round++) {
    const bytes = random.bytes(20 + integer(random, 60));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    if (round % 2 === 0) view.setUint32(16, integer(random, 80), true);
    const behind = inRound(round, () => readHintEntry(view, 0, bytes.length, entry));
    expect(behind).toBeLessThanOrEqual(bytes.length);
    if (behind < 0) continue;
    fitting++;
    expect(entry.keyStart + entry.keyBytes).toBe(behind);
    expect(entry.keyBytes).toBeGreaterThan(0);
  }
  expect(fitting).toBeGreaterThan(rounds / 10);
});

/** Records of every kind, as a segment holds them from offset 64 on. */
function records(segmentSeed: number): Uint8Array {
  const bytes = new Uint8Array(4_096);
  const view = new DataView(bytes.buffer);
  let end = 0;
  const lay = (flags: number, key: string, value: string, expiresAtMs: number, codec: number, sequence: number) => {
    const start = end;
    const content = { flags, key: bytesOf(key), stored: bytesOf(value), expiresAtMs, codec, rawBytes: value.length };
    end = layRecord(bytes, view, start, content);
    stampRecord(bytes, view, start, end, sequence, crcSeed(segmentSeed, 64 + start));
  };
  lay(0, 'a', 'plain', 0, 0, 1);
  lay(recordFlags.tombstone, 'a', '', 0, 0, 2);
  lay(recordFlags.member, 'b', 'x'.repeat(300), 5, 0, 3);
  lay(recordFlags.commit, 'c', 'y'.repeat(20), 0, 1, 4);
  lay(0, 'd'.repeat(70), '', 9, 2, 5);
  return bytes.slice(0, end);
}

test('records and batches with changed fields: only whole, sensible units are handed on', () => {
  const random = createSeededRandom(seed);
  const segmentSeed = 11;
  const whole = records(segmentSeed);
  const stops = new Set<string>();
  let handedOn = 0;
  for (let round = 0; round < rounds; round++) {
    const bytes = changed(random, whole, 0, whole.length);
    const view = new DataView(bytes.buffer);
    if (round % 3 !== 0) restamp(bytes, view, segmentSeed);
    const length = round % 5 === 0 ? integer(random, bytes.length) : bytes.length;
    const state: ParseState = {
      kind: round % 7 === 0 ? 'merged' : 'log',
      segmentSeed,
      endOffset: 64 + bytes.length,
      lastSequence: 0,
      records: 0,
    };
    const stop = inRound(round, () =>
      parseUnits(bytes, view, length, 64, state, (_, fields, offset) => {
        handedOn++;
        expect(fieldsMakeSense(fields)).toBe(true);
        expect(offset - 64 + fields.recordBytes).toBeLessThanOrEqual(bytes.length);
      }),
    );
    stops.add(stop.kind);
    if (stop.kind === 'more') expect(stop.neededBytes).toBeLessThanOrEqual(bytes.length);
    inRound(round, () => highestDurableEnd(bytes, view, length, 64, segmentSeed));
  }
  expect(stops).toEqual(new Set(['end', 'more', 'bad']));
  expect(handedOn).toBeGreaterThan(rounds / 10);
});

/** Makes the checksum of the first record right, as far as its length allows. */
function restamp(bytes: Uint8Array, view: DataView, segmentSeed: number): void {
  const end = Math.min(bytes.length, 20 + 1 + 5);
  view.setUint32(0, crc32(bytes, crcSeed(segmentSeed, 64), 4, end), true);
}

test('a record read alone, with changed fields and a right checksum', () => {
  const random = createSeededRandom(seed);
  const fields = createRecordFields();
  for (let round = 0; round < rounds; round++) {
    const bytes = changed(random, records(11).subarray(0, 26), 0, 26);
    new DataView(bytes.buffer).setUint32(0, crc32(bytes, 3, 4), true);
    if (inRound(round, () => checkRecord(bytes, 3, fields))) {
      // Whoever uses the fields compares this with what the key directory says.
      expect(fields.recordBytes).toBeGreaterThanOrEqual(20);
    }
  }
});

test('a hint with changed blocks is walked to its end or found invalid', async () => {
  const random = createSeededRandom(seed);
  const disk = createFaultDisk({ seed: 1 });
  const store = await openOn(disk, { segmentBytes: 1_048_576 });
  for (let i = 0; i < 40; i++) await store.put(bytesOf(`key-${i}`), bytesOf('v'));
  await store.close();
  const path = `${directory}/0000000001.hint`;
  const whole = disk.contents(path);
  const { value: header } = decodeHintHeader(whole) as { value: { segmentId: number; dataBytes: number } };
  const segment = createSegment({ fileId: 1, segmentId: header.segmentId, seed: 0, kind: 'log' });
  segment.bytes = header.dataBytes;
  const outcomes = { whole: 0, invalid: 0, none: 0 };
  for (let round = 0; round < rounds / 10; round++) {
    const from = round % 2 === 0 ? hintHeaderBytes : 0;
    const bytes = changed(random, whole, from, round % 4 < 2 ? hintHeaderBytes + 60 : whole.length);
    const view = new DataView(bytes.buffer);
    seal(bytes, 60, 60);
    // Checksums are seeded with segment and place; the segment's seed is 0 here.
    const at = hintHeaderBytes;
    const end = Math.min(bytes.length, at + hintBlockHeadBytes + view.getUint32(at, true));
    const head = crc32(bytes, crcSeed(0, at), at, at + 8);
    view.setUint32(at + 8, crc32(bytes, head, at + hintBlockHeadBytes, end), true);
    disk.setContents(path, bytes);
    const reader = await openHint(disk, directory, segment);
    if (reader === undefined) {
      outcomes.none++;
      continue;
    }
    try {
      while (await reader.load()) while (reader.advance()) reader.key();
      outcomes.whole++;
    } catch (error) {
      if (!(error instanceof HintInvalid))
        throw new Error(`round ${round} of seed ${seed}: ${error}`, { cause: error });
      outcomes.invalid++;
    } finally {
      await reader.close();
    }
  }
  expect(Math.min(outcomes.whole, outcomes.invalid, outcomes.none)).toBeGreaterThan(0);
});

test('a manifest from a writer of another mind is refused with a typed error, or opens', async () => {
  const random = createSeededRandom(seed);
  const source = createFaultDisk({ seed: 1 });
  const store = await openOn(source);
  for (let i = 0; i < 60; i++) await store.put(bytesOf(`key-${i % 9}`), new Uint8Array(300));
  await store.close();
  const path = `${directory}/MANIFEST`;
  const whole = source.contents(path);
  const codes = new Set<string>();
  for (let round = 0; round < rounds / 25; round++) {
    const disk = source.restart('all', 0);
    const bytes = changed(random, whole, 16, whole.length - 4);
    disk.setContents(path, seal(bytes, bytes.length - 4, bytes.length - 4));
    try {
      const opened = await openOn(disk);
      await opened.close();
      codes.add('opened');
    } catch (error) {
      if (!(error instanceof BitcaskError))
        throw new Error(`round ${round} of seed ${seed}: ${error}`, { cause: error });
      codes.add(error.code);
    }
  }
  expect(codes).toContain('opened');
  expect(codes).toContain('CORRUPT');
});

test('names of files', () => {
  const random = createSeededRandom(seed);
  for (let round = 0; round < rounds; round++) {
    const name = Buffer.from(random.bytes(integer(random, 30))).toString('latin1');
    for (const end of ['', '.data', '.hint', '.tmp']) inRound(round, () => parseName(name + end));
  }
});
