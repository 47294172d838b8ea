/** kv batch: operations from JSON. */
import { z } from 'zod';
import { cellText, readBytes } from '../byte-text.js';
import type { Action } from '../command-host.js';
import type { OperationResult, WriteOperation } from '../connection.js';
import { CtlError } from '../ctl-error.js';
import { bytesFields } from '../output/entry-view.js';
import { encodings } from '../settings.js';
import { inputChunks } from './input-value.js';

const bytesEncoding = z.enum(encodings).default('text');

const operationSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('put'),
    key: z.string().min(1),
    keyEncoding: bytesEncoding,
    value: z.string(),
    valueEncoding: bytesEncoding,
    ttlMs: z.int().positive().optional(),
  }),
  z.strictObject({
    type: z.literal('append'),
    key: z.string().min(1),
    keyEncoding: bytesEncoding,
    value: z.string(),
    valueEncoding: bytesEncoding,
  }),
  z.strictObject({ type: z.literal('delete'), key: z.string().min(1), keyEncoding: bytesEncoding }),
]);

/** `kv batch [file]` */
export const runBatch: Action = async (context, values, flags) => {
  const chunks: Uint8Array[] = [];
  for await (const chunk of inputChunks(context, values[0] as string)) chunks.push(chunk);
  const operations = readOperations(Buffer.concat(chunks));
  const results = await (await context.connect()).batch(operations, { atomic: flags['atomic'] === true });
  const rows = operations.map((operation, index) => ({ operation, result: results[index] }) as Row);
  const { encoding } = context.settings;
  const list = context.print.list<Row>(
    [
      { title: 'OPERATION', text: ({ operation }) => operation.type },
      { title: 'KEY', text: ({ operation }) => cellText(operation.key, encoding) },
      { title: 'RESULT', text: resultText },
    ],
    ({ operation, result }) => ({ type: operation.type, ...bytesFields('key', operation.key, encoding), ...result }),
  );
  for (const row of rows) await list.row(row);
  await list.end();
  const failed = rows.filter(({ result }) => result.error !== undefined);
  if (failed.length > 0) {
    const { code, message } = failed[0]?.result.error ?? { code: 'INTERNAL_ERROR', message: 'unknown' };
    throw new CtlError(
      'INVALID_REQUEST',
      `${failed.length} of ${rows.length} operations failed, first: ${message} (${code})`,
    );
  }
};

interface Row {
  readonly operation: WriteOperation;
  readonly result: OperationResult;
}

function resultText({ result }: Row): string {
  if (result.error !== undefined) return `failed: ${result.error.message} (${result.error.code})`;
  if (result.deleted !== undefined)
    return result.deleted ? `deleted, revision ${result.revision}` : 'there was no such key';
  const length = result.valueBytes === undefined ? '' : `, ${result.valueBytes} bytes`;
  return `revision ${result.revision}${length}`;
}

/** A JSON array, an object `{"operations": […]}`, or JSON lines. Fails with `INVALID_REQUEST` and the place. */
export function readOperations(bytes: Uint8Array): WriteOperation[] {
  const source = new TextDecoder().decode(bytes).trim();
  const documents = source.startsWith('[') ? asArray(parse(source, 'the input')) : jsonLines(source);
  if (documents.length === 0) throw new CtlError('INVALID_REQUEST', 'the input holds no operation');
  return documents.map((document, index) => {
    const parsed = operationSchema.safeParse(document);
    if (!parsed.success) {
      throw new CtlError('INVALID_REQUEST', `operation ${index} is not valid: ${z.prettifyError(parsed.error)}`);
    }
    const operation = parsed.data;
    const key = readBytes(operation.key, operation.keyEncoding, `the key of operation ${index}`);
    if (operation.type === 'delete') return { type: 'delete', key };
    const value = readBytes(operation.value, operation.valueEncoding, `the value of operation ${index}`);
    if (operation.type === 'append' || operation.ttlMs === undefined) return { type: operation.type, key, value };
    return { type: 'put', key, value, ttlMs: operation.ttlMs };
  });
}

function jsonLines(source: string): unknown[] {
  const whole = source.includes('"operations"') ? tryParse(source) : undefined;
  if (typeof whole === 'object' && whole !== null && 'operations' in whole) return asArray(whole.operations);
  const lines = source.split('\n').map((line, index) => ({ line: line.trim(), number: index + 1 }));
  return lines.filter(({ line }) => line !== '').map(({ line, number }) => parse(line, `line ${number}`));
}

function asArray(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new CtlError('INVALID_REQUEST', 'the operations are not an array');
  return value;
}

function tryParse(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    return undefined;
  }
}

function parse(source: string, what: string): unknown {
  try {
    return JSON.parse(source);
  } catch (error) {
    throw new CtlError('INVALID_REQUEST', `${what} is not JSON: ${error instanceof Error ? error.message : error}`);
  }
}
