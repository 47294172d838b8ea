/**
 * What a command is given: its settings, the terminal, a printer, and ways to reach a server or a directory. The host
 * turns an action into a run with an exit code; nothing below it touches the process.
 */
import type { Command } from 'commander';
import type { BackupTools } from './backup-tools.js';
import type { Connection } from './connection.js';
import { CtlError, MisuseError } from './ctl-error.js';
import type { OfflineTools } from './offline-tools.js';
import { createPrinter, type Printer } from './output/printer.js';
import { type GlobalFlags, resolveSettings, type Settings } from './settings.js';
import type { Terminal } from './terminal.js';

/** How the tool reaches the world; tests bring their own. */
export interface Host {
  readonly terminal: Terminal;
  readonly version: string;
  /** `signal` gives single calls up at Ctrl-C; work in a session waits for what is in flight. */
  connect(settings: Settings, options: ConnectOptions, signal: AbortSignal): Promise<Connection>;
  offlineTools(): Promise<OfflineTools>;
  backupTools(): Promise<BackupTools>;
}

/** How a command wants to be connected. */
export interface ConnectOptions {
  /**
   * Writes are numbered in a session, so that one whose answer is lost is sent again. For commands that write a lot:
   * a session is a log entry and lives on for a while, too much for a single put.
   */
  readonly sessions: boolean;
}

/** What one command runs with. */
export interface CommandContext {
  readonly host: Host;
  readonly terminal: Terminal;
  readonly settings: Settings;
  readonly print: Printer;
  /** Ctrl-C. */
  readonly signal: AbortSignal;
  /** Connects on first use, by default without sessions; closed when the command ends. */
  connect(options?: ConnectOptions): Promise<Connection>;
  /** Asks on a terminal; fails with exit code 2 where nobody can answer and `--yes` was not given. */
  confirm(question: string): Promise<void>;
}

/** The options of one command as commander hands them over: text, lists of text, or switches. */
export type Flags = Readonly<Record<string, string | readonly string[] | boolean | undefined>>;

/** Runs a command's body: `values` are its arguments, `flags` its own options. */
export type Action = (
  context: CommandContext,
  values: readonly (string | readonly string[] | undefined)[],
  flags: Flags,
) => Promise<void>;

/** Hangs an action on a command. */
export function runWith(command: Command, host: Host, action: Action): Command {
  return command.action(async (...received: unknown[]) => {
    // Commander passes the arguments, then the options, then the command.
    const values = received.slice(0, -2) as (string | readonly string[] | undefined)[];
    const settings = await resolveSettings(command.optsWithGlobals<GlobalFlags>(), host.terminal);
    await runAction(host, settings, (context) => action(context, values, command.opts<Flags>()));
  });
}

async function runAction(
  host: Host,
  settings: Settings,
  body: (context: CommandContext) => Promise<void>,
): Promise<void> {
  const { terminal } = host;
  let connection: Promise<Connection> | undefined;
  const context: CommandContext = {
    host,
    terminal,
    settings,
    print: createPrinter(settings, terminal),
    signal: terminal.signal,
    connect(options = { sessions: false }) {
      connection ??= host.connect(settings, options, terminal.signal);
      return connection;
    },
    confirm: (question) => confirm(terminal, settings, question),
  };
  try {
    await body(context);
  } finally {
    // A connection that could not be made has already failed the command.
    await connection?.then((open) => open.close()).catch(() => undefined);
  }
  if (terminal.signal.aborted) throw new CtlError('INTERRUPTED', 'interrupted');
}

async function confirm(terminal: Terminal, settings: Settings, question: string): Promise<void> {
  if (settings.yes) return;
  if (terminal.stdin.isTTY !== true) throw new MisuseError(`${question} Nobody can be asked here: repeat with --yes.`);
  const answer = await ask(terminal, `${question} [y/N] `);
  if (!/^y(?:es)?$/i.test(answer.trim())) throw new CtlError('CANCELLED', 'nothing was done: the answer was not yes');
}

/** One line from the terminal; empty at Ctrl-D. On a terminal Ctrl-C reaches readline, not the process. */
async function ask(terminal: Terminal, question: string): Promise<string> {
  const { createInterface } = await import('node:readline');
  const lines = createInterface({ input: terminal.stdin, output: terminal.stderr });
  try {
    return await new Promise<string>((resolve, reject) => {
      const interrupted = () => reject(new CtlError('INTERRUPTED', 'interrupted'));
      lines.once('SIGINT', interrupted);
      terminal.signal.addEventListener('abort', interrupted, { once: true });
      lines.once('close', () => resolve(''));
      lines.question(question, resolve);
    });
  } finally {
    lines.close();
  }
}
