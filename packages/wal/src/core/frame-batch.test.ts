import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isIntact, isPlausible, isUnwritten } from './frame.js';
import { FrameBatch, frameTargetBytes, terminatorBytes } from './frame-batch.js';
import { areRecordsSound, recordHeaderBytes, recordKind, recordPayloadBytes, recordStream } from './record.js';

const seed = 20_261_121;

interface Unit {
  readonly records: readonly { payload: Uint8Array; stream: number; kind: number }[];
}

const unit: fc.Arbitrary<Unit> = fc.record({
  records: fc.array(
    fc.record({
      payload: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.constant(new Uint8Array(20_000).fill(9))),
      stream: fc.integer({ min: 0, max: 0xffff_ffff }),
      kind: fc.integer({ min: 0, max: 255 }),
    }),
    { minLength: 1, maxLength: 5 },
  ),
});

function gather(units: readonly Unit[]): FrameBatch {
  const batch = new FrameBatch();
  for (const { records } of units) {
    batch.beginUnit(
      records.length,
      records.reduce((sum, { payload }) => sum + payload.length, 0),
    );
    for (const { payload, stream, kind } of records) batch.add(payload, stream, kind);
  }
  batch.finish();
  return batch;
}

test(`what was gathered is in the frames, in order, and no unit is in two of them (seed ${seed})`, () => {
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 30 }), fc.integer({ min: 0, max: 1000 }), (units, segmentSeed) => {
      const batch = gather(units);
      const expected = units.flatMap(({ records }) => records);
      const starts = new Set(
        units.map((_, i) => units.slice(0, i).reduce((sum, { records }) => sum + records.length, 0)),
      );
      let index = 0;
      for (let frame = 0; frame < batch.frames; frame++) {
        const at = batch.frameStart(frame);
        const place = { segmentSeed, offset: 4096 + at };
        batch.seal(frame, place, { firstLsn: 1 + index, wallTimeMs: 5, durableEnd: 4096 });
        const count = batch.recordsBefore(frame + 1) - batch.recordsBefore(frame);
        expect(isPlausible(batch.view, at, 4096 + at, batch.frameBytes(frame))).toBe(true);
        expect(isIntact(batch.bytes, batch.view, at, segmentSeed, 4096 + at)).toBe(true);
        expect(areRecordsSound(batch.view, at + 40, at + batch.frameBytes(frame), count)).toBe(true);
        expect(starts.has(index)).toBe(true);
        let position = at + 40;
        for (let i = 0; i < count; i++, index++) {
          const record = expected[index] as Unit['records'][number];
          expect(recordStream(batch.view, position)).toBe(record.stream);
          expect(recordKind(batch.view, position)).toBe(record.kind);
          const start = position + recordHeaderBytes;
          position = start + recordPayloadBytes(batch.view, position);
          expect(Buffer.compare(batch.bytes.subarray(start, position), record.payload)).toBe(0);
        }
      }
      expect(index).toBe(expected.length);
      expect(isUnwritten(batch.bytes, batch.frameStart(batch.frames), terminatorBytes)).toBe(true);
    }),
    { seed, numRuns: 100 },
  );
});

test('independent records share a frame up to its target, whatever the batch held before', () => {
  const batch = new FrameBatch();
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 1000; i++) {
      batch.beginUnit(1, 128);
      batch.add(new Uint8Array(128).fill(255), 0, 0);
    }
    batch.finish();
    expect(batch.records).toBe(1000);
    expect(batch.frames).toBe(Math.ceil((1000 * 140) / (frameTargetBytes - 40)));
    for (let frame = 0; frame < batch.frames; frame++)
      expect(batch.frameBytes(frame)).toBeLessThanOrEqual(frameTargetBytes);
    batch.reset();
  }
});

test('a frame does not validate at another offset, in another segment, or with any bit flipped', () => {
  const batch = gather([{ records: [{ payload: Buffer.from('payload'), stream: 3, kind: 4 }] }]);
  batch.seal(0, { segmentSeed: 77, offset: 4096 }, { firstLsn: 9, wallTimeMs: 5, durableEnd: 4096 });
  expect(isIntact(batch.bytes, batch.view, 0, 77, 4096)).toBe(true);
  expect(isIntact(batch.bytes, batch.view, 0, 77, 4104)).toBe(false);
  expect(isIntact(batch.bytes, batch.view, 0, 78, 4096)).toBe(false);
  const bits = batch.frameBytes(0) * 8;
  for (let bit = 0; bit < bits; bit++) {
    const index = bit >> 3;
    batch.bytes[index] = (batch.bytes[index] as number) ^ (1 << (bit & 7));
    const valid = isPlausible(batch.view, 0, 4096, bits / 8) && isIntact(batch.bytes, batch.view, 0, 77, 4096);
    expect(valid, `bit ${bit}`).toBe(false);
    batch.bytes[index] = (batch.bytes[index] as number) ^ (1 << (bit & 7));
  }
});

test(`a run lies in its frame as its records would one by one (seed ${seed})`, () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 20 }),
      fc.boolean(),
      (payloads, follows) => {
        const [byOne, asRun] = [new FrameBatch(), new FrameBatch()];
        const payloadBytes = payloads.reduce((sum, { length }) => sum + length, 0);
        for (const batch of [byOne, asRun]) {
          if (!follows) continue;
          batch.beginUnit(1, 3);
          batch.add(Uint8Array.of(1, 2, 3), 0, 0);
        }
        byOne.beginUnit(payloads.length, payloadBytes);
        for (const payload of payloads) byOne.add(payload, 5, 6);
        asRun.beginUnit(payloads.length, payloadBytes);
        const bytes = Buffer.concat(payloads.flatMap((payload) => [Uint8Array.of(payload.length, 0, 0, 0), payload]));
        asRun.addRun({ bytes, count: payloads.length, stream: 5, kind: 6 });
        for (const batch of [byOne, asRun]) batch.finish();
        expect(asRun.bytes.subarray(0, asRun.frameStart(1))).toEqual(byOne.bytes.subarray(0, byOne.frameStart(1)));
        expect([asRun.records, asRun.payloadBytes, asRun.frames]).toEqual([
          byOne.records,
          byOne.payloadBytes,
          byOne.frames,
        ]);
      },
    ),
    { seed },
  );
});
