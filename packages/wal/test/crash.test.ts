import { enumerateCrashes, type FaultDisk } from '@shanghai/env/testing';
import { describe, expect, test } from 'vitest';
import type { Wal, WalDurability, WalOptions } from '../src/index.js';
import { checkLog, emptyHistory, type LogHistory } from './support/check-log.js';
import { openOn } from './support/open-on.js';
import { recordPayload } from './support/record-payload.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const seeds = deep ? Array.from({ length: 20 }, (_, i) => i + 1) : [1, 2];
const randomDraws = deep ? 8 : 3;

function append(wal: Wal, history: LogHistory, bytes: number): Promise<void> {
  history.sizes.push(bytes);
  const lsn = history.sizes.length;
  return wal.append(recordPayload(lsn, bytes)).then(() => acknowledged(wal, history, lsn));
}

function appendBatch(wal: Wal, history: LogHistory, sizes: number[]): Promise<void> {
  const first = history.sizes.length + 1;
  const last = first + sizes.length - 1;
  history.sizes.push(...sizes);
  history.batches.push([first, last]);
  const records = sizes.map((bytes, i) => ({ payload: recordPayload(first + i, bytes) }));
  return wal.appendBatch(records).then(() => acknowledged(wal, history, last));
}

function acknowledged(wal: Wal, history: LogHistory, lsn: number): void {
  if (wal.info().durability === 'always') history.durable = Math.max(history.durable, lsn);
}

async function flush(wal: Wal, history: LogHistory): Promise<void> {
  const last = history.sizes.length;
  await wal.flush();
  history.durable = Math.max(history.durable, last);
}

/** Appends one by one, together, in batches, over several segments, with releases and a reopening between. */
async function busyLife(disk: FaultDisk, history: LogHistory, options: Partial<WalOptions>): Promise<void> {
  const wal = await openOn(disk, options);
  await append(wal, history, 10);
  await Promise.all([append(wal, history, 300), append(wal, history, 1), append(wal, history, 700)]);
  await appendBatch(wal, history, [200, 0, 2500]);
  await append(wal, history, 1200);
  await Promise.all([append(wal, history, 2000), appendBatch(wal, history, [900, 900]), append(wal, history, 3000)]);
  await flush(wal, history);
  for (let i = 0; i < 4; i++) await append(wal, history, 4000);
  history.released = 8;
  wal.release(0, 8);
  await append(wal, history, 50);
  await wal.close();
  history.durable = history.sizes.length;
  const again = await openOn(disk, options);
  for (let i = 0; i < 3; i++) await Promise.all([append(again, history, 6000), append(again, history, 20)]);
  history.released = 16;
  again.release(0, 16);
  await appendBatch(again, history, [9000, 9000]);
  await Promise.all(Array.from({ length: 6 }, () => append(again, history, 5000)));
  await append(again, history, 1);
  await again.close();
  history.durable = history.sizes.length;
}

/** Opens, checks, appends, closes, opens and checks again. */
async function verify(disk: FaultDisk, history: LogHistory, options: Partial<WalOptions>): Promise<void> {
  const wal = await openOn(disk, options);
  const last = await checkLog(wal, history);
  const after: LogHistory = { ...history, sizes: history.sizes.slice(0, last), batches: [] };
  await append(wal, after, 33);
  await Promise.all([append(wal, after, 500), append(wal, after, 5000)]);
  await wal.close();
  after.durable = after.sizes.length;
  const again = await openOn(disk, options);
  await checkLog(again, after);
  if (again.info().tornTail !== undefined) throw new Error('a torn tail after an orderly close');
  await again.close();
}

const variants: { name: string; options: Partial<WalOptions> }[] = [
  ...(['always', 'interval', 'never'] as WalDurability[]).map((durability) => ({
    name: `mode ${durability}`,
    options: { durability },
  })),
  { name: 'segments that grow', options: { durability: 'never', segmentsAhead: 0 } },
  { name: 'segments that grow, synced', options: { durability: 'always', segmentsAhead: 0 } },
  { name: 'the blocking writer', options: { writer: 'blocking' } },
];

describe('after a crash at any step the log is a prefix with everything acknowledged', () => {
  for (const { name, options } of variants) {
    test(name, async () => {
      let cases = 0;
      for (const seed of seeds) {
        const coverage = await enumerateCrashes<LogHistory>({
          seed,
          randomDraws,
          start: emptyHistory,
          run: (disk, history) => busyLife(disk, history, options),
          verify: (disk, history) => verify(disk, history, options),
        });
        cases += coverage.cases;
      }
      expect(cases).toBeGreaterThan(200);
    });
  }
});

test('a crash while several segments are released at once and used again leaves no gap', async () => {
  for (const segmentsAhead of [0, 1]) {
    const { cases } = await enumerateCrashes<LogHistory>({
      seed: 9,
      randomDraws: 6,
      start: emptyHistory,
      run: async (disk, history) => {
        const wal = await openOn(disk, { segmentsAhead });
        for (let round = 0; round < 2; round++) {
          for (let i = 0; i < 6; i++) await append(wal, history, 9000 + 10_000 * round);
          history.released = history.sizes.length - 1;
          wal.release(0, history.released);
          for (let i = 0; i < 3; i++) await append(wal, history, 100);
        }
        await wal.close();
        history.durable = history.sizes.length;
      },
      verify: (disk, history) => verify(disk, history, { segmentsAhead }),
    });
    expect(cases).toBeGreaterThan(200);
  }
});

test('a crash at any step of the recovery from a crash at any step changes nothing', async () => {
  for (const durability of ['always', 'never'] as const) {
    const { cases } = await enumerateCrashes<LogHistory>({
      seed: 5,
      randomDraws: 2,
      crashRecovery: true,
      recoveryStride: deep ? 1 : 3,
      start: emptyHistory,
      run: async (disk, history) => {
        const wal = await openOn(disk, { durability });
        await append(wal, history, 100);
        await Promise.all([append(wal, history, 3000), append(wal, history, 30_000), append(wal, history, 20)]);
        await append(wal, history, 4000);
        await wal.close();
        history.durable = history.sizes.length;
      },
      recover: async (disk) => {
        const wal = await openOn(disk, { durability });
        await wal.close();
      },
      verify: (disk, history) => verify(disk, history, { durability }),
    });
    expect(cases).toBeGreaterThan(200);
  }
});
