/** Real processes: the built server and the built tool. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const serverMain = fileURLToPath(new URL('../../server/dist/main.js', import.meta.url));
const ctlMain = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** A running server. */
export interface ServerProcess {
  readonly endpoint: string;
  /** Ends it with a signal and waits for its end. */
  end(signal: NodeJS.Signals): Promise<number | null>;
  /** Resolves to the exit code when it ended by itself. */
  readonly ended: Promise<number | null>;
}

/** What a run of the tool left behind. */
export interface CtlResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a server on free ports and waits until it listens; `grpcPort` takes the port of an earlier one, later flags win. */
export async function startServer(
  dataDirectory: string,
  grpcPort = '0',
  flags: readonly string[] = [],
): Promise<ServerProcess> {
  const peer = flags.includes('--peer-port') ? [] : ['--peer-port', '0'];
  const ports = ['--http-port', '0', '--grpc-port', grpcPort, ...peer, ...flags];
  const child = start(serverMain, ['--data-dir', dataDirectory, ...ports]);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const endpoint = await new Promise<string>((resolve, reject) => {
    ended.then((code) => reject(new Error(`the server ended with ${code} before it listened: ${said}`)));
    createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => {
      said += `${line}\n`;
      if (!line.startsWith('{')) return;
      const { msg, grpc } = JSON.parse(line) as { msg?: string; grpc?: string };
      if (msg === 'listening' && grpc !== undefined) resolve(grpc);
    });
  });
  return {
    endpoint,
    ended,
    end(signal) {
      child.kill(signal);
      return ended;
    },
  };
}

/** Starts the tool against an endpoint. `during` is called with the process, to signal it or to feed it. */
export async function ctl(
  endpoint: string,
  args: readonly string[],
  during: (child: ChildProcess) => void = (child) => child.stdin?.end(),
): Promise<CtlResult> {
  const child = start(ctlMain, ['--endpoint', endpoint, ...args]);
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  during(child);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stdout, stderr };
}

function start(main: string, args: readonly string[]): ChildProcess {
  if (!existsSync(main)) throw new Error(`'${main}' is missing: build first (pnpm build)`);
  return spawn(process.execPath, [main, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Settings of whoever runs the tests must not reach the tool.
    env: { PATH: process.env['PATH'], HOME: '/nonexistent' },
  });
}
