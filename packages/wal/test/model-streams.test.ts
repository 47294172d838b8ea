import { createFaultDisk } from '@shanghai/env/testing';
import fc from 'fast-check';
import { test } from 'vitest';
import type { Wal, WalOptions } from '../src/index.js';
import { openOn } from './support/open-on.js';
import { StreamHistory } from './support/stream-history.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const seed = Number(process.env['SHANGHAI_SEED'] ?? 2000);

type Write =
  | { readonly do: 'append'; readonly stream: number; readonly bytes: number }
  | { readonly do: 'batch'; readonly stream: number; readonly sizes: number[] }
  | { readonly do: 'rewrite'; readonly stream: number; readonly sizes: number[] };
type Step =
  /** All at once: they share groups, and a crash meets them in flight. */
  | { readonly do: 'writes'; readonly writes: Write[] }
  | { readonly do: 'release'; readonly stream: number; readonly share: number }
  | { readonly do: 'trim' }
  | { readonly do: 'flush' }
  | { readonly do: 'reopen' }
  | { readonly do: 'check' }
  | {
      readonly do: 'crash';
      readonly survival: 'none' | 'all' | 'random';
      readonly writes: Write[];
      readonly after: number;
    };

const stream = fc.nat(3);
const bytes = fc.oneof({ weight: 6, arbitrary: fc.nat(2000) }, { weight: 2, arbitrary: fc.nat(30_000) });
const sizes = fc.array(bytes, { minLength: 1, maxLength: 4 });
const write: fc.Arbitrary<Write> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('append' as const), stream, bytes }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('batch' as const), stream, sizes }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('rewrite' as const), stream, sizes: fc.array(bytes, { maxLength: 3 }) }),
  },
);
const writes = fc.array(write, { minLength: 1, maxLength: 5 });
const share = fc.double({ min: 0, max: 1, noNaN: true });
const survival = fc.constantFrom('none' as const, 'all' as const, 'random' as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('writes' as const), writes }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const), stream, share }) },
  { weight: 2, arbitrary: fc.constantFrom<Step>({ do: 'trim' }, { do: 'flush' }, { do: 'reopen' }, { do: 'check' }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('crash' as const), survival, writes, after: fc.nat(12) }) },
);

function submit(wal: Wal, history: StreamHistory, chosen: Write): Promise<void> {
  if (chosen.do === 'append') return history.append(wal, chosen.stream, chosen.bytes);
  if (chosen.do === 'batch') return history.appendBatch(wal, chosen.stream, chosen.sizes);
  return history.rewrite(wal, chosen.stream, chosen.sizes);
}

async function live(steps: readonly Step[], options: Partial<WalOptions>, diskSeed: number): Promise<void> {
  let disk = createFaultDisk({ seed: diskSeed });
  let wal = await openOn(disk, options);
  let history = new StreamHistory();
  for (const chosen of steps) {
    if (chosen.do === 'writes') await Promise.all(chosen.writes.map((each) => submit(wal, history, each)));
    else if (chosen.do === 'release')
      history.release(wal, chosen.stream, Math.floor(chosen.share * history.records.length));
    else if (chosen.do === 'trim') await wal.trim(history.records.length);
    else if (chosen.do === 'flush') await history.flush(wal);
    else if (chosen.do === 'check') await history.check(wal);
    else {
      if (chosen.do === 'reopen') await history.close(wal);
      else {
        disk.crashAfterStep(disk.steps + 1 + chosen.after);
        await Promise.allSettled(chosen.writes.map((each) => submit(wal, history, each)));
        if (!disk.crashed) disk.crash();
        await wal.close().catch(() => undefined);
        disk = disk.restart(chosen.survival);
      }
      wal = await openOn(disk, options);
      history = history.cutTo(await history.check(wal));
    }
  }
  await history.check(wal);
  await wal.close();
  if (disk.openFiles > 0) throw new Error(`${disk.openFiles} files are open after closing`);
}

const variants: Partial<WalOptions>[] = [
  { durability: 'always' },
  { durability: 'never', segmentsAhead: 0 },
  { durability: 'always', compression: 'lz4' },
  { durability: 'interval', compression: 'lz4', retainBytes: 30_000 },
];

for (const options of variants) {
  test(`any life of a log whose streams are rewritten agrees with the model: ${JSON.stringify(options)} (seed ${seed})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.nat(1_000_000), (steps, diskSeed) =>
        live(steps, options, diskSeed),
      ),
      { seed, numRuns: deep ? 3000 : 150 },
    );
  });
}
