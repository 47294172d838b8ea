/** Parse, run, exit code: the whole tool without the process. */
import { CommanderError } from 'commander';
import type { Host } from './command-host.js';
import { MisuseError, usageError } from './ctl-error.js';
import { codeOf, exitCodes } from './exit-codes.js';
import { plainJson } from './output/plain-json.js';
import { buildProgram } from './program.js';

/** Runs `shanghaictl` with these arguments (without node and script). Resolves to the exit code; never rejects. */
export async function runCtl(argv: readonly string[], host: Host): Promise<number> {
  try {
    await buildProgram(host, wantsJson(argv, host.terminal.environment)).parseAsync([...argv], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return reportUsage(host, argv, error);
    // Whatever an interrupted call failed with, the reason is Ctrl-C.
    const code = host.terminal.signal.aborted ? 'INTERRUPTED' : codeOf(error);
    report(host, argv, code, error);
    return exitCodes[code];
  }
}

/** Commander's own errors, told as all others. It has written help and version itself. */
function reportUsage(host: Host, argv: readonly string[], error: CommanderError): number {
  if (error.exitCode === 0) return 0;
  const isHelp = error.code === 'commander.help';
  if (!isHelp || wantsJson(argv, host.terminal.environment)) {
    const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
    report(host, argv, 'USAGE', usageError(isHelp ? 'a command is missing' : message));
  }
  return exitCodes.USAGE;
}

function report(host: Host, argv: readonly string[], code: string, error: unknown): void {
  const { stderr, environment } = host.terminal;
  const message = code === 'INTERRUPTED' ? 'interrupted' : error instanceof Error ? error.message : String(error);
  const details = error instanceof Error && 'details' in error ? error.details : {};
  if (wantsJson(argv, environment)) {
    stderr.write(`${JSON.stringify({ error: { code, message, details: plainJson(details) } })}\n`);
    return;
  }
  stderr.write(`shanghaictl: ${message} (${code})\n`);
  if (code === 'USAGE' && !(error instanceof MisuseError))
    stderr.write("Try 'shanghaictl --help', or --help after the command.\n");
  if (environment['SHANGHAI_DEBUG'] && error instanceof Error) stderr.write(`${error.stack ?? ''}\n`);
}

/** Errors must be reported in the right form even where the settings could not be resolved. */
function wantsJson(argv: readonly string[], environment: Host['terminal']['environment']): boolean {
  const flat = argv.flatMap((word) => word.split('='));
  const at = flat.findLastIndex((word) => word === '--output' || word === '-o');
  return (at === -1 ? environment['SHANGHAI_OUTPUT'] : flat[at + 1]) === 'json';
}
