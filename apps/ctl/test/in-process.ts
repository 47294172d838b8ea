/** The tool in this process, against a real server: everything but `main.ts`. */
import { PassThrough, Readable } from 'node:stream';
import { processHost } from '../src/process-host.js';
import { runCtl } from '../src/run-ctl.js';
import type { CtlResult } from './processes.js';

/** Runs a command that needs no input and ends by itself. */
export async function inProcess(endpoint: string, args: readonly string[]): Promise<CtlResult> {
  const [stdout, stderr] = [captured(), captured()];
  const host = processHost({
    stdin: Readable.from([]),
    stdout: stdout.stream,
    stderr: stderr.stream,
    environment: {},
    homeDirectory: '/nonexistent',
    signal: new AbortController().signal,
  });
  const code = await runCtl(['--endpoint', endpoint, ...args], host);
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

function captured() {
  const chunks: Buffer[] = [];
  const stream = new PassThrough({ highWaterMark: 1 << 20 });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return {
    stream: Object.assign(stream, { isTTY: false, columns: 120 }),
    text: () => Buffer.concat(chunks).toString(),
  };
}
