/** Runs the tool with streams, a node and directories in memory. */
import { PassThrough, Readable } from 'node:stream';
import { backupTools } from '../backup-tools.js';
import type { Connection } from '../connection.js';
import type { OfflineTools } from '../offline-tools.js';
import { runCtl } from '../run-ctl.js';
import type { TerminalOutput } from '../terminal.js';
import { connectMemory, createMemoryNode, type MemoryNode } from './memory-connection.js';
import { createMemoryDirectory, type MemoryDirectory, memoryTools } from './memory-tools.js';

/** What a run is given beside its arguments. */
export interface RunOptions {
  readonly node?: MemoryNode;
  /** Instead of `node`. */
  readonly connection?: Connection;
  readonly directory?: MemoryDirectory;
  /** Instead of `directory`. */
  readonly tools?: OfflineTools;
  readonly stdin?: string | Uint8Array | readonly Uint8Array[] | Readable;
  readonly environment?: Readonly<Record<string, string>>;
  /** stdout and stderr are terminals. Default false. */
  readonly tty?: boolean;
  readonly signal?: AbortSignal;
  readonly homeDirectory?: string;
}

/** What a run left behind. */
export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdoutBytes: Buffer;
}

/** Runs `shanghaictl` with these arguments. */
export async function runCommand(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const stdout = capture(options.tty === true);
  const stderr = capture(options.tty === true);
  const { stdin = '' } = options;
  const input = typeof stdin === 'string' ? [Buffer.from(stdin)] : stdin instanceof Uint8Array ? [stdin] : stdin;
  const source = input instanceof Readable ? input : Readable.from(input);
  const code = await runCtl(argv, {
    terminal: {
      stdin: source,
      stdout: stdout.stream,
      stderr: stderr.stream,
      environment: options.environment ?? {},
      homeDirectory: options.homeDirectory ?? '/nonexistent',
      signal: options.signal ?? new AbortController().signal,
    },
    version: '1.2.3',
    connect: async () => options.connection ?? connectMemory(options.node ?? createMemoryNode()),
    backupTools: async () => backupTools(),
    offlineTools: async () => options.tools ?? memoryTools(options.directory ?? createMemoryDirectory()),
  });
  return { code, stdout: stdout.bytes().toString(), stderr: stderr.bytes().toString(), stdoutBytes: stdout.bytes() };
}

function capture(isTTY: boolean): { readonly stream: TerminalOutput; bytes(): Buffer } {
  const chunks: Buffer[] = [];
  const stream = new PassThrough({ highWaterMark: 1 << 20 });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { stream: Object.assign(stream, { isTTY, columns: 120 }), bytes: () => Buffer.concat(chunks) };
}
