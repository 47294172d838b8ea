import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchScope } from '../bench-scope.js';
import type { Measurement } from '../report.js';
import { CaseSkipped } from '../suite.js';
import type { StoreProcessClient } from './store-process-client.js';

/** What opening a store in a fresh process took. */
export interface Reopening {
  readonly openMs: number;
  /** Whether the key directory came from its snapshot. */
  readonly usedSnapshot: boolean;
  /** Absent where the engine does not count. */
  readonly keys?: number;
  /** Resident memory after opening minus that before, and all of it. */
  readonly addedRssBytes: number;
  readonly rssBytes: number;
}

const mebibyte = 1_048_576;
const program = fileURLToPath(new URL('./reopen-process.js', import.meta.url));

/** What the key directory is opened from; other engines have but one way. */
export type ReopenFrom = 'snapshot' | 'hints';

/**
 * Closes the loaded store of a process and opens it in a process of its own: nothing is compiled or in its memory.
 * Throws `CaseSkipped` where a snapshot was asked for and the store was opened without one.
 */
export async function reopen(scope: BenchScope, process: StoreProcessClient, from: ReopenFrom): Promise<Measurement> {
  const { engine, directory, keys } = process.options;
  const { elapsedMs: closeMs } = await process.run('close', 0);
  const store = join(directory, 'store');
  const opened = await openInProcess(scope, [engine, store, from]);
  if (opened.usedSnapshot !== (from === 'snapshot'))
    throw new CaseSkipped(`asked to open from ${from}, the store took ${opened.usedSnapshot ? 'a snapshot' : 'none'}`);
  if (opened.keys !== undefined && opened.keys !== keys)
    throw new Error(`${keys} keys were put and ${opened.keys} came back`);
  const { openMs, rssBytes, addedRssBytes } = opened;
  return {
    operations: keys,
    errors: 0,
    elapsedMs: openMs,
    details: {
      openMs,
      closeMs,
      rssMiB: rssBytes / mebibyte,
      addedRssBytesPerKey: addedRssBytes / keys,
    },
  };
}

async function openInProcess(scope: BenchScope, args: readonly string[]): Promise<Reopening> {
  const child = scope.own(spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] }));
  const output: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => output.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`opening '${args[1]}' in a process of its own failed with exit code ${code}`);
  return JSON.parse(Buffer.concat(output).toString()) as Reopening;
}
