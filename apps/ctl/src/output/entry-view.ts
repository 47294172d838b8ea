/** How an entry of the store or of a log looks in each form of output. Import reads what export writes. */
import { cellText, showBytes } from '../byte-text.js';
import type { Entry, LogEntry } from '../connection.js';
import type { Encoding } from '../settings.js';
import type { Column } from './printer.js';
import { formatTime } from './quantities.js';

/** An entry as data. `keyEncoding` and `valueEncoding` are there where it is not text. */
export function entryJson(entry: Entry, encoding: Encoding, keysOnly = false): Record<string, unknown> {
  return {
    ...bytesFields('key', entry.key, encoding),
    ...(keysOnly ? {} : bytesFields('value', entry.value, encoding)),
    revision: entry.revision,
    ...(entry.expiresAtMs === 0 ? {} : { expiresAtMs: entry.expiresAtMs }),
  };
}

/** An entry as a row. */
export function entryColumns(encoding: Encoding, keysOnly: boolean, maxLength: number): Column<Entry>[] {
  const columns: Column<Entry>[] = [{ title: 'KEY', text: (entry) => cellText(entry.key, encoding, maxLength) }];
  if (!keysOnly) columns.push({ title: 'VALUE', text: (entry) => cellText(entry.value, encoding, maxLength) });
  columns.push({ title: 'REVISION', text: (entry) => String(entry.revision), align: 'right' });
  return columns;
}

/** A log entry as data. */
export function logEntryJson(entry: LogEntry, encoding: Encoding): Record<string, unknown> {
  return {
    sequence: entry.sequence,
    timeMs: entry.timeMs,
    ...(entry.key.length === 0 ? {} : bytesFields('key', entry.key, encoding)),
    ...bytesFields('value', entry.value, encoding),
    ...(entry.headers.length === 0
      ? {}
      : { headers: entry.headers.map(({ name, value }) => ({ name, ...bytesFields('value', value, encoding) })) }),
    ...(entry.origin === 0 ? {} : { origin: entry.origin }),
  };
}

/** A log entry as a line. */
export function logEntryLine(entry: LogEntry, encoding: Encoding, maxLength: number): string {
  const key = entry.key.length === 0 ? '' : `${cellText(entry.key, encoding, maxLength)}  `;
  const origin = entry.origin === 0 ? '' : `${entry.origin}:`;
  return `${origin}${entry.sequence}  ${formatTime(entry.timeMs)}  ${key}${cellText(entry.value, encoding, maxLength)}`;
}

/** `{ [name]: text }`, with `{ [name]Encoding }` where it is not text. */
export function bytesFields(name: string, bytes: Uint8Array, encoding: Encoding): Record<string, string> {
  const shown = showBytes(bytes, encoding);
  return shown.encoding === 'text'
    ? { [name]: shown.text }
    : { [name]: shown.text, [`${name}Encoding`]: shown.encoding };
}
