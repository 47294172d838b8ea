/** kv import: reads, writes, verifies, and says how far it came. */
import { closeSync, openSync, statSync, writeSync } from 'node:fs';
import { cellText } from '../byte-text.js';
import type { Action, CommandContext, Flags } from '../command-host.js';
import { CtlError, usageError } from '../ctl-error.js';
import { integer, oneOf, text } from '../flag-values.js';
import { readAcknowledged } from '../import/acknowledged-file.js';
import { guessForm, type ImportForm, type ImportRecord, importForms, importRecords } from '../import/import-records.js';
import { type ImportSummary, runImport } from '../import/import-run.js';
import { parseKeyTemplate } from '../import/key-template.js';
import { runVerify } from '../import/verify-run.js';
import { bytesFields } from '../output/entry-view.js';
import type { Field } from '../output/printer.js';
import { type Progress, startProgress } from '../output/progress.js';
import { formatCount, formatDuration } from '../output/quantities.js';
import { inputChunks, localFailure } from './input-value.js';

/** `kv import <file>` */
export const importFile: Action = async (context, values, flags) => {
  const file = values[0] as string;
  const verifyOnly = flags['verifyOnly'] === true;
  const verify = flags['verify'] === true || verifyOnly;
  if (file === '-' && verify) throw usageError('standard input cannot be read twice: --verify needs a file');
  const source = await openSource(context, file, flags);
  const summary = verifyOnly ? undefined : await load(context, source, flags);
  if (summary?.complete === false) {
    await showSummary(context, summary);
    context.print.note(`Everything before record ${summary.next} is done. To go on: --skip ${summary.next}`);
    if (summary.error !== undefined) throw summary.error;
    return;
  }
  const compared = verify && !context.signal.aborted ? await compare(context, source, flags) : undefined;
  await showSummary(context, summary, compared);
  const [first] = compared?.mismatches ?? [];
  if (compared !== undefined && first !== undefined) {
    const what = first.found ? 'holds another value' : 'is missing';
    const key = cellText(first.key, context.settings.encoding);
    throw new CtlError(
      'DATA_CORRUPTED',
      `${compared.mismatches.length} of ${compared.compared} records differ; the first is record ${first.number}: key '${key}' ${what}`,
      { details: { differences: compared.mismatches.length, record: first.number } },
    );
  }
};

/** Something that can be read as records, once or (a file) again. */
interface Source {
  readonly name: string;
  /** Absent: unknown, standard input. */
  readonly totalBytes?: number;
  readonly skip: number;
  records(): ReturnType<typeof importRecords>;
}

async function openSource(context: CommandContext, file: string, flags: Flags): Promise<Source> {
  const keyField = text(flags, 'keyField');
  const keyTemplate = text(flags, 'keyTemplate');
  const valueField = text(flags, 'valueField');
  if (keyField !== undefined && keyTemplate !== undefined) throw usageError('--key-field or --key-template, not both');
  const template = keyTemplate ?? (keyField === undefined ? undefined : `{${keyField}}`);
  if (template === undefined && valueField !== undefined)
    throw usageError('--value-field needs --key-field or --key-template');
  const skip = integer(flags, 'skip', 0);
  let chunks = inputChunks(context, file);
  const form =
    oneOf(flags, 'format', importForms) ??
    (await peekForm(file, chunks, (joined) => {
      chunks = joined;
    }));
  const shape = {
    form,
    ...(template === undefined ? {} : { key: parseKeyTemplate(template) }),
    ...(valueField === undefined ? {} : { valueField }),
  };
  let first = true;
  return {
    name: file === '-' ? 'standard input' : file,
    ...(file === '-' ? {} : { totalBytes: sizeOf(file) }),
    skip,
    records() {
      const input = first ? chunks : inputChunks(context, file);
      first = false;
      return importRecords(input, shape, skip);
    },
  };
}

/** Guesses the form from the first chunk, which is then put back in front. */
async function peekForm(
  file: string,
  chunks: AsyncGenerator<Uint8Array>,
  replace: (joined: AsyncGenerator<Uint8Array>) => void,
): Promise<ImportForm> {
  const first = await chunks.next();
  replace(
    (async function* () {
      if (first.done !== true) yield first.value;
      yield* chunks;
    })(),
  );
  return guessForm(file, first.done === true ? new Uint8Array(0) : first.value.subarray(0, 1024));
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch (error) {
    throw localFailure(`file '${file}' cannot be read`, error);
  }
}

type TimedSummary = ImportSummary & { readonly durationMs: number; readonly complete: boolean };

async function load(context: CommandContext, source: Source, flags: Flags): Promise<TimedSummary> {
  const batchRecords = integer(flags, 'batch', 100, 1, 10_000);
  const concurrency = integer(flags, 'concurrency', 8, 1, 1024);
  const connection = await context.connect({ sessions: true });
  const journal = openJournal(text(flags, 'acknowledgedFile'), context);
  const progress = await startProgress(context.terminal, context.settings, progressOptions('import', source));
  const startedMs = performance.now();
  try {
    const summary = await runImport(source.records(), (operations) => connection.batch(operations, { atomic: false }), {
      batchRecords,
      concurrency,
      keepGoing: flags['keepGoing'] === true,
      signal: context.signal,
      nowMs: () => Date.now(),
      onAcknowledged: (records) => journal.write(records),
      onProgress: recordProgress(progress, source, startedMs),
      onRejected: (message) => context.print.note(message),
    });
    const complete = summary.error === undefined && !context.signal.aborted;
    return { ...summary, complete, durationMs: performance.now() - startedMs };
  } finally {
    progress.stop();
    journal.close();
  }
}

async function compare(context: CommandContext, source: Source, flags: Flags) {
  const connection = await context.connect();
  const listed = text(flags, 'acknowledgedFile');
  const only = listed === undefined ? undefined : await readAcknowledged(inputChunks(context, listed), listed);
  const progress = await startProgress(context.terminal, context.settings, progressOptions('verify', source));
  const startedMs = performance.now();
  try {
    return await runVerify(source.records(), async (key) => (await connection.get(key))?.value, {
      concurrency: 256,
      signal: context.signal,
      acknowledged: (number) => only?.has(number) ?? true,
      onProgress: recordProgress(progress, source, startedMs),
    });
  } finally {
    progress.stop();
  }
}

function progressOptions(label: string, source: Source) {
  return source.totalBytes === undefined
    ? ({ label, unit: 'records' } as const)
    : ({ label, unit: 'bytes', total: source.totalBytes } as const);
}

function recordProgress(progress: Progress, source: Source, startedMs: number) {
  let furthest = 0;
  return (endOffset: number, records: number) => {
    const rate = records / Math.max(0.001, (performance.now() - startedMs) / 1000);
    // Batches finish in any order.
    furthest = Math.max(furthest, source.totalBytes === undefined ? records : endOffset);
    progress.update(furthest, `${formatCount(records)} records, ${formatCount(rate)}/s`);
  };
}

/** A line for every acknowledged record, written before the record counts as imported. */
function openJournal(path: string | undefined, context: CommandContext) {
  if (path === undefined) return { write: () => undefined, close: () => undefined };
  let file: number;
  try {
    file = openSync(path, 'a');
  } catch (error) {
    throw localFailure(`acknowledged file '${path}' cannot be written`, error);
  }
  return {
    write(records: readonly ImportRecord[]) {
      const lines = records.map(({ number, key }) =>
        JSON.stringify({ record: number, ...bytesFields('key', key, context.settings.encoding) }),
      );
      if (lines.length > 0) writeSync(file, `${lines.join('\n')}\n`);
    },
    close: () => closeSync(file),
  };
}

async function showSummary(
  context: CommandContext,
  summary: TimedSummary | undefined,
  compared?: Awaited<ReturnType<typeof runVerify>>,
): Promise<void> {
  const fields: Field[] = [];
  const document: Record<string, unknown> = {};
  if (summary !== undefined) {
    const { complete, acknowledged, rejected, expired, next, durationMs } = summary;
    const rate = acknowledged / Math.max(0.001, durationMs / 1000);
    Object.assign(document, {
      complete,
      imported: acknowledged,
      rejected,
      expired,
      next,
      durationMs: Math.round(durationMs),
    });
    document['recordsPerSecond'] = Math.round(rate);
    if (!complete) fields.push(['stopped', `at record ${next}: not everything is imported`]);
    fields.push([
      'imported',
      `${formatCount(acknowledged)} records in ${formatDuration(durationMs)} (${formatCount(rate)}/s)`,
    ]);
    if (rejected > 0) fields.push(['rejected', formatCount(rejected)]);
    if (expired > 0) fields.push(['expired', formatCount(expired)]);
  }
  if (compared !== undefined) {
    Object.assign(document, { verified: compared.compared, differences: compared.mismatches.length });
    fields.push([
      'verified',
      `${formatCount(compared.compared)} records, ${formatCount(compared.mismatches.length)} differ`,
    ]);
  }
  await context.print.document(document, fields);
}
