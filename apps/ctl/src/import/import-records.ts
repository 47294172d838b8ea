/** From an input (JSON array, JSON lines, CSV) to keys and values, one record at a time. */
import { readBytes } from '../byte-text.js';
import { CtlError, usageError } from '../ctl-error.js';
import { type Encoding, encodings } from '../settings.js';
import { csvRows } from './csv-rows.js';
import { elementsOfJsonArray } from './json-array-splitter.js';
import { fieldOf, fieldText, type KeyMaker } from './key-template.js';
import { checkedLines } from './sealed-lines.js';
import { textLines } from './text-lines.js';

/** Forms of input. */
export const importForms = ['json', 'jsonl', 'csv'] as const;

/** One of `importForms`. */
export type ImportForm = (typeof importForms)[number];

/** One record to write. */
export interface ImportRecord {
  /** Its place in the input, from 0. */
  readonly number: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Milliseconds since 1970 at which it expires; absent = never. */
  readonly expiresAtMs?: number;
  /** Bytes of the input read up to its end. */
  readonly endOffset: number;
}

/** How records become keys and values. */
export interface RecordShape {
  readonly form: ImportForm;
  /** Absent: records are `{key, value, …}` as `kv export` writes them. */
  readonly key?: KeyMaker;
  /** Absent: the whole record, in JSON as it stands in the input. */
  readonly valueField?: string;
}

/** A record that cannot be used, with the reason; the import says whether to go on. */
export interface RejectedRecord {
  readonly number: number;
  readonly endOffset: number;
  readonly error: CtlError;
}

/** The records of an input in its order, skipping the first `skip`. Fails where the input itself cannot be read on. */
export async function* importRecords(
  chunks: AsyncIterable<Uint8Array>,
  shape: RecordShape,
  skip = 0,
): AsyncGenerator<ImportRecord | RejectedRecord> {
  let number = 0;
  for await (const { text, parsed, endOffset } of elements(chunks, shape.form)) {
    if (number >= skip) yield toRecord(text, parsed, number, endOffset, shape);
    number += 1;
  }
}

/** Whether a record was rejected. */
export function isRejected(record: ImportRecord | RejectedRecord): record is RejectedRecord {
  return 'error' in record;
}

interface Element {
  readonly text: string;
  /** Already an object: CSV. */
  readonly parsed?: unknown;
  readonly endOffset: number;
}

async function* elements(chunks: AsyncIterable<Uint8Array>, form: ImportForm): AsyncGenerator<Element> {
  if (form === 'json') yield* elementsOfJsonArray(chunks);
  else if (form === 'jsonl') {
    for await (const line of checkedLines(textLines(chunks))) if (line.text.trim() !== '') yield line;
  } else {
    for await (const { record, endOffset } of csvRows(chunks)) {
      yield { text: JSON.stringify(record), parsed: record, endOffset };
    }
  }
}

function toRecord(
  text: string,
  parsed: unknown,
  number: number,
  endOffset: number,
  shape: RecordShape,
): ImportRecord | RejectedRecord {
  try {
    const record = parsed ?? parseJson(text, number);
    if (shape.key === undefined) return { number, endOffset, ...exportedRecord(record, number) };
    const key = readBytes(shape.key(record, number), 'text', `the key of record ${number}`);
    if (key.length === 0) throw invalid(number, 'has an empty key');
    const value = shape.valueField === undefined ? text.trim() : valueText(record, shape.valueField, number);
    return { number, endOffset, key, value: readBytes(value, 'text', `the value of record ${number}`) };
  } catch (error) {
    if (error instanceof CtlError) return { number, endOffset, error };
    throw error;
  }
}

function parseJson(text: string, number: number): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(number, `is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function valueText(record: unknown, field: string, number: number): string {
  const value = fieldOf(record, field);
  return typeof value === 'object' ? JSON.stringify(value) : fieldText(record, field, number);
}

function exportedRecord(
  record: unknown,
  number: number,
): { readonly key: Uint8Array; readonly value: Uint8Array; readonly expiresAtMs?: number } {
  const key = fieldOf(record, 'key');
  const value = fieldOf(record, 'value');
  if (typeof key !== 'string' || typeof value !== 'string') {
    throw invalid(number, "has no text fields 'key' and 'value'; say --key-field or --key-template");
  }
  if (key === '') throw invalid(number, 'has an empty key');
  const expiresAtMs = fieldOf(record, 'expiresAtMs');
  if (expiresAtMs !== undefined && !Number.isSafeInteger(expiresAtMs)) {
    throw invalid(number, `has expiresAtMs '${String(expiresAtMs)}', which is not a time in milliseconds`);
  }
  return {
    key: readBytes(key, encodingField(record, 'keyEncoding', number), `the key of record ${number}`),
    value: readBytes(value, encodingField(record, 'valueEncoding', number), `the value of record ${number}`),
    ...(typeof expiresAtMs === 'number' && expiresAtMs > 0 ? { expiresAtMs } : {}),
  };
}

function encodingField(record: unknown, name: string, number: number): Encoding {
  const written = fieldOf(record, name) ?? 'text';
  const found = encodings.find((encoding) => encoding === written);
  if (found === undefined)
    throw invalid(number, `has ${name} '${String(written)}', not one of ${encodings.join(', ')}`);
  return found;
}

function invalid(number: number, what: string): CtlError {
  return new CtlError('INVALID_REQUEST', `record ${number} ${what}`, { details: { record: number } });
}

/** The form of a file by its name, else by its first byte that is not blank. */
export function guessForm(name: string, firstBytes: Uint8Array): ImportForm {
  const extension = /\.(json|jsonl|ndjson|csv)$/i.exec(name)?.[1]?.toLowerCase();
  if (extension === 'csv') return 'csv';
  if (extension === 'jsonl' || extension === 'ndjson') return 'jsonl';
  const first = new TextDecoder().decode(firstBytes).trimStart()[0];
  if (first === '[') return 'json';
  if (first === '{' || first === undefined) return 'jsonl';
  throw usageError(`'${name}' looks like neither a JSON array nor JSON lines: say --format json, jsonl or csv`);
}
