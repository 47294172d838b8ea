import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** The built server. */
export const serverMain = fileURLToPath(new URL('../../apps/server/dist/main.js', import.meta.url));
const ctlMain = fileURLToPath(new URL('../../apps/ctl/dist/main.js', import.meta.url));

/** A node that runs, and where it listens. */
export interface RunningNode {
  readonly process: ChildProcess;
  readonly http: string;
  readonly grpc: string;
  /** Ends it as the power button of a process does: no flush, no farewell. */
  kill(): Promise<void>;
  /** Ends it in order. */
  stop(): Promise<void>;
}

/** What a command left behind. */
export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Every child still running, so that an interrupted run leaves none behind. */
const children = new Set<ChildProcess>();

/** Ends whatever still runs. */
export function killAll(): void {
  for (const child of children) child.kill('SIGKILL');
}

/** Starts a node on free ports and waits until it listens. `environment`: more variables. */
export async function startNode(
  dataDirectory: string,
  flags: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningNode> {
  const ports = ['--http-port', '0', '--grpc-port', '0', '--peer-port', '0'];
  const child = start(serverMain, ['--data-dir', dataDirectory, ...ports, ...flags], environment);
  const { http, grpc } = await listening(child);
  const end = async (signal: NodeJS.Signals) => {
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  };
  return { process: child, http, grpc, kill: () => end('SIGKILL'), stop: () => end('SIGTERM') };
}

/** Starts `shanghaictl` and gives its process; `finished` collects what it prints. */
export function startCtl(node: RunningNode, args: readonly string[]): ChildProcess {
  return startCtlAt(node.grpc, args);
}

/** `startCtl` against several nodes: `host:port`, separated by commas. */
export function startCtlAt(endpoints: string, args: readonly string[]): ChildProcess {
  return start(ctlMain, ['--endpoint', endpoints, ...args]);
}

/** Runs `shanghaictl` against several nodes to its end. */
export async function ctlAt(endpoints: string, args: readonly string[]): Promise<CommandResult> {
  return await finished(startCtlAt(endpoints, args));
}

/** Runs `shanghaictl` to its end. */
export async function ctl(node: RunningNode, args: readonly string[]): Promise<CommandResult> {
  return await finished(startCtl(node, args));
}

/** Waits for a child's end. */
export async function finished(child: ChildProcess): Promise<CommandResult> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() };
}

function start(
  main: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): ChildProcess {
  const env = { ...process.env, ...environment };
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
}

/** Reads a starting node's output up to the line that says where it listens. */
async function listening(child: ChildProcess): Promise<{ http: string; grpc: string }> {
  const complaints: Buffer[] = [];
  child.stderr?.on('data', (chunk: Buffer) => complaints.push(chunk));
  if (child.stdout === null) throw new Error('the node has no standard output');
  const lines = createInterface({ input: child.stdout });
  for await (const line of lines) {
    if (!line.startsWith('{')) continue;
    const entry = JSON.parse(line) as { msg?: string; http?: string; grpc?: string };
    if (entry.msg !== 'listening' || entry.http === undefined || entry.grpc === undefined) continue;
    lines.close();
    child.stdout.resume();
    return { http: entry.http, grpc: entry.grpc };
  }
  throw new Error(`the node ended before it listened:\n${Buffer.concat(complaints).toString()}`);
}
