/** Starts the built server as a process of its own, as users do. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** How a process ended, and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

export interface ServerProcess {
  readonly process: ChildProcess;
  readonly httpPort: number;
  readonly grpcPort: number;
  /** Log lines so far. */
  readonly lines: readonly Record<string, unknown>[];
  readonly ended: Promise<Ended>;
  /** Sends a signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Ended>;
}

interface Spawned {
  readonly process: ChildProcess;
  readonly lines: Record<string, unknown>[];
  readonly ended: Promise<Ended>;
  onLine: ((line: Record<string, unknown>) => void) | undefined;
}

function spawnServer(args: readonly string[], environment: Record<string, string>): Spawned {
  if (!existsSync(program)) throw new Error(`${program} is missing; build first: pnpm build`);
  const clean = Object.entries(process.env).filter(([name]) => !/^(?:SHANGHAI_|NODE_OPTIONS$)/.test(name));
  const env = { ...Object.fromEntries(clean), ...environment };
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let errors = '';
  const spawned: Spawned = {
    process: child,
    lines: [],
    onLine: undefined,
    ended: new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, output, errors }))),
  };
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  createInterface({ input: child.stdout }).on('line', (text) => {
    output += `${text}\n`;
    if (!text.startsWith('{')) return;
    const line = JSON.parse(text) as Record<string, unknown>;
    spawned.lines.push(line);
    spawned.onLine?.(line);
  });
  return spawned;
}

/** Runs the server until it ends by itself. */
export function runServer(args: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
  return spawnServer(args, environment).ended;
}

/** Starts a server on free ports over a data directory and waits until it listens. */
export async function startServerProcess(
  dataDirectory: string,
  args: readonly string[] = [],
  environment: Record<string, string> = {},
): Promise<ServerProcess> {
  const ports = ['--http-port', '0', '--grpc-port', '0'];
  const spawned = spawnServer(['--data-dir', dataDirectory, ...ports, ...args], environment);
  const listening = await Promise.race([
    new Promise<Record<string, unknown>>((resolve) => {
      spawned.onLine = (line) => {
        if (line['msg'] === 'listening') resolve(line);
      };
    }),
    spawned.ended.then(({ code, errors }) => {
      throw new Error(`the server ended with ${code} before it listened: ${errors}`);
    }),
  ]);
  return {
    process: spawned.process,
    lines: spawned.lines,
    ended: spawned.ended,
    httpPort: Number(listening['httpPort']),
    grpcPort: Number(listening['grpcPort']),
    stop(signal = 'SIGTERM') {
      spawned.process.kill(signal);
      return spawned.ended;
    },
  };
}
