/**
 * The log under durable appends, one promise each. All cases of one disk share one log, as in a server that has run for
 * a while: segments are recycled, nothing grows. What is released lies behind the last 64 Ki records.
 */
import { join } from 'node:path';
import { type Disk, nodeDisk } from '@shanghai/env';
import { openWal, type Wal } from '@shanghai/wal';
import type { BenchScope } from '../bench-scope.js';
import { type ClosedLoopOptions, closedLoop } from '../closed-loop.js';
import { delayedDisk } from '../delayed-disk.js';
import type { Measurement } from '../report.js';
import type { BenchCase, Suite } from '../suite.js';
import { measureRawAppends } from './raw-appends.js';
import { measureRecovery, sealedSegments } from './recovery.js';
import { timersAlone, timersWhileAppending, timersWhileStalled } from './timers-case.js';
import { judgeWal } from './wal-targets.js';

const recordBytes = 128;
const batchRecords = 100;
const keptRecords = 65_536;
const slowSyncsMs = [5, 50];
const stallMs = 10_000;

/** Opens logs as cases need them, and closes them all. */
class Logs {
  readonly #open = new Map<string, Promise<Wal>>();
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  get(name: string, disk: Disk): Promise<Wal> {
    const opened = this.#open.get(name) ?? openWal({ directory: join(this.#directory, name), disk });
    this.#open.set(name, opened);
    return opened;
  }

  async close(): Promise<void> {
    for (const opened of this.#open.values()) await (await opened).close();
  }
}

/** The cases of `bench wal`. */
export function walSuite(scope: BenchScope, seconds: number): Suite {
  const logs = new Logs(scope.directory);
  const disk = nodeDisk();
  const plain = (callers: number, bytes = recordBytes): BenchCase => ({
    name: bytes === recordBytes ? `append x${callers}` : `append x${callers} of ${bytes} B`,
    what: `${callers} callers, ${bytes} B records, each waits for the sync that covers its record`,
    unit: 'appends',
    measure: async () => appends(await logs.get('log', disk), bytes, { callers, seconds }),
  });
  const delayed = (delayMs: number, callers: number): BenchCase => ({
    name: `sync +${delayMs} ms x${callers}`,
    what: `${callers} callers, ${recordBytes} B records, a sync that takes ${delayMs} ms longer`,
    unit: 'appends',
    measure: async () =>
      appends(await logs.get(`log-${delayMs}`, delayedDisk(disk, delayMs)), recordBytes, { callers, seconds }),
  });
  return {
    name: 'wal',
    syncMode: 'always',
    notes: [
      'Callers and log share one process and one thread; from some 256 callers on the processor is the limit, not the disk.',
    ],
    cases: [
      {
        name: 'raw x1',
        what: `write ${recordBytes} B into a file written before, then sync, asynchronously, one after the other`,
        unit: 'syncs',
        measure: () => measureRawAppends(disk, join(scope.directory, 'raw'), recordBytes, seconds),
      },
      ...[1, 16, 64, 128, 256, 1_024].map((callers) => plain(callers)),
      plain(128, 1_024),
      {
        name: `batch ${batchRecords} x16`,
        what: `16 callers, batches of ${batchRecords} records of ${recordBytes} B`,
        unit: 'records',
        measure: async () => batches(await logs.get('log', disk), { callers: 16, seconds }),
      },
      ...[1, 5].flatMap((delayMs) => [delayed(delayMs, 1), delayed(delayMs, 128)]),
      ...timers(logs, scope.directory, disk, seconds),
      {
        name: 'recovery',
        what: `open a log of ${sealedSegments} sealed segments and an unsealed one that a killed process left, in a fresh process`,
        unit: 'segments',
        measure: () => measureRecovery(scope),
      },
    ],
    judge: judgeWal,
    close: () => logs.close(),
  };
}

/** How late a timer of 5 ms fires: a log that blocked the thread would make nearly every one late. */
function timers(logs: Logs, directory: string, disk: Disk, seconds: number): BenchCase[] {
  return [
    {
      name: 'timers alone',
      what: 'how late a timer of 5 ms fires beside nothing',
      unit: 'timers',
      measure: () => timersAlone(seconds),
    },
    ...slowSyncsMs.map((delayMs) => ({
      name: `timers, sync +${delayMs} ms`,
      what: `how late it fires while 64 callers append and a sync takes ${delayMs} ms longer`,
      unit: 'timers',
      measure: async () => timersWhileAppending(await logs.get(`log-${delayMs}`, delayedDisk(disk, delayMs)), seconds),
    })),
    {
      name: `timers, sync stalled ${stallMs / 1_000} s`,
      what: `how late it fires while 64 callers wait for one sync of ${stallMs / 1_000} s; first round only`,
      unit: 'timers',
      isMeasuredOnce: true,
      measure: () => timersWhileStalled(directory, disk, stallMs),
    },
  ];
}

/** Appends of one record; `details` say what the syncs and the processor did meanwhile. */
async function appends(wal: Wal, bytes: number, options: ClosedLoopOptions): Promise<Measurement> {
  const payload = new Uint8Array(bytes).fill(7);
  return await withCosts(wal, () =>
    closedLoop(async () => {
      const lsn = await wal.append(payload);
      if (lsn % keptRecords === 0) wal.release(0, lsn - 1);
    }, options),
  );
}

async function batches(wal: Wal, options: ClosedLoopOptions): Promise<Measurement> {
  const payload = new Uint8Array(recordBytes).fill(7);
  const records = Array.from({ length: batchRecords }, () => ({ payload }));
  return await withCosts(wal, () =>
    closedLoop(
      async (number) => {
        const lsn = await wal.appendBatch(records);
        if (number % 500 === 499) wal.release(0, lsn - 1);
      },
      { ...options, operationsPerCall: batchRecords },
    ),
  );
}

async function withCosts(wal: Wal, run: () => Promise<Measurement>): Promise<Measurement> {
  const { syncs, lastLsn } = wal.info();
  const processorBefore = process.cpuUsage();
  const measured = await run();
  const { user, system } = process.cpuUsage(processorBefore);
  const after = wal.info();
  const records = after.lastLsn - lastLsn;
  return {
    ...measured,
    details: { recordsPerSync: records / (after.syncs - syncs), cpuUsEach: (user + system) / records },
  };
}
