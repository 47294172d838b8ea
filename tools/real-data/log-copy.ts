/** One node's copy of a named log of mode multi-master, asked by plain gRPC of that node and of nobody else. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type CallOptions, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import {
  Acknowledgement,
  CleanupPolicy,
  type CreateLogResponse,
  type DescribeLogResponse,
  type LogAppendResponse,
  LogClient,
  type LogEntry,
  LogMode,
  LogOrder,
  type LogPositions,
  type LogReadResponse,
} from '@shanghai/proto';

const deadlineMs = 30_000;

/** What a copy holds of one origin in one epoch. */
export interface StreamCopy {
  /** `<origin>.<epoch>` */
  readonly stream: string;
  readonly keys: readonly string[];
  /** SHA-256 over sequence, stamp, key and value of every entry. */
  readonly checksum: string;
}

/** See above. */
export class LogCopy {
  readonly #client: LogClient;
  readonly #log: string;

  /** `address`: `host:port` of the node's gRPC listener. */
  constructor(address: string, log: string) {
    this.#client = new LogClient(address, credentials.createInsecure());
    this.#log = log;
  }

  async create(): Promise<void> {
    const settings = {
      mode: LogMode.LOG_MODE_MULTI_MASTER,
      acknowledgement: Acknowledgement.ACKNOWLEDGEMENT_LOCAL,
      cleanupPolicy: CleanupPolicy.CLEANUP_POLICY_DELETE,
      ...{ retentionMs: 0n, retentionBytes: 0n, retentionEntries: 0n, tombstoneRetentionMs: 0n },
    };
    const name = this.#log;
    await call<CreateLogResponse>((...rest) => this.#client.createLog({ name, settings }, ...rest));
  }

  /** Appends one entry; resolves when the node has it on its disk. */
  async append(key: string, value: Buffer): Promise<void> {
    const request = {
      log: this.#log,
      records: [{ key: Buffer.from(key), value, headers: [] }],
      acknowledgement: Acknowledgement.ACKNOWLEDGEMENT_UNSPECIFIED,
      producer: undefined,
    };
    await call<LogAppendResponse>((...rest) => this.#client.append(request, ...rest));
  }

  /** How much it holds of each stream: `<origin>.<epoch>` and its last sequence, in order. */
  async positions(): Promise<readonly (readonly [string, bigint])[]> {
    const name = this.#log;
    const { log } = await call<DescribeLogResponse>((...rest) => this.#client.describeLog({ name }, ...rest));
    const known = (log?.origins ?? []).map((one) => [`${one.origin}.${one.epoch}`, one.lastSequence] as const);
    return known.sort(([a], [b]) => a.localeCompare(b));
  }

  /** Everything it holds, in the order asked for; in order of time, up to where nothing earlier can come. */
  async entries(order: LogOrder): Promise<LogEntry[]> {
    const entries: LogEntry[] = [];
    let positions: LogPositions | undefined = { positions: [] };
    for (;;) {
      const page: LogReadResponse = await this.#page(positions, order);
      if (page.entries.length === 0) return entries;
      entries.push(...page.entries);
      assert.ok(page.positions !== undefined, 'a page of all origins does not say where to go on');
      positions = page.positions;
    }
  }

  /** Everything it holds, by stream. */
  async streams(): Promise<readonly StreamCopy[]> {
    const byStream = new Map<string, LogEntry[]>();
    for (const entry of await this.entries(LogOrder.LOG_ORDER_ARRIVAL)) {
      const stream = `${entry.origin}.${entry.epoch}`;
      const known = byStream.get(stream);
      if (known === undefined) byStream.set(stream, [entry]);
      else known.push(entry);
    }
    const names = [...byStream.keys()].sort();
    return names.map((stream) => copyOf(stream, byStream.get(stream) as LogEntry[]));
  }

  close(): void {
    this.#client.close();
  }

  #page(positions: LogPositions | undefined, order: LogOrder): Promise<LogReadResponse> {
    const request = {
      ...{ log: this.#log, origin: 0n, start: undefined, limit: 1_000, maxBytes: 1 << 20 },
      ...{ allOrigins: true, positions, order },
    };
    return call<LogReadResponse>((...rest) => this.#client.read(request, ...rest));
  }
}

type Done<T> = (error: ServiceError | null, response: T) => void;

function call<T>(start: (metadata: Metadata, options: CallOptions, done: Done<T>) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    start(new Metadata(), { deadline: Date.now() + deadlineMs }, (error, response) =>
      error === null ? resolve(response) : reject(error),
    );
  });
}

function copyOf(stream: string, entries: readonly LogEntry[]): StreamCopy {
  const hash = createHash('sha256');
  for (const { sequence, timeMs, key, value } of entries) {
    hash.update(`${sequence} ${timeMs} ${key.length} ${value.length} `).update(key).update(value);
  }
  return { stream, keys: entries.map(({ key }) => Buffer.from(key).toString()), checksum: hash.digest('hex') };
}
