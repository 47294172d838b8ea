import { crc32 } from '@shanghai/env';
import type { PackedEntries } from '@shanghai/proto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ClientError } from '../client-error.js';
import { PackedRun } from './packed-run.js';
import { allEntries, pageEntries } from './page-entries.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 4711);

/** An entry as docs/formats/log-page.md draws it, by hand: what the server makes is tested there. */
function packedEntry(head: readonly number[], key: string, value: string, headers: [string, string][] = []): Buffer {
  const u16 = (n: number) => [n & 255, n >>> 8];
  const u32 = (n: number) => [...u16(n & 0xffff), ...u16(n >>> 16)];
  const tail = headers.flatMap(([name, text]) => [
    ...u16(Buffer.byteLength(name)),
    ...u32(text.length),
    ...Buffer.from(name),
    ...Buffer.from(text),
  ]);
  const record = [...u32(key.length), ...u32(value.length), ...u16(headers.length)];
  const payload = [...head, ...record, ...Buffer.from(key), ...Buffer.from(value), ...tail];
  return Buffer.from([...u32(payload.length), 9, 9, 9, 9, 9, 0, 0, 0, ...payload]);
}

const u64 = (n: number) => [n & 255, n >>> 8, 0, 0, 0, 0, 0, 0];
const plain = (timeMs: number) => [1, 0, 0, 0, 0, 0, 0, 0, ...u64(77), ...u64(timeMs)];
const stamped = (ms: number, counter: number) => [2, 0, 0, 0, 0, 0, ms >>> 8, ms & 255, counter >>> 8, counter & 255];

function message(entries: Buffer, more: Partial<PackedEntries> = {}): PackedEntries {
  const head = { origin: 3n, epoch: 2n, firstSequence: 10n, count: 1, version: 1 };
  return { ...head, checksum: crc32(entries), entries, ...more };
}

const answer = (packed: PackedEntries[]) => ({
  ...{ entries: [], gaps: [], packed },
  ...{ nextSequence: 0n, firstSequence: 0n, lastSequence: 0n },
});

test('both forms of an entry are read, with and without key, headers and producer', () => {
  const producer = [...u64(5), ...u64(6), ...u64(7)];
  const entries = Buffer.concat([
    packedEntry(plain(513), 'k', 'value'),
    packedEntry([1, 1, ...plain(1).slice(2), ...producer], '', '', [['grün', 'x']]),
    packedEntry(stamped(258, 3), '', 'v'),
    packedEntry([2, 1, ...stamped(1, 0).slice(2), ...producer], 'key', 'v'),
  ]);
  const read = allEntries(answer([message(entries, { count: 4 })]), undefined);
  const bytes = (text: string) => Buffer.from(text);
  const by = { producerId: 5, epoch: 6, sequence: 7 };
  const from = { origin: 3, epoch: 2 };
  expect(read).toEqual([
    { ...from, sequence: 10, timeMs: 513, key: bytes('k'), value: bytes('value'), headers: [] },
    {
      ...{ ...from, sequence: 11, timeMs: 1, key: bytes(''), value: bytes('') },
      ...{ headers: [{ name: 'grün', value: bytes('x') }], producer: by },
    },
    { ...from, sequence: 12, timeMs: 258, key: bytes(''), value: bytes('v'), headers: [] },
    { ...from, sequence: 13, timeMs: 1, key: bytes('key'), value: bytes('v'), headers: [], producer: by },
  ]);
});

test('in the order of time runs are merged by stamp, then origin, then epoch; else they come as they are', () => {
  const run = (origin: bigint, epoch: bigint, ...stamps: [number, number][]) =>
    message(Buffer.concat(stamps.map(([ms, counter]) => packedEntry(stamped(ms, counter), '', `${origin}.${epoch}`))), {
      ...{ origin, epoch, firstSequence: 1n, count: stamps.length },
    });
  const runs = [run(2n, 1n, [5, 0], [300, 0]), run(1n, 2n, [5, 1], [5, 2]), run(1n, 1n, [5, 0], [400, 0])];
  const names = (order: 'time' | 'arrival') =>
    allEntries(answer(runs), order).map(({ origin, epoch, sequence }) => `${origin}.${epoch}/${sequence}`);
  expect(names('time')).toEqual(['1.1/1', '2.1/1', '1.2/1', '1.2/2', '2.1/2', '1.1/2']);
  expect(names('arrival')).toEqual(['2.1/1', '2.1/2', '1.2/1', '1.2/2', '1.1/1', '1.1/2']);
});

test('what was damaged on its way, or is of a version to come, is refused before an entry is given', () => {
  const entries = Buffer.concat([packedEntry(plain(1), 'k', 'v'), packedEntry(plain(2), 'k', 'w')]);
  const whole = message(entries, { count: 2 });
  expect(allEntries(answer([whole]), undefined).length).toBe(2);
  const damaged = [
    message(entries, { count: 2, version: 2 }),
    message(entries, { count: 2, checksum: whole.checksum ^ 1 }),
    ...[0, 1, 3].map((count) => message(entries, { count })),
    message(entries.subarray(0, -1), { count: 2 }),
    message(packedEntry([3, ...plain(1).slice(1)], '', '')),
    message(packedEntry([1, 2, ...plain(1).slice(2)], '', '')),
  ];
  for (const one of damaged) expect(() => pageEntries(answer([whole, one]), undefined)).toThrow(ClientError);
});

test(`bytes that are anything, under a checksum that holds, are refused or read, never read beyond (seed ${seed})`, () => {
  const entries = Buffer.concat([
    packedEntry(plain(1), 'key', 'value', [['name', 'text']]),
    packedEntry(stamped(1, 1), '', 'v'),
  ]);
  const changes = fc.array(fc.tuple(fc.nat(entries.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(changes, fc.nat(3), fc.nat(entries.length), (edits, count, length) => {
      const bytes = Buffer.from(entries);
      for (const [at, value] of edits) bytes[at] = value;
      const cut = length % 5 === 0 ? bytes.subarray(0, length) : bytes;
      let run: PackedRun;
      try {
        run = new PackedRun(message(cut, { count }));
      } catch (error) {
        expect(error).toBeInstanceOf(ClientError);
        return;
      }
      let bytesRead = 0;
      for (let i = 0; i < count; i++) {
        const { key, value } = run.take();
        bytesRead += key.length + value.length;
      }
      expect(run.isAtEnd).toBe(true);
      expect(bytesRead).toBeLessThan(cut.length);
    }),
    { seed, numRuns: process.env['SHANGHAI_DEEP'] === '1' ? 300_000 : 5000 },
  );
});
