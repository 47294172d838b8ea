import { createSeededRandom, type Disk } from '@shanghai/env';
import { createManualClock, createMemoryDisk, enumerateCrashes, type FaultDisk } from '@shanghai/env/testing';
import { openWal } from '@shanghai/wal';
import { expect, test } from 'vitest';
import { streamKey } from '../src/core/entry-id.js';
import { packEntries, type Run, unpackEntries } from '../src/core/run.js';
import { stampedPayload } from '../src/core/stamped-payload.js';
import { type EntryStoreSubject, entryStoreContract } from '../src/testing/entry-store-contract.js';
import { openWalEntryStore } from '../src/wal/open-wal-entry-store.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
/** Ids must never come twice on a disk: stale frames of a recycled file would be taken for new ones. */
let openings = 0;

async function openOn(disk: Disk, tailBytes = 2_000) {
  const wal = await openWal({
    directory: '/wal',
    disk,
    clock: createManualClock(),
    random: createSeededRandom(++openings),
    segmentBytes: 65_536,
    firstSegmentBytes: 8_192,
  });
  const store = await openWalEntryStore({
    wal,
    nodeId: 1,
    clock: createManualClock(),
    nextEpoch: (last) => last + 1,
    tailBytes,
  });
  return { wal, store };
}

async function subjectOn(disk: Disk): Promise<EntryStoreSubject> {
  const { wal, store } = await openOn(disk);
  return {
    store,
    append: (logId, data) => store.append(logId, data),
    trim: (stream, firstSequence) => store.trim(stream, firstSequence),
    payloadOf: stampedPayload,
    reopen: async () => {
      await wal.close();
      return subjectOn(disk);
    },
    close: () => wal.close(),
  };
}

for (const { name, run } of entryStoreContract) {
  test(`a store in a write-ahead log: ${name}`, () => run(() => subjectOn(createMemoryDisk())));
}

const other = { logId: 7, origin: 2, epoch: 5 };

function runOf(firstSequence: number, count: number, size = 20, stream = other): Run {
  const payloads = Array.from({ length: count }, (_, at) =>
    stampedPayload({ ms: 1_000 + firstSequence + at, counter: 0 }, new Uint8Array(size).fill(firstSequence + at)),
  );
  return {
    stream,
    firstSequence,
    count,
    lastHlc: { ms: 999 + firstSequence + count, counter: 0 },
    bytes: packEntries(payloads),
  };
}

/** What was asked of a store, and what it said was done. */
class Asked {
  /** Last sequences by stream: resolved, and called. */
  readonly done = new Map<string, number>();
  readonly called = new Map<string, number>();
  /** The highest first sequence that was asked for. */
  trimmed = 1;
  markMs = 0;

  async run(key: string, last: number, promise: Promise<unknown>): Promise<void> {
    this.called.set(key, Math.max(last, this.called.get(key) ?? 0));
    await promise;
    this.done.set(key, Math.max(last, this.done.get(key) ?? 0));
  }
}

async function write(disk: FaultDisk, asked: Asked): Promise<void> {
  const { wal, store } = await openOn(disk);
  const own = streamKey({ logId: 7, origin: 1, epoch: store.ownEpoch() });
  const key = streamKey(other);
  const texts = (count: number) => Array.from({ length: count }, (_, at) => new Uint8Array(30).fill(at));
  await Promise.all([
    asked.run(own, 3, store.append(7, texts(3))),
    asked.run(key, 4, store.receive([runOf(1, 4)])),
    asked.run(own, 4, store.append(7, texts(1))),
    asked.run(key, 9, store.receive([runOf(3, 3), runOf(6, 4)])),
  ]);
  await store.setMark({ origin: 2, hlc: { ms: 1_009, counter: 0 }, behind: [] });
  asked.markMs = 1_009;
  for (let first = 10; first < 30; first += 4) await asked.run(key, first + 3, store.receive([runOf(first, 4, 900)]));
  asked.trimmed = 22;
  await store.trim(other, 22);
  await Promise.all([asked.run(own, 6, store.append(7, texts(2))), store.makeOwnMark()]);
  await asked.run(key, 32, store.receive([runOf(30, 3, 3_000)]));
  await wal.close();
}

async function verify(disk: FaultDisk, asked: Asked): Promise<void> {
  let opened = await openOn(disk, 100);
  const before = opened.store.positions();
  for (const { stream, firstSequence, lastSequence } of before) {
    const key = streamKey(stream);
    expect(lastSequence).toBeLessThanOrEqual(asked.called.get(key) ?? 0);
    if (key === streamKey(other)) expect([1, 22].includes(firstSequence) && firstSequence <= asked.trimmed).toBe(true);
    for (let next = firstSequence; next <= lastSequence; ) {
      const result = await opened.store.read(stream, next, 5, 2_000);
      if (result.type !== 'run') throw new Error(`${key} ${next} cannot be read`);
      if (key === streamKey(other)) {
        expect(unpackEntries(result.run).map((payload) => payload[8])).toEqual(
          Array.from({ length: result.run.count }, (_, at) => next + at),
        );
      }
      next += result.run.count;
    }
  }
  for (const [key, last] of asked.done) {
    expect(before.find(({ stream }) => streamKey(stream) === key)?.lastSequence ?? 0, key).toBeGreaterThanOrEqual(last);
  }
  expect(opened.store.marks().find(({ origin }) => origin === 2)?.hlc.ms ?? 0).toBeGreaterThanOrEqual(asked.markMs);
  // It goes on, and what it had stays.
  const last = before.find(({ stream }) => streamKey(stream) === streamKey(other))?.lastSequence ?? 0;
  await opened.store.receive([runOf(last + 1, 2)]);
  await opened.store.append(7, [new Uint8Array(5)]);
  await opened.wal.close();
  opened = await openOn(disk);
  expect(opened.store.positions().length).toBeGreaterThan(before.length);
  await opened.wal.close();
}

test('a crash at any step leaves what was acknowledged, in order and without gaps', async () => {
  let cases = 0;
  for (const seed of deep ? [1, 2, 3, 4] : [1]) {
    const coverage = await enumerateCrashes<Asked>({
      seed,
      randomDraws: deep ? 5 : 1,
      start: () => new Asked(),
      run: write,
      verify,
    });
    cases += coverage.cases;
  }
  expect(cases).toBeGreaterThan(100);
});

test('states are written anew when they have grown, with those that are on their way', async () => {
  const disk = createMemoryDisk();
  let opened = await openOn(disk);
  await opened.store.receive([runOf(1, 4)]);
  for (let wave = 0; wave < 15; wave++) {
    const calls: Promise<unknown>[] = [];
    // On its way when stream 0 is written anew, at its 1,025th record.
    if (wave === 10) calls.push(opened.store.skip(other, 20), opened.store.receive([runOf(20, 2)]));
    for (let ms = wave * 100 + 1; ms <= wave * 100 + 100; ms++) {
      calls.push(opened.store.setMark({ origin: 2, hlc: { ms, counter: 0 }, behind: [] }));
    }
    await Promise.all(calls);
  }
  const records: number[] = [];
  for await (const { lsn } of opened.wal.entries({ stream: 0 })) records.push(lsn);
  expect(records.length).toBeLessThan(1_000);
  await opened.wal.close();
  opened = await openOn(disk);
  expect(opened.store.marks()).toEqual([{ origin: 2, hlc: { ms: 1_500, counter: 0 }, behind: [] }]);
  expect(opened.store.positions()).toEqual([
    { stream: other, firstSequence: 20, lastSequence: 21, lastHlc: { ms: 1_021, counter: 0 } },
  ]);
  await opened.wal.close();
});

test('a write that fails is the end of the store, and what was written behind it does not count', async () => {
  const disk = createMemoryDisk();
  let opened = await openOn(disk);
  await opened.store.receive([runOf(1, 2)]);
  const large = opened.store.receive([runOf(3, 1, 20_000_000)]);
  const behind = opened.store.receive([runOf(4, 1)]);
  await expect(large).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' });
  await expect(behind).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' });
  await expect(opened.store.append(7, [new Uint8Array(1)])).rejects.toMatchObject({ code: 'RECORD_TOO_LARGE' });
  await opened.wal.close();
  opened = await openOn(disk);
  expect(opened.store.positions().map(({ lastSequence }) => lastSequence)).toEqual([2]);
  await opened.store.receive([runOf(3, 2)]);
  const result = await opened.store.read(other, 2, 10, 10_000);
  expect(result.type === 'run' && result.run.count).toBe(3);
  await opened.wal.close();
});

test('segments go when what is in them was trimmed, also after an opening', async () => {
  const disk = createMemoryDisk();
  let opened = await openOn(disk);
  for (let first = 1; first < 400; first += 4) await opened.store.receive([runOf(first, 4, 900)]);
  const { segments } = opened.wal.info();
  await opened.store.trim(other, 390);
  await opened.wal.close();
  opened = await openOn(disk);
  await opened.store.receive([runOf(401, 1)]);
  await opened.wal.trim(1);
  expect(opened.wal.info().segments).toBeLessThan(segments / 2);
  expect(await opened.store.read(other, 388, 1, 1)).toEqual({ type: 'trimmed', firstSequence: 390 });
  await opened.wal.close();
});

test('a log that was removed is gone after an opening, and nothing of it is taken', async () => {
  const disk = createMemoryDisk();
  let opened = await openOn(disk);
  await opened.store.receive([runOf(1, 2)]);
  await opened.store.removeLog(7);
  await opened.wal.close();
  opened = await openOn(disk);
  await opened.store.receive([runOf(3, 2), runOf(1, 1, 5, { ...other, logId: 8 })]);
  expect(opened.store.positions().map(({ stream }) => stream.logId)).toEqual([8]);
  await opened.wal.close();
});
