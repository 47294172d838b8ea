import { expect, test } from 'vitest';
import { crcSeed, layRecord, recordFlags, stampRecord } from './record.js';
import { parseUnits } from './unit-parser.js';

const headerBytes = 64;
const segmentSeed = 11;
const text = new TextEncoder();

/** A record by itself, a batch of three and another record; where each begins, and the end. */
function singleBatchSingle(): { readonly bytes: Uint8Array; readonly starts: readonly number[] } {
  const bytes = new Uint8Array(512);
  const view = new DataView(bytes.buffer);
  const starts = [0];
  const flags = [0, recordFlags.member, recordFlags.member, recordFlags.commit, 0];
  flags.forEach((flag, i) => {
    const start = starts.at(-1) as number;
    const content = { key: text.encode(`key-${i}`), stored: text.encode('v'.repeat(9)), rawBytes: 9 };
    const end = layRecord(bytes, view, start, { flags: flag, expiresAtMs: 0, codec: 0, ...content });
    stampRecord(bytes, view, start, end, i + 1, crcSeed(segmentSeed, headerBytes + start));
    starts.push(end);
  });
  return { bytes: bytes.slice(0, starts.at(-1)), starts };
}

/** How many records come out, and why it stopped. */
function parse(bytes: Uint8Array): { readonly records: number; readonly kind: string } {
  const endOffset = headerBytes + bytes.length;
  const state = { kind: 'log' as const, segmentSeed, endOffset, lastSequence: 0, records: 0 };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const { kind } = parseUnits(bytes, view, bytes.length, headerBytes, state, () => {});
  return { records: state.records, kind };
}

/** The records of the units that end at or before `position`. */
function recordsBefore(position: number, starts: readonly number[]): number {
  const [, batch, , , after, end] = starts as [number, number, number, number, number, number];
  if (position >= end) return 5;
  if (position >= after) return 4;
  return position >= batch ? 1 : 0;
}

test('a batch that is cut anywhere is not there, nor what is behind it', () => {
  const { bytes, starts } = singleBatchSingle();
  expect(parse(bytes)).toEqual({ records: 5, kind: 'end' });
  for (let length = 0; length < bytes.length; length++) {
    const isWhole = length === 0 || length === starts[1] || length === starts[4];
    const expected = { records: recordsBefore(length, starts), kind: isWhole ? 'end' : 'bad' };
    expect(parse(bytes.slice(0, length)), `cut to ${length}`).toEqual(expected);
  }
});

test('a batch with any byte changed is not there, nor what is behind it', () => {
  const { bytes, starts } = singleBatchSingle();
  for (let at = 0; at < bytes.length; at++) {
    const changed = bytes.slice();
    changed[at] = (changed[at] as number) ^ 1;
    expect(parse(changed), `byte ${at}`).toEqual({ records: recordsBefore(at, starts), kind: 'bad' });
  }
});
