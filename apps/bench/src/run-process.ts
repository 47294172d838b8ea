import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { BenchScope } from './bench-scope.js';
import type { Measurement } from './report.js';

/** Runs a script that generates load in a process of its own; resolves to what it measured and printed. */
export async function runProcess(scope: BenchScope, script: string, args: readonly string[]): Promise<Measurement> {
  const child = scope.own(spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] }));
  const output: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => output.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`'${script}' ended with exit code ${code}`);
  return JSON.parse(Buffer.concat(output).toString()) as Measurement;
}
