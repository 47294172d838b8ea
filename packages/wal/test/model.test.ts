import { createFaultDisk } from '@shanghai/env/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Wal } from '../src/index.js';
import { openOn } from './support/open-on.js';
import { recordPayload } from './support/record-payload.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const seed = Number(process.env['SHANGHAI_SEED'] ?? 1000);

type Step =
  | { readonly do: 'append'; readonly sizes: number[]; readonly stream: number }
  | { readonly do: 'batch'; readonly sizes: number[]; readonly stream: number }
  | { readonly do: 'flush' }
  | { readonly do: 'reopen' }
  | { readonly do: 'crash'; readonly survival: 'none' | 'all' | 'random'; readonly during: number }
  | { readonly do: 'release'; readonly stream: number; readonly share: number }
  | { readonly do: 'read'; readonly from: number; readonly to: number; readonly stream: number | undefined };

const size = fc.oneof({ weight: 8, arbitrary: fc.nat(2000) }, { weight: 1, arbitrary: fc.nat(70_000) });
const stream = fc.nat(2);
const sizes = fc.array(size, { minLength: 1, maxLength: 6 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('append' as const), sizes, stream }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('batch' as const), sizes, stream }) },
  { weight: 1, arbitrary: fc.constantFrom<Step>({ do: 'flush' }, { do: 'reopen' }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      survival: fc.constantFrom('none' as const, 'all' as const, 'random' as const),
      during: fc.nat(5),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('release' as const),
      stream,
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('read' as const),
      from: fc.nat(60),
      to: fc.nat(60),
      stream: fc.option(stream, { nil: undefined }),
    }),
  },
);

/** The log as it should be: records in order, how many are acknowledged as durable, where batches lie, what was released. */
class Model {
  readonly records: { bytes: number; stream: number }[] = [];
  readonly batches: [number, number][] = [];
  readonly released = [0, 0, 0];
  durable = 0;
  /** What could go once may be gone, though the marks are forgotten at the next opening. */
  trimmable = 0;

  /** The last LSN that may be gone because nobody needs it. */
  get needless(): number {
    const needed = this.records.findIndex(({ stream }, i) => i + 1 > (this.released[stream] as number));
    return needed < 0 ? this.records.length : needed;
  }

  cutTo(lastLsn: number): void {
    this.trimmable = Math.max(this.trimmable, this.needless);
    expect(lastLsn).toBeGreaterThanOrEqual(this.durable);
    expect(lastLsn).toBeLessThanOrEqual(this.records.length);
    for (const [first, last] of this.batches) expect(lastLsn < first || lastLsn >= last, 'a torn batch').toBe(true);
    this.records.length = lastLsn;
    this.batches.splice(0, this.batches.length, ...this.batches.filter(([, last]) => last <= lastLsn));
    this.durable = lastLsn;
    this.released.fill(0);
  }
}

async function checkRange(
  wal: Wal,
  model: Model,
  range: { from?: number; to?: number; stream?: number },
): Promise<void> {
  const expected = model.records.flatMap((record, i) =>
    (range.stream ?? record.stream) === record.stream ? [i + 1] : [],
  );
  const { firstLsn } = wal.info();
  const from = range.from ?? firstLsn;
  const wanted = expected.filter((lsn) => lsn >= from && lsn < (range.to ?? Number.POSITIVE_INFINITY));
  const found: number[] = [];
  for await (const entry of wal.entries(range)) {
    const record = model.records[entry.lsn - 1] as { bytes: number; stream: number };
    expect(entry.stream).toBe(record.stream);
    expect(Buffer.compare(entry.payload, recordPayload(entry.lsn, record.bytes)), `record ${entry.lsn}`).toBe(0);
    found.push(entry.lsn);
  }
  expect(found).toEqual(wanted);
}

async function live(steps: readonly Step[], durability: 'always' | 'never', diskSeed: number): Promise<void> {
  let disk = createFaultDisk({ seed: diskSeed });
  let wal = await openOn(disk, { durability });
  const model = new Model();
  const submit = (count: number[], stream: number) => {
    const first = model.records.length + 1;
    model.records.push(...count.map((bytes) => ({ bytes, stream })));
    return count.map((bytes, i) => ({ payload: recordPayload(first + i, bytes), stream }));
  };
  const settled = async (work: Promise<unknown>[]) => {
    await Promise.all(work);
    if (durability === 'always') model.durable = model.records.length;
  };
  for (const chosen of steps) {
    if (chosen.do === 'append') {
      const records = submit(chosen.sizes, chosen.stream);
      await settled(records.map(({ payload, stream }) => wal.append(payload, { stream })));
    } else if (chosen.do === 'batch') {
      const records = submit(chosen.sizes, chosen.stream);
      model.batches.push([model.records.length - records.length + 1, model.records.length]);
      await settled([wal.appendBatch(records)]);
    } else if (chosen.do === 'flush') {
      await wal.flush();
      model.durable = model.records.length;
    } else if (chosen.do === 'release') {
      const lsn = Math.floor(chosen.share * model.records.length);
      wal.release(chosen.stream, lsn);
      model.released[chosen.stream] = Math.max(model.released[chosen.stream] as number, lsn);
    } else if (chosen.do === 'read') {
      const { firstLsn } = wal.info();
      expect(firstLsn).toBeLessThanOrEqual(Math.max(model.trimmable, model.needless) + 1);
      const from = firstLsn + chosen.from;
      await checkRange(wal, model, {
        from,
        to: firstLsn + chosen.to,
        ...(chosen.stream === undefined ? {} : { stream: chosen.stream }),
      });
    } else {
      if (chosen.do === 'reopen') {
        await wal.close();
        model.durable = model.records.length;
      } else {
        // Some appends are on their way when the power fails.
        const records = submit(
          Array.from({ length: chosen.during }, (_, i) => i * 300),
          0,
        );
        if (records.length > 0) disk.crashAfterStep(disk.steps + chosen.during);
        await Promise.allSettled(records.map(({ payload }) => wal.append(payload)));
        if (!disk.crashed) disk.crash();
        await wal.close().catch(() => undefined);
        disk = disk.restart(chosen.survival);
      }
      wal = await openOn(disk, { durability });
      model.cutTo(wal.info().lastLsn);
      await checkRange(wal, model, {});
    }
  }
  await checkRange(wal, model, {});
  await wal.close();
  expect(disk.openFiles).toBe(0);
}

for (const durability of ['always', 'never'] as const) {
  test(`any life of a log in mode ${durability} agrees with the model (seed ${seed})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.nat(1_000_000), (steps, diskSeed) =>
        live(steps, durability, diskSeed),
      ),
      { seed, numRuns: deep ? 5000 : 300 },
    );
  });
}
