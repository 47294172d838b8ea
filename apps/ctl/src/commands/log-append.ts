/** log append: in order, one request after the other, each kept or lost as a whole. */
import { readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { readBytes } from '../byte-text.js';
import type { Action, CommandContext, Flags } from '../command-host.js';
import type { LogHeader, LogRecord } from '../connection.js';
import { usageError } from '../ctl-error.js';
import { integer, oneOf, optionalInteger, text } from '../flag-values.js';
import { textLines } from '../import/text-lines.js';
import { startProgress } from '../output/progress.js';
import { formatCount } from '../output/quantities.js';
import { inputChunks, localFailure, readLocalFile } from './input-value.js';

/** A request is sent at this size though it holds fewer records than allowed. */
const maxBatchBytes = 1024 * 1024;

/** `log append <name> [values...]` */
export const appendRecords: Action = async (context, values, flags) => {
  const name = values[0] as string;
  const source = recordSource(context, (values[1] ?? []) as readonly string[], flags);
  const batchRecords = integer(flags, 'batch', 100, 1, 10_000);
  const acknowledgement = oneOf(flags, 'acknowledgement', ['local', 'quorum', 'all']);
  let expectedLastSequence = optionalInteger(flags, 'expectLast');
  const connection = await context.connect();
  const progress = await startProgress(context.terminal, context.settings, {
    label: 'append',
    unit: 'records',
    ...(source.total === undefined ? {} : { total: source.total }),
  });
  let appended = 0;
  let firstSequence = 0;
  let lastSequence = 0;
  try {
    for await (const records of batches(source.records, batchRecords, context.signal)) {
      const result = await connection.logs.append(name, records, {
        ...(acknowledgement === undefined ? {} : { acknowledgement }),
        ...(expectedLastSequence === undefined ? {} : { expectedLastSequence }),
        ...(flags['here'] === true ? { here: true } : {}),
      });
      if (appended === 0) firstSequence = result.firstSequence;
      lastSequence = result.lastSequence;
      if (expectedLastSequence !== undefined) expectedLastSequence = lastSequence;
      appended += records.length;
      progress.update(appended);
    }
  } catch (error) {
    if (appended > 0)
      context.print.note(`${appended} records were appended, up to sequence ${lastSequence}, before this:`);
    throw error;
  } finally {
    progress.stop();
  }
  await context.print.document({ log: name, appended, firstSequence, lastSequence }, [
    ['appended', formatCount(appended)],
    ['sequence', appended === 0 ? '-' : appended === 1 ? String(lastSequence) : `${firstSequence} to ${lastSequence}`],
  ]);
};

interface RecordSource {
  readonly records: AsyncIterable<LogRecord>;
  /** Absent: unknown, standard input. */
  readonly total?: number;
}

function recordSource(context: CommandContext, values: readonly string[], flags: Flags): RecordSource {
  const { encoding } = context.settings;
  const directory = text(flags, 'files');
  const key = text(flags, 'key');
  const headers = headersOf(flags);
  const common = {
    ...(key === undefined ? {} : { key: readBytes(key, encoding, 'the key') }),
    ...(headers.length === 0 ? {} : { headers }),
  };
  if (directory !== undefined) {
    if (values.length > 0) throw usageError('values or --files, not both');
    if (key !== undefined) throw usageError('--files takes the path of each file as its key: --key is for the others');
    const files = filesBelow(directory);
    return { records: fileRecords(directory, files, headers), total: files.length };
  }
  if (values.length === 0 || (values.length === 1 && values[0] === '-')) {
    return { records: lineRecords(context, common) };
  }
  const records = values.map((value): LogRecord => ({ ...common, value: readBytes(value, encoding, 'a value') }));
  return { records: all(records), total: records.length };
}

async function* all(records: readonly LogRecord[]): AsyncGenerator<LogRecord> {
  yield* records;
}

async function* lineRecords(context: CommandContext, common: Partial<LogRecord>): AsyncGenerator<LogRecord> {
  for await (const { text: line } of textLines(inputChunks(context, '-'))) {
    yield { ...common, value: readBytes(line, context.settings.encoding, 'a line') };
  }
}

async function* fileRecords(
  directory: string,
  files: readonly string[],
  headers: readonly LogHeader[],
): AsyncGenerator<LogRecord> {
  for (const file of files) {
    const value = await readLocalFile(join(directory, file));
    const key = new TextEncoder().encode(file.split(sep).join('/'));
    yield { key, value, ...(headers.length === 0 ? {} : { headers }) };
  }
}

function filesBelow(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
      .sort();
  } catch (error) {
    throw localFailure(`directory '${directory}' cannot be read`, error);
  }
}

function headersOf(flags: Flags): LogHeader[] {
  const written = (flags['header'] ?? []) as readonly string[];
  return written.map((header) => {
    const at = header.indexOf('=');
    if (at < 1) throw usageError(`--header '${header}' is not name=value`);
    return { name: header.slice(0, at), value: new TextEncoder().encode(header.slice(at + 1)) };
  });
}

async function* batches(
  records: AsyncIterable<LogRecord>,
  batchRecords: number,
  signal: AbortSignal,
): AsyncGenerator<readonly LogRecord[]> {
  let batch: LogRecord[] = [];
  let bytes = 0;
  for await (const record of records) {
    if (signal.aborted) return;
    batch.push(record);
    bytes += record.value.length;
    if (batch.length < batchRecords && bytes < maxBatchBytes) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}
