import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchScope } from '../bench-scope.js';
import { median } from '../median.js';
import type { Measurement } from '../report.js';

/** Segments of the log that is recovered, beside the one that was being written. */
export const sealedSegments = 46;

const warmOpenings = 5;
const program = fileURLToPath(new URL('./recovery-process.js', import.meta.url));

/**
 * Opens a log that was left behind by a process that died: first in a fresh process (`coldMs`, also the time of the
 * measurement), then copies of the same in the same process (`warmMs`, their median). Files are in the page cache.
 */
export async function measureRecovery(scope: BenchScope): Promise<Measurement> {
  const original = join(scope.directory, 'recovery');
  const copies = Array.from({ length: 1 + warmOpenings }, (_, number) => `${original}-${number}`);
  try {
    await run(scope, ['make', original]);
    for (const copy of copies) await cp(original, copy, { recursive: true });
    const openings = JSON.parse(await run(scope, ['open', ...copies])) as readonly Opening[];
    const [cold, ...warm] = openings;
    if (cold === undefined || cold.segments <= sealedSegments || cold.records === 0)
      throw new Error(`recovery found ${JSON.stringify(cold)} of ${sealedSegments} sealed segments and one more`);
    return {
      operations: cold.segments,
      errors: 0,
      elapsedMs: cold.openMs,
      details: { coldMs: cold.openMs, warmMs: median(warm.map(({ openMs }) => openMs)), records: cold.records },
    };
  } finally {
    for (const directory of [original, ...copies]) await rm(directory, { recursive: true, force: true });
  }
}

interface Opening {
  readonly openMs: number;
  readonly segments: number;
  readonly records: number;
}

async function run(scope: BenchScope, args: readonly string[]): Promise<string> {
  const child = scope.own(spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] }));
  const output: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => output.push(chunk));
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  const expected = args[0] === 'make' ? signal === 'SIGKILL' : code === 0;
  if (!expected) throw new Error(`'recovery-process.js ${args[0]}' ended with ${signal ?? code}`);
  return Buffer.concat(output).toString();
}
