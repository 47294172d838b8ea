/**
 * A client of one node that speaks gRPC by hand: unary calls with messages encoded here, no retries, no sessions, no other
 * node. Field numbers are those of `proto/shanghai/v1/key_value.proto`.
 */
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import {
  ClientError,
  type Condition,
  type Entry,
  type OperationOutcome,
  type RangeOptions,
  type WriteOperation,
} from '@shanghai/client';
import type { ClientStore } from '../simulator/cluster/simulated-client.js';
import { decodeFields, encodeFields, type FieldValue } from './protobuf-fields.js';
import { codeOfWrite, type ErrorCode, textOfInput } from './store-failure.js';

const levels: Readonly<Record<string, number>> = { linearizable: 1, session: 2, stale: 3 };

type Fields = ReturnType<typeof decodeFields>;

/** See above. */
export class GrpcStore implements ClientStore {
  readonly #client: Client;
  readonly #timeoutMs: number;

  /** `address`: `host:port` of the node. */
  constructor(address: string, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#client = new Client(address, credentials.createInsecure(), {
      'grpc.enable_retries': 0,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1000,
      'grpc.use_local_subchannel_pool': 1,
    });
  }

  async get(
    key: Uint8Array | string,
    { level = 'linearizable' }: { readonly level?: string } = {},
  ): Promise<Entry | undefined> {
    const answer = await this.#read('Get', [
      [1, encodeFields([[2, levels[level] ?? 1]])],
      [2, bytesOf(key)],
    ]);
    if (numberOf(answer, 2) === 0) return undefined;
    return { key: bytesOf(key), value: bytesIn(answer, 3), revision: numberOf(answer, 4) };
  }

  async getText(key: string): Promise<string | undefined> {
    const entry = await this.get(key);
    return entry === undefined ? undefined : new TextDecoder().decode(entry.value);
  }

  async put(key: Uint8Array | string, value: Uint8Array | string, { ttlMs = 0 }: { readonly ttlMs?: number } = {}) {
    const answer = await this.#write('Put', [...pair(key, value), [4, ttlMs]]);
    return { revision: numberOf(answer, 2) };
  }

  async append(key: Uint8Array | string, value: Uint8Array | string) {
    const answer = await this.#write('Append', pair(key, value));
    return { revision: numberOf(answer, 2), valueBytes: numberOf(answer, 3) };
  }

  async delete(key: Uint8Array | string) {
    const answer = await this.#write('Delete', [[2, bytesOf(key)]]);
    return { deleted: numberOf(answer, 2) === 1, revision: numberOf(answer, 3) };
  }

  async batch(operations: readonly WriteOperation[]): Promise<readonly OperationOutcome[]> {
    const written = operations.map((one): [number, FieldValue] => [3, operationOf(one)]);
    return outcomesOf(await this.#write('Batch', [[2, true], ...written]), operations);
  }

  async transact({
    conditions,
    operations,
  }: {
    readonly conditions: readonly Condition[];
    readonly operations: readonly WriteOperation[];
  }): Promise<readonly OperationOutcome[]> {
    const answer = await this.#write('Transact', [
      ...conditions.map((one): [number, FieldValue] => [2, conditionOf(one)]),
      ...operations.map((one): [number, FieldValue] => [3, operationOf(one)]),
    ]);
    return outcomesOf(answer, operations);
  }

  /** One key after the other: the pairs of a test are `{prefix}a` and `{prefix}b`. */
  async *range({ prefix = '' }: RangeOptions = {}): AsyncGenerator<Entry> {
    for (const end of ['a', 'b']) {
      const entry = await this.get(`${textOfInput(prefix)}${end}`);
      if (entry !== undefined) yield entry;
    }
  }

  async close(): Promise<void> {
    this.#client.close();
  }

  async #read(method: string, fields: readonly (readonly [number, FieldValue])[]): Promise<Fields> {
    return await this.#call(method, fields).catch((error: ServiceError) => {
      throw new ClientError(codeOf(error, 'SERVICE_UNAVAILABLE'), `${method}: ${error.message}`);
    });
  }

  async #write(method: string, fields: readonly (readonly [number, FieldValue])[]): Promise<Fields> {
    return await this.#call(method, fields).catch((error: ServiceError) => {
      throw new ClientError(codeOfWrite(codeOf(error, 'OUTCOME_UNKNOWN')), `${method}: ${error.message}`);
    });
  }

  #call(method: string, fields: readonly (readonly [number, FieldValue])[]): Promise<Fields> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        `/shanghai.v1.KeyValue/${method}`,
        (message: Uint8Array) => Buffer.from(message),
        (bytes: Buffer) => bytes,
        encodeFields(fields),
        new Metadata(),
        { deadline: Date.now() + this.#timeoutMs },
        (error, answer) => (error === null && answer !== undefined ? resolve(decodeFields(answer)) : reject(error)),
      );
    });
  }
}

/** The node's own code; without one, what the transport says of whether the call was made. */
function codeOf({ code, metadata }: ServiceError, otherwise: ErrorCode): ErrorCode {
  const [own] = metadata?.get('shanghai-error-code') ?? [];
  if (own !== undefined) return own.toString() as ErrorCode;
  return code === status.DEADLINE_EXCEEDED ? 'DEADLINE_EXCEEDED' : otherwise;
}

function pair(key: Uint8Array | string, value: Uint8Array | string): [number, FieldValue][] {
  return [
    [2, bytesOf(key)],
    [3, bytesOf(value)],
  ];
}

function operationOf(operation: WriteOperation): Uint8Array {
  if ('put' in operation) return encodeFields([[1, keyAndValue(operation.put, operation.value)]]);
  if ('append' in operation) return encodeFields([[2, keyAndValue(operation.append, operation.value)]]);
  return encodeFields([[3, encodeFields([[1, bytesOf(operation.delete)]])]]);
}

function keyAndValue(key: Uint8Array | string, value: Uint8Array | string): Uint8Array {
  return encodeFields([
    [1, bytesOf(key)],
    [2, bytesOf(value)],
  ]);
}

function conditionOf(condition: Condition): Uint8Array {
  const key: [number, FieldValue] = [1, bytesOf(condition.key)];
  if ('exists' in condition) return encodeFields([key, [2, condition.exists]]);
  if ('revision' in condition) return encodeFields([key, [3, condition.revision]]);
  return encodeFields([key, [4, bytesOf(condition.value)]]);
}

function outcomesOf(answer: Fields, operations: readonly WriteOperation[]): OperationOutcome[] {
  const results = answer.get(2) ?? [];
  return operations.map((operation, i) => {
    const result = decodeFields(results[i] as Uint8Array);
    const [failure] = result.get(1) ?? [];
    if (failure instanceof Uint8Array) {
      const fields = decodeFields(failure);
      const [code, message] = [1, 2].map((number) => new TextDecoder().decode(bytesIn(fields, number)));
      return { ok: false, code: code as ErrorCode, message: message ?? '' };
    }
    return {
      ok: true,
      revision: numberOf(result, 2),
      ...('delete' in operation ? { deleted: numberOf(result, 3) === 1 } : {}),
      ...('append' in operation ? { valueBytes: numberOf(result, 4) } : {}),
    };
  });
}

function bytesOf(input: Uint8Array | string): Uint8Array {
  return typeof input === 'string' ? new TextEncoder().encode(input) : input;
}

function bytesIn(fields: Fields, number: number): Uint8Array {
  const [value] = fields.get(number) ?? [];
  return value instanceof Uint8Array ? value : new Uint8Array();
}

function numberOf(fields: Fields, number: number): number {
  const [value] = fields.get(number) ?? [];
  return typeof value === 'number' ? value : 0;
}
