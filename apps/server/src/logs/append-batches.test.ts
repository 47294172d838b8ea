import { describe, expect, test } from 'vitest';
import { splitLogRecords } from '../apply/log-record-codec.js';
import { ServerError } from '../requests/server-error.js';
import { AppendBatches, type AppendPlace, type AppendWork, type BatchedLog, workOf } from './append-batches.js';
import type { LogAppend, LogRecord, Producer } from './log-requests.js';

const record = (bytes = 1): LogRecord => ({ key: Buffer.alloc(0), value: Buffer.alloc(bytes, 'v'), headers: [] });
/** What an append of these records is made of. */
const work = (append: Omit<LogAppend, 'log'>) => workOf({ log: 'l', ...append });
const records = (count: number) => Array.from({ length: count }, () => record());

/** A log that keeps what it was given, and gives out sequence numbers. */
function memoryLog(refuse: (made: AppendWork) => ServerError | undefined = () => undefined) {
  const commands: AppendWork[] = [];
  let last = 0;
  const log: BatchedLog = {
    logId: 7,
    ready: async () => undefined,
    propose: async (made): Promise<AppendPlace> => {
      commands.push(made);
      splitLogRecords(made.recordBytes, made.recordCount);
      const error = refuse(made);
      if (error !== undefined) throw error;
      const firstSequence = last + 1;
      last += made.recordCount;
      return { firstSequence, lastSequence: last, timeMs: 5, duplicate: false };
    },
  };
  return { log, commands, counts: () => commands.map(({ recordCount }) => recordCount) };
}

describe('appends of one turn', () => {
  test('are one command, and each is told its own place', async () => {
    const { log, counts } = memoryLog();
    const batches = new AppendBatches();
    const places = await Promise.all([1, 2, 3].map((count) => batches.append(log, work({ records: records(count) }))));
    expect(counts()).toEqual([6]);
    expect(places.map(({ firstSequence, lastSequence }) => [firstSequence, lastSequence])).toEqual([
      [1, 1],
      [2, 3],
      [4, 6],
    ]);
  });

  test('stay apart where one expects a last sequence, in the order of the calls', async () => {
    const { log, commands, counts } = memoryLog();
    const batches = new AppendBatches();
    await Promise.all([
      batches.append(log, work({ records: records(1) })),
      batches.append(log, work({ records: records(2), expectedLastSequence: 1 })),
      batches.append(log, work({ records: records(1) })),
      batches.append(log, work({ records: records(1) })),
    ]);
    expect(counts()).toEqual([1, 2, 2]);
    expect(commands.map(({ expectedLastSequence }) => expectedLastSequence)).toEqual([undefined, 1, undefined]);
  });

  test('of producers go together where the numbers of one follow each other', async () => {
    const { log, commands } = memoryLog();
    const batches = new AppendBatches();
    const of = (producerId: number, epoch: number, sequence: number): Producer => ({ producerId, epoch, sequence });
    const producers = [of(1, 1, 1), of(1, 1, 3), of(2, 1, 1), of(1, 1, 5), of(1, 2, 7)];
    await Promise.all(producers.map((producer) => batches.append(log, work({ records: records(2), producer }))));
    expect(commands.map(({ producer, recordCount }) => [producer, recordCount])).toEqual([
      [of(1, 1, 1), 4],
      [of(2, 1, 1), 2],
      [of(1, 1, 5), 2],
      [of(1, 2, 7), 2],
    ]);
  });

  test('are judged one by one where the whole is out of sequence, for some may be repetitions', async () => {
    const { log, counts } = memoryLog(({ recordCount }) =>
      recordCount > 1 ? new ServerError('CONFLICT', 'out of sequence') : undefined,
    );
    const batches = new AppendBatches();
    const appends = [1, 2, 3].map((sequence) =>
      batches.append(log, work({ records: records(1), producer: { producerId: 1, epoch: 1, sequence } })),
    );
    await Promise.all(appends);
    expect(counts()).toEqual([3, 1, 1, 1]);
  });

  test('are cut at the bounds of a command', async () => {
    const { log, counts } = memoryLog();
    const batches = new AppendBatches();
    const large = { records: [record(600_000)] };
    await Promise.all(
      [large, large, { records: records(9_999) }, { records: records(2) }].map((append) =>
        batches.append(log, work(append)),
      ),
    );
    expect(counts()).toEqual([1, 10_000, 2]);
  });
});

test('what waits for a log to be ready goes together with what came meanwhile, and is refused where it is not', async () => {
  const { log, counts } = memoryLog();
  let open: () => void = () => undefined;
  let refuse: (error: Error) => void = () => undefined;
  const waiting: BatchedLog = {
    ...log,
    ready: () =>
      new Promise((resolve, reject) => {
        open = resolve;
        refuse = reject;
      }),
  };
  const batches = new AppendBatches();
  const first = batches.append(waiting, work({ records: records(1) }));
  await Promise.resolve();
  const second = batches.append(waiting, work({ records: records(1) }));
  open();
  await Promise.all([first, second]);
  expect(counts()).toEqual([2]);
  const third = batches.append(waiting, work({ records: records(1) }));
  await Promise.resolve();
  refuse(new Error('damaged'));
  await expect(third).rejects.toThrow('damaged');
  expect(counts()).toEqual([2]);
});
