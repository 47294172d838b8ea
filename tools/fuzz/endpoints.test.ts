/**
 * Every endpoint of a running node, with requests that are nearly right: nothing is answered as a defect of the server,
 * and the node stays ready and serves on. `pnpm deep fuzz` runs it for longer.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, Metadata, status } from '@grpc/grpc-js';
import { createSeededRandom, type Random } from '@shanghai/env';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { routes } from '../../apps/server/src/api/http/routes.js';
import { loggerOf, type RunningServer, startServer } from '../../apps/server/src/compose.js';
import { resolveConfig } from '../../apps/server/src/config/resolve-config.js';
import {
  AdminService,
  BatchRequest,
  ClusterService,
  GetRequest,
  InternalService,
  KeyValueService,
  LogAppendRequest,
  LogService,
  PipelineRequest,
  PutRequest,
  TransactRequest,
} from '../../proto/src/index.js';
import { mutate } from './mutate.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 24_001);
const isDeep = process.env['SHANGHAI_DEEP'] === '1';
const deepMs = Number(process.env['SHANGHAI_FUZZ_SECONDS'] ?? 60) * 500;
const fewCases = 80;

let server: RunningServer;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'shanghai-fuzz-'));
  const flags = { dataDir: directory, httpPort: '0', grpcPort: '0', logLevel: 'silent' };
  const { config } = resolveConfig({ flags });
  server = await startServer(config, '1.0.0', loggerOf(config));
});
afterAll(async () => {
  await server.close(0);
  rmSync(directory, { recursive: true, force: true });
});

const portOf = (address: string) => Number(address.slice(address.lastIndexOf(':') + 1));
const text = (value: string) => new Uint8Array(Buffer.from(value));

/** So many cases, or as many as there is time for. */
async function forEachCase(run: (random: Random, number: number) => Promise<void>): Promise<void> {
  const endMs = performance.now() + deepMs;
  for (let number = 0; isDeep ? performance.now() < endMs : number < fewCases; number++) {
    await run(createSeededRandom(seed + number), number);
  }
}

async function expectServes(): Promise<void> {
  expect(server.node.readiness().filter(({ ok }) => !ok)).toEqual([]);
  const base = `http://${server.addresses.http}/kv?key=alive`;
  const headers = { 'content-type': 'application/json' };
  expect((await fetch(base, { method: 'PUT', headers, body: '{"value":"yes"}' })).status).toBe(200);
  expect(await (await fetch(base)).text()).toContain('yes');
}

const key = Buffer.from('key');
const put = { options: undefined, key, value: Buffer.from('value'), ttlMs: 5n };
const operation = { operation: { $case: 'put' as const, value: { key, value: key, ttlMs: 0n } } };
const messages: readonly Uint8Array[] = [
  PutRequest.encode(put).finish(),
  GetRequest.encode({ options: undefined, key }).finish(),
  BatchRequest.encode({ options: undefined, atomic: false, operations: [operation, operation] }).finish(),
  TransactRequest.encode({ options: undefined, conditions: [], operations: [operation] }).finish(),
  PipelineRequest.encode({ id: 7n, request: { $case: 'put', value: put } }).finish(),
  LogAppendRequest.encode({
    log: 'l',
    records: [{ key, value: key, headers: [] }],
    producer: undefined,
    expectedLastSequence: undefined,
    acknowledgement: 0,
  }).finish(),
  Uint8Array.of(10, 3, 107, 101, 121, 16, 1, 26, 3, 97, 98, 99, 32, 5),
].map((message) => new Uint8Array(message));

// What was found once is asked every time.
test('gRPC: a pause of the replication to nobody is refused as such', async () => {
  const client = new Client(server.addresses.grpc, credentials.createInsecure());
  const path = '/shanghai.v1.Admin/PauseReplication';
  const asIs = (message: Buffer) => message;
  const code = await new Promise<number>((resolve) => {
    client.makeUnaryRequest(path, asIs, asIs, Buffer.of(8, 77), (error) => resolve(error?.code ?? status.OK));
  });
  client.close();
  expect(code).toBe(status.NOT_FOUND);
});

const methods = [KeyValueService, LogService, ClusterService, AdminService, InternalService]
  .flatMap((service) => Object.values(service))
  // What stops the node, or makes it wait for others, is meant by whoever asks for it.
  .filter(({ path }) => !/Shutdown|JoinNode|LeaveNode|ReplaceNode|ReserveNode|SetReplicationFactor/.test(path));

/** What a call of any kind ends with; streams are left after a moment. */
function statusOf(
  client: Client,
  method: (typeof methods)[number],
  bytes: Buffer,
  metadata: Metadata,
): Promise<number> {
  const asIs = (message: Buffer) => message;
  const call = client.makeBidiStreamRequest(method.path, asIs, asIs, metadata, { deadline: Date.now() + 2_000 });
  const leave = setTimeout(() => call.cancel(), 50);
  return new Promise((resolve) => {
    call.on('error', () => undefined);
    call.on('data', () => undefined);
    call.on('status', ({ code }) => {
      clearTimeout(leave);
      resolve(code);
    });
    call.write(bytes);
    call.end();
  });
}

test('gRPC: no request is answered with INTERNAL or UNKNOWN', async () => {
  const client = new Client(server.addresses.grpc, credentials.createInsecure());
  const told: unknown[] = [];
  await forEachCase(async (random, number) => {
    const method = methods[random.below(methods.length)] as (typeof methods)[number];
    const bytes = mutate(messages[random.below(messages.length)] as Uint8Array, random, messages);
    const metadata = new Metadata();
    if (random.below(4) === 0) metadata.set('traceparent', Buffer.from(random.bytes(20)).toString('hex'));
    if (random.below(4) === 0) metadata.set('shanghai-forwarded', '1');
    const code = await statusOf(client, method, Buffer.from(bytes), metadata);
    if (![status.INTERNAL, status.UNKNOWN, status.DATA_LOSS].includes(code)) return;
    told.push({ number, path: method.path, code, bytes: Buffer.from(bytes).toString('base64') });
  });
  client.close();
  expect(told, `SHANGHAI_SEED=${seed}`).toEqual([]);
  await expectServes();
});

const bodies = [
  '{"value":"v","ttl_ms":5}',
  '{"operations":[{"type":"put","key":"a","value":"b"}],"atomic":true}',
  '{}',
];
const queries = [
  'key=a',
  'start=a&end=z&limit=5',
  'prefix=%00&reverse=true&keys_only=true',
  'level=stale&key=%ff',
  'key_encoding=base64&key=_w',
];
const requests = routes
  .filter(({ path, method }) => !/shutdown|replication/.test(path) && !(method !== 'GET' && /nodes/.test(path)))
  .flatMap(({ method, path }) =>
    queries.map((query, i) => {
      const body = method === 'GET' || method === 'DELETE' ? '' : (bodies[i % bodies.length] as string);
      const target = `${path.replace(/:[a-z_]+/, 'a%2Fb')}?${query}`;
      const head = `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;
      const type = body === '' ? '' : `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
      return text(`${head}X-Session-Token: AAECAw\r\nIdempotency-Key: 7/42\r\n${type}\r\n${body}`);
    }),
  );

/** The code of the answer to bytes that are nearly a request; 0 where there is none. */
function answerTo(bytes: Uint8Array, leaveMs = 300): Promise<number> {
  return new Promise((resolve) => {
    const socket = connect(portOf(server.addresses.http), '127.0.0.1');
    let answer = '';
    const leave = setTimeout(() => socket.destroy(), leaveMs);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      answer = (answer + chunk.toString('latin1')).slice(0, 1_000);
      socket.end();
    });
    socket.on('close', () => {
      clearTimeout(leave);
      resolve(Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0));
    });
    socket.write(bytes);
  });
}

test('HTTP: no request is answered with 500', async () => {
  const told: unknown[] = [];
  await forEachCase(async (random, number) => {
    const bytes = mutate(requests[random.below(requests.length)] as Uint8Array, random, requests);
    const code = await answerTo(bytes);
    if (code !== 500) return;
    told.push({ number, code, bytes: Buffer.from(bytes).toString('base64') });
  });
  expect(told, `SHANGHAI_SEED=${seed}`).toEqual([]);
  await expectServes();
});

test.each([
  'GET /kv/%00 HTTP/1.1',
  'GET /kv/%ff%fe HTTP/1.1',
  'GET /kv/%c0%ae%c0%ae/ HTTP/1.1',
  'GET /kv/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1',
  'GET //kv//a HTTP/1.1',
  'GET /kv/a%zz HTTP/1.1',
  'GET /kv?key=%ed%a0%80 HTTP/1.1',
  'GET http://elsewhere/kv/a HTTP/1.1',
  'GET * HTTP/1.1',
  `GET /kv/${'a'.repeat(200_000)} HTTP/1.1`,
  `GET /kv/${'%41'.repeat(65_537)} HTTP/1.1`,
  'GET /kv/__proto__ HTTP/1.1',
  'GET /kv?__proto__=a HTTP/1.1',
])('HTTP: a strange path gets an answer that blames it: %.60s', async (line) => {
  const code = await answerTo(text(`${line}\r\nHost: localhost\r\nConnection: close\r\n\r\n`), 20_000);
  expect(code === 200 || (code >= 400 && code < 500), `${code}`).toBe(true);
});
