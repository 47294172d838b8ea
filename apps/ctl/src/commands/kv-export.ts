/** kv export: JSON lines, to a file (complete or not there at all) or to standard output. */
import { createWriteStream, existsSync, renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import type { Action, CommandContext } from '../command-host.js';
import type { KeyRange } from '../connection.js';
import { CtlError, usageError } from '../ctl-error.js';
import { text } from '../flag-values.js';
import { headLine, LineSeal } from '../import/sealed-lines.js';
import { entryJson } from '../output/entry-view.js';
import { startProgress } from '../output/progress.js';
import { formatCount, formatDuration } from '../output/quantities.js';
import { type TerminalOutput, writeOut } from '../terminal.js';
import { localFailure } from './input-value.js';
import { rangeOf } from './kv-read.js';

/** `kv export [file]` */
export const exportFile: Action = async (context, values, flags) => {
  const file = values[0] as string;
  const range = rangeOf(context, text(flags, 'start'), text(flags, 'end'), flags);
  if (file === '-') {
    const { count, durationMs } = await write(context, range, context.terminal.stdout);
    context.print.note(`exported ${formatCount(count)} entries in ${formatDuration(durationMs)}`);
    return;
  }
  if (existsSync(file) && flags['force'] !== true) {
    throw usageError(`'${file}' exists; say --force to replace it when the export is complete`);
  }
  const { count, durationMs } = await writeFile(context, range, file);
  await context.print.document({ exported: count, file, durationMs: Math.round(durationMs) }, [
    ['exported', `${formatCount(count)} entries in ${formatDuration(durationMs)}`],
    ['file', file],
  ]);
};

interface Exported {
  readonly count: number;
  readonly durationMs: number;
}

/** Under another name until it is complete and synced: what carries the name is a whole export. */
async function writeFile(context: CommandContext, range: KeyRange, file: string): Promise<Exported> {
  const partial = `${file}.partial`;
  const stream = createWriteStream(partial);
  // Without a listener a failed write would end the process; `finished` tells it again.
  stream.on('error', () => undefined);
  try {
    const exported = await write(context, range, stream);
    stream.end();
    await finished(stream);
    if (context.signal.aborted) throw new CtlError('INTERRUPTED', `interrupted; '${file}' was not written`);
    const handle = await open(partial, 'r+');
    await handle.sync().finally(() => handle.close());
    renameSync(partial, file);
    return exported;
  } catch (error) {
    stream.destroy();
    rmSync(partial, { force: true });
    throw error instanceof Error && 'syscall' in error ? localFailure(`'${file}' cannot be written`, error) : error;
  }
}

async function write(context: CommandContext, range: KeyRange, output: TerminalOutput): Promise<Exported> {
  const connection = await context.connect();
  const whole = range.prefix === undefined && range.start === undefined && range.end === undefined;
  const total = whole ? Number((await connection.status()).storage['keys'] ?? 0) : undefined;
  const progress = await startProgress(context.terminal, context.settings, {
    label: 'export',
    unit: 'records',
    // Expired keys and writes meanwhile make it a guess, good enough for a bar.
    ...(total === undefined ? {} : { total }),
  });
  const startedMs = performance.now();
  let count = 0;
  let lines = `${headLine}\n`;
  const seal = new LineSeal();
  try {
    for await (const entry of connection.range(range)) {
      if (context.signal.aborted || output.destroyed) break;
      const line = JSON.stringify(entryJson(entry, context.settings.encoding));
      seal.add(line);
      lines += `${line}\n`;
      count += 1;
      if (lines.length < 64 * 1024) continue;
      await writeOut(output, `${lines}${seal.line('sealed')}\n`);
      lines = '';
      progress.update(count);
    }
    // What was broken off has no end.
    if (!context.signal.aborted) lines += `${seal.line('end')}\n`;
    await writeOut(output, lines);
  } finally {
    progress.stop();
  }
  return { count, durationMs: performance.now() - startedMs };
}
