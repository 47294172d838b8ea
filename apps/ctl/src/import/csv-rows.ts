/** Comma-separated values after RFC 4180: quoted fields may hold commas, doubled quotes and line ends. */
import { Readable } from 'node:stream';
import { CsvError, type Info, parse } from 'csv-parse';
import { CtlError } from '../ctl-error.js';

/** One row under the names of the header row. */
export interface CsvRow {
  readonly record: Readonly<Record<string, string>>;
  readonly endOffset: number;
}

/** A quoted field that is never closed must not swallow the whole input. */
const maxRowBytes = 64 * 1024 * 1024;

/** The rows behind the header row. Blank lines are passed over. */
export async function* csvRows(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<CsvRow> {
  const parser = parse({ bom: true, columns: true, info: true, skip_empty_lines: true, max_record_size: maxRowBytes });
  const source = Readable.from(chunks, { objectMode: false });
  source.on('error', (error) => parser.destroy(error));
  try {
    for await (const row of source.pipe(parser) as AsyncIterable<{ record: Record<string, string>; info: Info }>) {
      yield { record: row.record, endOffset: row.info.bytes };
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw new CtlError('INVALID_REQUEST', `this is no CSV: ${error.message}`, { cause: error });
  } finally {
    source.destroy();
  }
}
