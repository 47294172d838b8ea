import { type Clock, createSeededRandom, type Disk } from '@shanghai/env';
import { createFaultDisk, createManualClock, createMemoryDisk } from '@shanghai/env/testing';
import type { LogSettings } from '../src/logs/log-requests.js';
import type { ShanghaiNode } from '../src/node.js';
import type { NodeOptions } from '../src/node-options.js';
import { openNode } from '../src/open-node.js';
import type { ReadContext, RequestContext, SessionRequest, WriteContext } from '../src/requests/request-context.js';

export { createFaultDisk, createManualClock, createMemoryDisk, createSeededRandom };

/** Small files, so that workloads rotate them. */
export const smallOptions = {
  wal: { segmentBytes: 65_536, firstSegmentBytes: 65_536, segmentsAhead: 0 },
  store: { segmentBytes: 4096, merge: { enabled: false } },
  logs: { segmentBytes: 65_536, firstSegmentBytes: 65_536 },
} satisfies Partial<NodeOptions>;

export function openTestNode(disk: Disk, clock: Clock, more: Partial<NodeOptions> = {}): Promise<ShanghaiNode> {
  return openNode({ dataDirectory: 'data', disk, clock, random: createSeededRandom(7), ...smallOptions, ...more });
}

export const quorumLog: LogSettings = {
  mode: 'quorum',
  acknowledgement: 'quorum',
  retentionMs: 0,
  retentionBytes: 0,
  cleanupPolicy: 'delete',
};

export function request(signal: AbortSignal = new AbortController().signal): RequestContext {
  return { signal, isCancelled: signal.aborted, correlationId: 'test' };
}

export const fresh: ReadContext = { keyspace: '', level: 'linearizable' };

export function by(session?: SessionRequest): WriteContext {
  return session === undefined ? { keyspace: '' } : { keyspace: '', session };
}

export function bytes(text: string): Uint8Array {
  return Buffer.from(text);
}

export function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString();
}

export async function put(node: ShanghaiNode, key: string, value: string, session?: SessionRequest): Promise<number> {
  const { value: outcomes } = await node.keyValue.write(
    { kind: 'independent', operations: [{ type: 'put', key: bytes(key), value: bytes(value) }] },
    by(session),
    request(),
  );
  const [outcome] = outcomes;
  if (outcome?.ok !== true) throw new Error(`put failed: ${JSON.stringify(outcome)}`);
  return outcome.revision;
}

export async function get(node: ShanghaiNode, key: string): Promise<string | undefined> {
  const { value } = await node.keyValue.get(bytes(key), fresh, request());
  return text(value?.value);
}

export function appendTo(node: ShanghaiNode, log: string, ...values: string[]) {
  const records = values.map((value) => ({ key: bytes(''), value: bytes(value), headers: [] }));
  return node.logs.append({ log, records }, request());
}

export async function readLog(node: ShanghaiNode, log: string): Promise<(string | undefined)[]> {
  const page = await node.logs.read(
    { log, origin: 0, start: { from: 'sequence', sequence: 0 }, limit: 1000, maxBytes: 1 << 20 },
    request(),
  );
  return page.entries.map((entry) => text(entry.value));
}
