/**
 * A client of one node that speaks HTTP by hand: no retries, no sessions, no other node. What is not surely refused is of
 * unknown outcome.
 */
import { Agent, request } from 'node:http';
import {
  ClientError,
  type Entry,
  type OperationOutcome,
  type RangeOptions,
  type WriteOperation,
} from '@shanghai/client';
import type { ClientStore } from '../simulator/cluster/simulated-client.js';
import { codeOfWrite, type ErrorCode, textOfInput } from './store-failure.js';

interface Answer {
  readonly status: number;
  readonly body: {
    readonly data?: unknown;
    readonly error?: { readonly code: ErrorCode; readonly message: string };
  };
}

interface HttpPair {
  readonly key: string;
  readonly value: string;
  readonly offset: number;
}

interface HttpResult {
  readonly offset: number;
  readonly deleted?: boolean;
  readonly value_bytes?: number;
}

/** See above. */
export class HttpStore implements ClientStore {
  readonly #address: string;
  readonly #timeoutMs: number;
  readonly #agent = new Agent({ keepAlive: true });

  /** `address`: `host:port` of the node. */
  constructor(address: string, timeoutMs: number) {
    this.#address = address;
    this.#timeoutMs = timeoutMs;
  }

  async get(
    key: Uint8Array | string,
    { level = 'linearizable' }: { readonly level?: string } = {},
  ): Promise<Entry | undefined> {
    const { status, body } = await this.#ask('GET', `${pathOf(key)}?level=${level}`);
    if (status === 404 && body.error?.code === 'NOT_FOUND') return undefined;
    return entryOf(dataOf<HttpPair>(body));
  }

  async getText(key: string): Promise<string | undefined> {
    const entry = await this.get(key);
    return entry === undefined ? undefined : new TextDecoder().decode(entry.value);
  }

  async put(key: Uint8Array | string, value: Uint8Array | string, { ttlMs }: { readonly ttlMs?: number } = {}) {
    const more = ttlMs === undefined ? {} : { ttl_ms: ttlMs };
    const { body } = await this.#ask('PUT', pathOf(key), { value: textOfInput(value), ...more });
    return { revision: dataOf<HttpResult>(body).offset };
  }

  async append(key: Uint8Array | string, value: Uint8Array | string) {
    const [result] = await this.#batch([{ append: key, value }]);
    return { revision: result?.offset ?? 0, valueBytes: result?.value_bytes ?? 0 };
  }

  async delete(key: Uint8Array | string) {
    const { status, body } = await this.#ask('DELETE', pathOf(key));
    if (status === 404 && body.error?.code === 'NOT_FOUND') return { deleted: false, revision: 0 };
    return { deleted: true, revision: dataOf<HttpResult>(body).offset };
  }

  async batch(operations: readonly WriteOperation[]): Promise<readonly OperationOutcome[]> {
    return (await this.#batch(operations)).map(({ offset, deleted, value_bytes: valueBytes }) => ({
      ok: true,
      revision: offset,
      ...(deleted === undefined ? {} : { deleted }),
      ...(valueBytes === undefined ? {} : { valueBytes }),
    }));
  }

  transact(): Promise<never> {
    return Promise.reject(new TypeError('HTTP has no transactions'));
  }

  async *range({ prefix = '' }: RangeOptions = {}): AsyncGenerator<Entry> {
    const { body } = await this.#ask('GET', `/kv/range?prefix=${encodeURIComponent(textOfInput(prefix))}`);
    for (const pair of dataOf<{ pairs: HttpPair[] }>(body).pairs) yield entryOf(pair);
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  async #batch(operations: readonly WriteOperation[]): Promise<readonly HttpResult[]> {
    const { body } = await this.#ask('POST', '/kv/batch', { atomic: true, operations: operations.map(operationOf) });
    return dataOf<{ results: HttpResult[] }>(body).results;
  }

  async #ask(method: string, path: string, json?: unknown): Promise<Answer> {
    const isRead = method === 'GET';
    let answer: Answer;
    try {
      answer = await this.#exchange(method, path, json);
    } catch (error) {
      const message = `${method} ${path}: ${(error as Error).message}`;
      const wasSent = (error as NodeJS.ErrnoException).code !== 'ECONNREFUSED';
      throw new ClientError(wasSent && !isRead ? 'OUTCOME_UNKNOWN' : 'SERVICE_UNAVAILABLE', message);
    }
    const { error } = answer.body;
    if (error === undefined || error.code === 'NOT_FOUND') return answer;
    throw new ClientError(isRead ? error.code : codeOfWrite(error.code), error.message, { answered: true });
  }

  #exchange(method: string, path: string, json: unknown): Promise<Answer> {
    const text = json === undefined ? undefined : JSON.stringify(json);
    const headers =
      text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const { hostname: host, port } = new URL(`http://${this.#address}`);
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(this.#timeoutMs);
      const asked = request({ host, port, method, path, headers, agent: this.#agent, signal }, (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('aborted', () => reject(new Error('the answer was cut off')));
        incoming.on('end', () => {
          try {
            resolve({ status: incoming.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) });
          } catch (error) {
            reject(error);
          }
        });
      });
      asked.on('error', reject);
      asked.end(text);
    });
  }
}

function pathOf(key: Uint8Array | string): string {
  return `/kv/${encodeURIComponent(textOfInput(key))}`;
}

function dataOf<T>({ data }: Answer['body']): T {
  if (data === undefined) throw new Error('an answer without data');
  return data as T;
}

function entryOf({ key, value, offset }: HttpPair): Entry {
  const bytes = new TextEncoder();
  return { key: bytes.encode(key), value: bytes.encode(value), revision: offset };
}

function operationOf(operation: WriteOperation): object {
  if ('put' in operation) return { type: 'put', key: textOfInput(operation.put), value: textOfInput(operation.value) };
  if ('append' in operation) {
    return { type: 'append', key: textOfInput(operation.append), value: textOfInput(operation.value) };
  }
  return { type: 'delete', key: textOfInput(operation.delete) };
}
