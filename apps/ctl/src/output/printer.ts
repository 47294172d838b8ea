/**
 * Data on stdout in the form asked for, messages on stderr. Three shapes cover every command: a document (one object),
 * a list (rows, streamed: a million of them cost no memory) and a stream (entries as they happen: JSON lines, YAML
 * documents). The libraries behind a form are loaded when it is first used.
 */
import { printable } from '../byte-text.js';
import type { Settings } from '../settings.js';
import { type Terminal, writeOut } from '../terminal.js';
import { plainJson } from './plain-json.js';
import { createTableList } from './table-list.js';

/** Writes results. */
export interface Printer {
  /** One object; `fields` is its form for people, label and text. */
  document(value: unknown, fields: readonly Field[]): Promise<void>;
  /** Rows of one kind. Call `end` once after the last. */
  list<Item>(columns: readonly Column<Item>[], toJson: (item: Item) => unknown): ListPrinter<Item>;
  /** Entries as they happen: a line each; `line` is the form for people. */
  stream(value: unknown, line: string): Promise<void>;
  /** Bytes as they are. */
  raw(data: string | Uint8Array): Promise<void>;
  /** A message on stderr, unless `--quiet`. */
  note(message: string): void;
}

/** Label and text of a document for people; no text = a heading. */
export type Field = readonly [label: string, text?: string];

/** A column of a list for people. */
export interface Column<Item> {
  readonly title: string;
  readonly text: (item: Item) => string;
  readonly align?: 'left' | 'right';
}

/** A list being written. */
export interface ListPrinter<Item> {
  row(item: Item): Promise<void>;
  end(): Promise<void>;
}

/** A printer for one command. */
export function createPrinter(settings: Settings, terminal: Terminal): Printer {
  const out = (data: string | Uint8Array) => writeOut(terminal.stdout, data);
  return {
    async document(value, fields) {
      if (settings.output === 'json') return out(`${JSON.stringify(plainJson(value), undefined, 2)}\n`);
      if (settings.output === 'yaml') return out(await yamlText(value));
      return out(fieldsText(fields, settings.color));
    },
    list(columns, toJson) {
      if (settings.output === 'json') return createJsonList(out, toJson);
      if (settings.output === 'yaml') return createYamlList(out, toJson);
      return createTableList(out, columns, settings.color);
    },
    async stream(value, line) {
      if (settings.output === 'json') return out(`${JSON.stringify(plainJson(value))}\n`);
      if (settings.output === 'yaml') return out(`---\n${await yamlText(value)}`);
      return out(`${line}\n`);
    },
    raw: out,
    note(message) {
      if (!settings.quiet) terminal.stderr.write(`${message}\n`);
    },
  };
}

type Out = (data: string) => Promise<void>;

function createJsonList<Item>(out: Out, toJson: (item: Item) => unknown): ListPrinter<Item> {
  let count = 0;
  return {
    row(item) {
      count += 1;
      return out(`${count === 1 ? '[\n' : ',\n'}  ${JSON.stringify(plainJson(toJson(item)))}`);
    },
    end: () => out(count === 0 ? '[]\n' : '\n]\n'),
  };
}

function createYamlList<Item>(out: Out, toJson: (item: Item) => unknown): ListPrinter<Item> {
  let count = 0;
  return {
    async row(item) {
      count += 1;
      await out(await yamlText([toJson(item)]));
    },
    end: async () => (count === 0 ? out('[]\n') : undefined),
  };
}

async function yamlText(value: unknown): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(plainJson(value), { lineWidth: 0 });
}

function fieldsText(fields: readonly Field[], color: boolean): string {
  const width = Math.max(0, ...fields.map(([label, text]) => (text === undefined ? 0 : label.length)));
  const bold = (text: string) => (color ? `\u001b[1m${text}\u001b[22m` : text);
  return fields
    .map(([label, text]) => (text === undefined ? bold(label) : `${label.padEnd(width)}  ${printable(text)}`.trimEnd()))
    .map((line) => `${line}\n`)
    .join('');
}
