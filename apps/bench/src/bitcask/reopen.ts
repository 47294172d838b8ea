import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { BenchScope } from '../bench-scope.js';

/** What opening a store in a fresh process took. */
export interface Reopening {
  readonly openMs: number;
  readonly keys: number;
  /** Resident memory after opening minus that before, and all of it. */
  readonly addedRssBytes: number;
  readonly rssBytes: number;
}

const program = fileURLToPath(new URL('./reopen-process.js', import.meta.url));

/** Opens a closed store in a process of its own: nothing is compiled, nothing is in its memory. */
export async function reopenInProcess(scope: BenchScope, directory: string): Promise<Reopening> {
  const child = scope.own(spawn(process.execPath, [program, directory], { stdio: ['ignore', 'pipe', 'inherit'] }));
  const output: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => output.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`opening '${directory}' in a process of its own failed with exit code ${code}`);
  return JSON.parse(Buffer.concat(output).toString()) as Reopening;
}
