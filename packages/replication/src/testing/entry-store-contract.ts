import { invariant } from '@shanghai/env';
import type { ContractCase } from '@shanghai/env/testing';
import type { StreamId } from '../core/entry-id.js';
import { compareHlc, type Hlc, nextHlc } from '../core/hlc.js';
import { markOf } from '../core/origin-marks.js';
import { ReplicationError } from '../core/replication-error.js';
import { packEntries, type Run, unpackEntries } from '../core/run.js';
import type { OriginMark, StreamPosition } from '../core/stream-position.js';
import type { EntryStore } from '../ports/entry-store.js';

/** What a case runs against: an empty store of node 1. Logs 7 and 8 are there; nothing of them is folded. */
export interface EntryStoreSubject {
  readonly store: EntryStore;
  /** Writes own entries; resolves to the first one's sequence. */
  append(logId: number, data: readonly Uint8Array[]): Promise<number>;
  /** Lets go of entries before `firstSequence`. */
  trim(stream: StreamId, firstSequence: number): Promise<void>;
  /** A stamp later than its clock that the store follows. Absent: it follows any; else it passes over what no clock can have given. */
  readonly followed?: Hlc;
  /** The payload of an entry as this store keeps it. */
  payloadOf(hlc: Hlc, data: Uint8Array): Uint8Array;
  /** The process ends without a word, and is started again on the same directory. */
  reopen(): Promise<EntryStoreSubject>;
  close(): Promise<void>;
}

const stream: StreamId = { logId: 7, origin: 2, epoch: 5 };

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text));
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

/** Entries whose stamps are a millisecond apart. */
function runOf(subject: EntryStoreSubject, firstSequence: number, count: number, of: StreamId = stream): Run {
  const payloads = Array.from({ length: count }, (_, at) => {
    const sequence = firstSequence + at;
    return subject.payloadOf({ ms: 1_000_000 + sequence, counter: 0 }, bytesOf(`entry ${sequence}`));
  });
  const lastHlc = { ms: 1_000_000 + firstSequence + count - 1, counter: 0 };
  return { stream: of, firstSequence, count, lastHlc, bytes: packEntries(payloads) };
}

async function readAll({ store }: EntryStoreSubject, of: StreamId, from = 1): Promise<string[]> {
  const texts: string[] = [];
  for (let next = from; ; ) {
    const result = await store.read(of, next, 3, 1_000_000);
    if (result.type !== 'run') return texts;
    invariant(result.run.firstSequence === next, `asked for ${next}, got ${result.run.firstSequence}`);
    for (const payload of unpackEntries(result.run)) texts.push(textOf(payload));
    next += result.run.count;
  }
}

function expected(subject: EntryStoreSubject, from: number, to: number): string[] {
  return unpackEntries(runOf(subject, from, to - from + 1)).map(textOf);
}

function positionOf({ store }: EntryStoreSubject, { logId, origin, epoch }: StreamId): StreamPosition | undefined {
  return store
    .positions()
    .find(
      (position) =>
        position.stream.logId === logId && position.stream.origin === origin && position.stream.epoch === epoch,
    );
}

function markIn({ store }: EntryStoreSubject, origin: number): OriginMark | undefined {
  return store.marks().find((mark) => mark.origin === origin);
}

function same(actual: unknown, wanted: unknown, what: string): void {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(wanted)];
  invariant(a === b, `${what}: ${a} where ${b} was promised`);
}

async function rejects(promise: Promise<unknown>, code: string): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  invariant(error instanceof ReplicationError && error.code === code, `${String(error)} where ${code} was promised`);
}

async function ownStamps(subject: EntryStoreSubject): Promise<Hlc[]> {
  const own = subject.store.positions().filter((position) => position.stream.origin === 1);
  return own.map((position) => position.lastHlc).sort(compareHlc);
}

/** What every `EntryStore` promises. */
export const entryStoreContract: readonly ContractCase<EntryStoreSubject>[] = [
  {
    name: 'own entries are numbered from 1 in each log, and can be read when they are said to be there',
    async run(open) {
      const subject = await open();
      same(subject.store.positions(), [], 'positions of an empty store');
      const first = await subject.append(7, [bytesOf('a'), bytesOf('b')]);
      const second = await subject.append(7, [bytesOf('c')]);
      same([first, second, await subject.append(8, [bytesOf('d')])], [1, 3, 1], 'sequences');
      const own = { logId: 7, origin: 1, epoch: subject.store.ownEpoch() };
      same(positionOf(subject, own)?.lastSequence, 3, 'the last sequence');
      same((await readAll(subject, own)).length, 3, 'entries');
      same((await subject.store.read(own, 4, 1, 1)).type, 'nothing', 'what was not written');
      await subject.close();
    },
  },
  {
    name: 'runs are kept as they came; what is there already is cut off or passed over',
    async run(open) {
      const subject = await open();
      const { store } = subject;
      await store.receive([runOf(subject, 1, 4), runOf(subject, 5, 2)]);
      await store.receive([runOf(subject, 3, 6)]);
      await store.receive([runOf(subject, 1, 8), runOf(subject, 2, 1)]);
      same(await readAll(subject, stream), expected(subject, 1, 8), 'entries');
      same(positionOf(subject, stream)?.lastHlc, { ms: 1_000_008, counter: 0 }, 'the last stamp');
      same((await store.read({ ...stream, epoch: 6 }, 1, 1, 1)).type, 'nothing', 'an unknown stream');
      await subject.close();
    },
  },
  {
    name: 'a run behind a gap is refused, and nothing of its call is kept',
    async run(open) {
      const subject = await open();
      await subject.store.receive([runOf(subject, 1, 2)]);
      const other = { ...stream, origin: 3 };
      await rejects(subject.store.receive([runOf(subject, 1, 1, other), runOf(subject, 4, 1)]), 'GAP');
      same(await readAll(subject, stream), expected(subject, 1, 2), 'entries');
      same(positionOf(subject, other), undefined, 'another stream of the refused call');
      await subject.store.receive([runOf(subject, 3, 2)]);
      same(await readAll(subject, stream), expected(subject, 1, 4), 'entries');
      await subject.close();
    },
  },
  {
    name: 'bytes that are no entries are refused',
    async run(open) {
      const subject = await open();
      const run = runOf(subject, 1, 2);
      const damaged = { ...run, bytes: run.bytes.subarray(0, run.bytes.length - 1) };
      await rejects(
        Promise.resolve().then(() => subject.store.receive([damaged])),
        'CORRUPT',
      );
      same(positionOf(subject, stream), undefined, 'the stream');
      await subject.close();
    },
  },
  {
    name: 'calls that overlap are taken in their order, and none is done before those before it',
    async run(open) {
      const subject = await open();
      const done: number[] = [];
      const calls: Promise<unknown>[] = [];
      for (let i = 0; i < 20; i++) {
        calls.push(subject.store.receive([runOf(subject, i * 3 + 1, 3)]).then(() => done.push(i)));
      }
      calls.push(
        subject.store.setMark({ origin: 2, hlc: { ms: 1_000_060, counter: 0 }, behind: [] }).then(() => done.push(20)),
      );
      await Promise.all(calls);
      same(
        done,
        Array.from({ length: 21 }, (_, i) => i),
        'the order',
      );
      same(await readAll(subject, stream), expected(subject, 1, 60), 'entries');
      await subject.close();
    },
  },
  {
    name: 'a read gives no more than asked for, but one entry, and the stamp of its last',
    async run(open) {
      const subject = await open();
      const { store } = subject;
      await store.receive([runOf(subject, 1, 10)]);
      for (const [from, maxEntries, maxBytes] of [
        [1, 4, 1_000_000],
        [5, 100, 1],
        [3, 100, 60],
        [10, 5, 1_000_000],
      ] as const) {
        const result = await store.read(stream, from, maxEntries, maxBytes);
        invariant(result.type === 'run', `no run from ${from}`);
        const { count, bytes, lastHlc } = result.run;
        invariant(
          count <= maxEntries && (bytes.length <= maxBytes || count === 1),
          `${count} entries of ${bytes.length} bytes`,
        );
        same(lastHlc, { ms: 1_000_000 + from + count - 1, counter: 0 }, 'the last stamp');
        same(unpackEntries(result.run).map(textOf), expected(subject, from, from + count - 1), 'entries');
      }
      await subject.close();
    },
  },
  {
    name: 'a stream goes on where it was told to skip to, unless it is there already',
    async run(open) {
      const subject = await open();
      const { store } = subject;
      await store.receive([runOf(subject, 1, 3)]);
      await store.skip(stream, 2);
      same(await readAll(subject, stream), expected(subject, 1, 3), 'entries');
      await store.skip(stream, 10);
      const { firstSequence, lastSequence, lastHlc } = positionOf(subject, stream) as StreamPosition;
      same([firstSequence, lastSequence, lastHlc], [10, 9, { ms: 0, counter: 0 }], 'the position');
      await store.receive([runOf(subject, 8, 4)]);
      same(await readAll(subject, stream, 10), expected(subject, 10, 11), 'entries');
      same(await store.read(stream, 3, 1, 1), { type: 'trimmed', firstSequence: 10 }, 'what was skipped');
      const again = await subject.reopen();
      same(await readAll(again, stream, 10), expected(again, 10, 11), 'entries');
      await again.close();
    },
  },
  {
    name: 'what was trimmed is said to be, and where it goes on',
    async run(open) {
      const subject = await open();
      await subject.store.receive([runOf(subject, 1, 5)]);
      await subject.trim(stream, 4);
      same(await subject.store.read(stream, 3, 1, 1), { type: 'trimmed', firstSequence: 4 }, 'what was trimmed');
      same(await readAll(subject, stream, 4), expected(subject, 4, 5), 'entries');
      same(positionOf(subject, stream)?.firstSequence, 4, 'the first that can be read');
      const again = await subject.reopen();
      same(await readAll(again, stream, 4), expected(again, 4, 5), 'entries');
      same(positionOf(again, stream)?.firstSequence, 4, 'the first that can be read');
      await again.close();
    },
  },
  {
    name: 'what was resolved is there after the process ended without a word',
    async run(open) {
      const subject = await open();
      await subject.append(7, [bytesOf('a'), bytesOf('b')]);
      const own = { logId: 7, origin: 1, epoch: subject.store.ownEpoch() };
      await subject.store.receive([runOf(subject, 1, 5)]);
      await subject.store.setMark({ origin: 2, hlc: { ms: 1_000_005, counter: 0 }, behind: [] });
      const before = [await readAll(subject, own), await readAll(subject, stream)];
      const again = await subject.reopen();
      same([await readAll(again, own), await readAll(again, stream)], before, 'entries');
      same(markIn(again, 2)?.hlc, { ms: 1_000_005, counter: 0 }, 'the mark');
      same(positionOf(again, stream)?.lastHlc, { ms: 1_000_005, counter: 0 }, 'the last stamp');
      await again.store.receive([runOf(again, 6, 1)]);
      same(await readAll(again, stream), expected(again, 1, 6), 'entries');
      await again.close();
    },
  },
  {
    name: 'stamps of own entries only grow, over epochs and ends of the process, and beyond what was received',
    async run(open) {
      let subject = await open();
      const far = subject.followed ?? { ms: Date.UTC(2200, 0), counter: 65_535 };
      const payload = subject.payloadOf(far, bytesOf('from the future'));
      const run = { stream, firstSequence: 1, count: 1, lastHlc: far, bytes: packEntries([payload]) };
      await subject.store.receive([run]);
      await subject.append(7, [bytesOf('a')]);
      const epoch = subject.store.ownEpoch();
      const next = await subject.store.beginEpoch();
      invariant(next > epoch && subject.store.ownEpoch() === next, `epoch ${next} after ${epoch}`);
      await subject.append(7, [bytesOf('b')]);
      subject = await subject.reopen();
      await subject.append(8, [bytesOf('c')]);
      const stamps = await ownStamps(subject);
      same(stamps.length, 3, 'own streams');
      invariant(compareHlc(stamps[0] as Hlc, far) > 0, 'a stamp is not later than what was received');
      for (let i = 1; i < 3; i++)
        invariant(compareHlc(stamps[i] as Hlc, stamps[i - 1] as Hlc) > 0, 'a stamp does not grow');
      invariant(subject.store.ownEpoch() >= next, 'an epoch fell');
      await subject.close();
    },
  },
  {
    name: 'the own mark covers what is there, and no later entry has a stamp up to it',
    async run(open) {
      let subject = await open();
      await subject.append(7, [bytesOf('a')]);
      const [stamp] = await ownStamps(subject);
      await subject.store.makeOwnMark();
      const mark = markIn(subject, 1);
      invariant(
        mark !== undefined && compareHlc(mark.hlc, stamp as Hlc) >= 0,
        'the mark is before an entry that is there',
      );
      subject = await subject.reopen();
      await subject.append(8, [bytesOf('b')]);
      const later = (await ownStamps(subject)).at(-1) as Hlc;
      invariant(compareHlc(later, mark.hlc) > 0, 'an entry has a stamp up to a mark that was made before');
      await subject.close();
    },
  },
  {
    name: 'marks are kept as they come, with the logs they name as behind',
    async run(open) {
      const subject = await open();
      const at = (ms: number): Hlc => ({ ms, counter: 0 });
      const behind = [
        { logId: 7, hlc: at(10) },
        { logId: 8, hlc: at(15) },
      ];
      await subject.store.setMark({ origin: 2, hlc: at(10), behind: [] });
      await subject.store.setMark({ origin: 2, hlc: at(20), behind });
      same(markIn(subject, 2), { origin: 2, hlc: at(20), behind }, 'the mark');
      const mark = markIn(subject, 2) as OriginMark;
      same(
        [7, 8, 9].map((logId) => markOf(mark, logId).ms),
        [10, 15, 20],
        'what is known',
      );
      await subject.store.setMark({ origin: 2, hlc: nextHlc(at(20)), behind: [] });
      same(markIn(subject, 2), { origin: 2, hlc: nextHlc(at(20)), behind: [] }, 'the mark');
      await subject.close();
    },
  },
  {
    name: 'an observer is told what is durable, positions before the marks that speak of them',
    async run(open) {
      const subject = await open();
      const told: string[] = [];
      const stop = subject.store.observe({
        onPositions: (positions) => told.push(...positions.map(({ lastSequence }) => `at ${lastSequence}`)),
        onMarks: (marks) => told.push(...marks.map(({ hlc }) => `mark ${hlc.ms}`)),
        onLogRemoved: () => undefined,
      });
      const mark = { origin: 2, hlc: { ms: 1_000_003, counter: 0 }, behind: [] };
      await Promise.all([subject.store.receive([runOf(subject, 1, 3)]), subject.store.setMark(mark)]);
      same(told, ['at 3', 'mark 1000003'], 'what was told');
      stop();
      await subject.store.receive([runOf(subject, 4, 1)]);
      same(told.length, 2, 'what was told after the end');
      await subject.close();
    },
  },
];
