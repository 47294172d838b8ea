/** Comma-separated values after RFC 4180: quoted fields may hold commas, doubled quotes and line ends. */
import { CtlError } from '../ctl-error.js';
import type { TextLine } from './text-lines.js';

/** One row under the names of the header row. */
export interface CsvRow {
  readonly record: Readonly<Record<string, string>>;
  readonly endOffset: number;
}

/** The rows behind the header row. Blank lines are passed over. */
export async function* csvRows(lines: AsyncIterable<TextLine>): AsyncGenerator<CsvRow> {
  let header: readonly string[] | undefined;
  let pending = '';
  for await (const { text, number, endOffset } of lines) {
    const row = pending === '' ? text : `${pending}\n${text}`;
    // An odd number of quotes: a quoted field goes on in the next line.
    if (row.split('"').length % 2 === 0) {
      pending = row;
      continue;
    }
    pending = '';
    if (row === '') continue;
    const fields = splitRow(row, number);
    if (header === undefined) {
      header = fields;
      continue;
    }
    if (fields.length !== header.length) {
      throw new CtlError(
        'INVALID_REQUEST',
        `line ${number} has ${fields.length} fields, the header has ${header.length}`,
      );
    }
    yield { record: Object.fromEntries(header.map((name, index) => [name, fields[index] ?? ''])), endOffset };
  }
  if (pending !== '') throw new CtlError('INVALID_REQUEST', `a quoted field is not closed: '${pending.slice(0, 60)}'`);
}

function splitRow(row: string, number: number): string[] {
  const fields: string[] = [];
  // Where the next field begins; behind the last one it is one past the end.
  let at = 0;
  while (at <= row.length) {
    if (row[at] === '"') {
      let end = at + 1;
      while (end < row.length && (row[end] !== '"' || row[end + 1] === '"')) end += row[end] === '"' ? 2 : 1;
      fields.push(row.slice(at + 1, end).replaceAll('""', '"'));
      at = end + 1;
      if (at < row.length && row[at] !== ',') {
        throw new CtlError(
          'INVALID_REQUEST',
          `line ${number}: a quoted field is followed by '${row[at]}', not by a comma`,
        );
      }
    } else {
      const comma = row.indexOf(',', at);
      const end = comma === -1 ? row.length : comma;
      fields.push(row.slice(at, end));
      at = end;
    }
    at += 1;
  }
  return fields;
}
