import { type Hlc, zeroHlc } from '@shanghai/replication';
import { expect, test } from 'vitest';
import { MapStore } from '../../test/core-map-store.js';
import { encodeStreamEntries } from '../logs/log-file-record.js';
import { ProducerTable } from './producer-table.js';
import type { StreamRun } from './stream-run.js';
import { splitRun } from './stream-run.js';
import { StreamTable } from './stream-table.js';
import { WriteSet } from './write-set.js';

const hlc = (ms: number): Hlc => ({ ms, counter: 0 });
const record = (value: string) => ({ key: Buffer.alloc(0), value: Buffer.from(value), headers: [] });

function table() {
  const producers = new ProducerTable();
  const streams = new StreamTable(producers);
  const writes = new WriteSet(new MapStore().asStore());
  const taken: StreamRun[] = [];
  const append = (ms: number, count = 1, more: object = {}) => {
    const bytes = encodeStreamEntries(
      Array.from({ length: count }, () => record('v')),
      hlc(ms),
    );
    const one = { logId: 1, firstHlc: hlc(ms), lastHlc: { ms, counter: count - 1 }, count, bytes, ...more };
    return streams.append(one, 1, writes, (run) => taken.push(run));
  };
  return { streams, taken, append };
}

const run = (firstSequence: number, count: number, origin = 2, epoch = 1): StreamRun => ({
  stream: { logId: 1, origin, epoch },
  firstSequence,
  count,
  lastHlc: hlc(100 + firstSequence + count),
  bytes: encodeStreamEntries(
    Array.from({ length: count }, () => record('r')),
    hlc(100 + firstSequence),
  ),
});

test('an origin numbers what it appends in its epoch, and gives no stamp out twice', () => {
  const { streams, taken, append } = table();
  expect(append(5)).toMatchObject({ type: 'failed', code: 'INTERNAL_ERROR' });
  streams.beginEpoch(7, 3);
  expect(append(5, 2)).toMatchObject({ firstSequence: 1, lastSequence: 2, epoch: 3, timeMs: 5 });
  expect(append(5, 2)).toMatchObject({ type: 'failed', code: 'INTERNAL_ERROR' });
  streams.raiseCeiling(hlc(9));
  expect(append(9)).toMatchObject({ type: 'failed' });
  expect(append(10)).toMatchObject({ firstSequence: 3 });
  streams.beginEpoch(7, 4);
  streams.beginEpoch(7, 2);
  expect(append(11)).toMatchObject({ firstSequence: 1, epoch: 4 });
  expect(taken.map(({ stream, firstSequence }) => [stream.epoch, firstSequence])).toEqual([
    [3, 1],
    [3, 3],
    [4, 1],
  ]);
});

test('expected sequence and producers are judged per origin; a repetition from another epoch is a conflict', () => {
  const { streams, append } = table();
  streams.beginEpoch(7, 1);
  const producer = (sequence: number) => ({ producer: { producerId: 4, epoch: 1, sequence } });
  expect(append(1, 2, producer(1))).toMatchObject({ firstSequence: 1, duplicate: false });
  expect(append(2, 2, producer(1))).toMatchObject({ firstSequence: 1, duplicate: true, epoch: 1 });
  expect(append(3, 1, { expectedLastSequence: 1 })).toMatchObject({ code: 'CONFLICT', details: { lastSequence: 2 } });
  expect(append(4, 1, { expectedLastSequence: 2 })).toMatchObject({ firstSequence: 3 });
  streams.beginEpoch(7, 2);
  expect(append(5, 2, producer(1))).toMatchObject({ code: 'CONFLICT' });
  expect(append(6, 1, producer(3))).toMatchObject({ firstSequence: 1, epoch: 2 });
});

test('runs are taken in order, once, as far as they are new', () => {
  const { streams } = table();
  streams.beginEpoch(7, 1);
  expect(streams.receive(run(2, 1))).toBe(false);
  expect(streams.receive(run(1, 2))).toBe(true);
  expect(streams.receive(run(1, 2))).toBe(false);
  expect(streams.receive(run(2, 3))).toBe(true);
  expect(streams.get(run(1, 1).stream)).toMatchObject({ firstSequence: 1, lastSequence: 4 });
  // Of its own present epoch a node has everything there is.
  expect(streams.receive(run(1, 1, 7, 1))).toBe(false);
  expect(streams.receive(run(1, 1, 7, 9))).toBe(true);
});

test('what nobody has any more is skipped, what is not wanted any more is trimmed', () => {
  const { streams } = table();
  const { stream } = run(1, 1);
  streams.receive(run(1, 4));
  streams.trim(stream, 3);
  streams.trim(stream, 2);
  expect(streams.get(stream)).toMatchObject({ firstSequence: 3, lastSequence: 4 });
  streams.skip(stream, 10);
  expect(streams.get(stream)).toMatchObject({ firstSequence: 10, lastSequence: 9 });
  expect(streams.receive(run(9, 3))).toBe(true);
  expect(streams.get(stream)).toMatchObject({ firstSequence: 10, lastSequence: 11 });
});

test('the streams of a dropped log are gone for good, also after a restart', async () => {
  const store = new MapStore().asStore();
  const producers = new ProducerTable();
  const streams = new StreamTable(producers);
  const writes = new WriteSet(store);
  streams.receive(run(1, 4));
  streams.beginEpoch(7, 2);
  streams.raiseCeiling(hlc(77));
  streams.store(writes);
  streams.publish();
  streams.drop(1, 50, writes);
  expect(streams.isGone(1, 49)).toBe(false);
  expect(streams.isGone(1, 50)).toBe(true);
  const again = new StreamTable(producers);
  const put = writes.operations.flatMap((one) => (one.type === 'put' ? [one] : []));
  again.load(put.filter(({ key }) => key[0] === 0x07 && key[8] === 0).map(({ value }) => ({ value })));
  again.loadOwn((put.filter(({ key }) => key[0] === 0x08).at(-1) as { value: Uint8Array }).value);
  expect(again.own).toEqual({ origin: 7, epoch: 2, highestHlc: hlc(77) });
  expect(again.receive(run(1, 4))).toBe(false);
  expect(again.isGone(1, 0)).toBe(true);
  expect(zeroHlc.ms).toBe(0);
});

test('a run that does not hold what it says is refused', () => {
  const whole = run(1, 3);
  expect(splitRun(whole, 2).length).toBe(1);
  expect(() => splitRun({ ...whole, count: 4 })).toThrow(RangeError);
  expect(() => splitRun({ ...whole, count: 2 })).toThrow(RangeError);
  expect(() => splitRun({ ...whole, bytes: whole.bytes.subarray(0, 20) })).toThrow(RangeError);
});

test('a group that holds no streams writes nothing of them', () => {
  const writes = new WriteSet(new MapStore().asStore());
  new StreamTable(new ProducerTable()).store(writes);
  expect(writes.operations).toEqual([]);
});
