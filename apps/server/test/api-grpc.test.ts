import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import {
  Acknowledgement,
  ClusterState,
  errorTable,
  type LogEntry,
  type RangeResponse,
  ReadLevel,
} from '@shanghai/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { healthDescription } from '../src/api/grpc/health-description.js';
import { ServerError } from '../src/requests/server-error.js';
import { call, failureOf, type GrpcFixture, openGrpcFixture } from './grpc-fixture.js';

let fixture: GrpcFixture;
beforeAll(async () => {
  fixture = await openGrpcFixture();
});
afterAll(() => fixture.close());

const bytes = (text: string) => Buffer.from(text);
const put = (key: string, value: string, more: object = {}) => ({
  options: undefined,
  key: bytes(key),
  value: bytes(value),
  ttlMs: 0n,
  ...more,
});

const kv = {
  put: (key: string, value: string, more: object = {}, metadata = {}) =>
    call(fixture.keyValue.put, fixture.keyValue, put(key, value, more), metadata),
  get: (key: string, options: object | undefined = undefined, metadata = {}, deadlineMs?: number) =>
    call(
      fixture.keyValue.get,
      fixture.keyValue,
      { options: options as undefined, key: bytes(key) },
      metadata,
      deadlineMs,
    ),
};

describe('KeyValue', () => {
  it('puts, gets, appends and deletes, each with its revision', async () => {
    const first = await kv.put('a', '1');
    const found = await kv.get('a');
    expect(found).toMatchObject({ found: true, value: bytes('1'), revision: first.revision });
    expect(found.header?.token).toEqual(bytes('token'));
    const more = { options: undefined, key: bytes('a'), value: bytes('23') };
    const appended = await call(fixture.keyValue.append, fixture.keyValue, more);
    expect(appended).toMatchObject({ revision: first.revision + 1n, valueBytes: 3n });
    const gone = { options: undefined, key: bytes('a') };
    expect(await call(fixture.keyValue.delete, fixture.keyValue, gone)).toMatchObject({ deleted: true });
    expect(await call(fixture.keyValue.delete, fixture.keyValue, gone)).toMatchObject({ deleted: false });
    expect(await kv.get('a')).toMatchObject({ found: false, revision: 0n });
  });

  it('hands options over: keyspace, session, level, token, slot and epoch', async () => {
    const session = { keyspace: 'ks', sessionId: 5n, requestNumber: 9n, retry: true, slot: 3, epoch: 4n };
    await kv.put('o', '1', { options: session, ttlMs: 500n });
    expect(fixture.node.seen.write).toEqual({
      keyspace: 'ks',
      session: { sessionId: 5, requestNumber: 9, retry: true },
      routed: { slot: 3, epoch: 4 },
    });
    const read = { keyspace: 'ks', level: ReadLevel.READ_LEVEL_SESSION, token: bytes('t'), slot: 3, epoch: 4n };
    expect(await kv.get('o', read)).toMatchObject({ expiresAtMs: 500n });
    expect(fixture.node.seen.read).toEqual({
      keyspace: 'ks',
      level: 'session',
      token: bytes('t'),
      routed: { slot: 3, epoch: 4 },
    });
  });

  it.each([
    ['a request number without a session', { requestNumber: 1n }],
    ['a session without a request number', { sessionId: 1n }],
    ['a slot without an epoch', { slot: 1 }],
    ['a session id beyond 2^53', { sessionId: 1n << 60n, requestNumber: 1n }],
  ])('refuses %s', async (_, options) => {
    const base = { keyspace: '', sessionId: 0n, requestNumber: 0n, retry: false };
    const failure = await failureOf(kv.put('k', 'v', { options: { ...base, ...options } }));
    expect(failure).toMatchObject({ code: 'INVALID_REQUEST', grpc: status.INVALID_ARGUMENT });
  });

  it('refuses an unknown read level', async () => {
    const options = { keyspace: '', level: 77, token: Buffer.alloc(0) };
    expect(await failureOf(kv.get('k', options))).toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it('opens sessions', async () => {
    const opened = await call(fixture.keyValue.openSession, fixture.keyValue, { ttlMs: 0n });
    expect(opened).toMatchObject({ ttlMs: 3_600_000n });
    expect(opened.sessionId).toBeGreaterThan(0n);
  });

  it('answers each operation of a batch on its own', async () => {
    const operations = [
      { operation: { $case: 'put' as const, value: put('b1', 'x') } },
      { operation: { $case: 'put' as const, value: { key: bytes('b2'), value: Buffer.alloc(1_000_001), ttlMs: 0n } } },
      { operation: { $case: 'delete' as const, value: { key: bytes('b1') } } },
      { operation: { $case: 'append' as const, value: { key: bytes('b3'), value: bytes('yy') } } },
    ];
    const { results } = await call(fixture.keyValue.batch, fixture.keyValue, {
      options: undefined,
      atomic: false,
      operations,
    });
    expect(results.map(({ error, deleted, valueBytes }) => [error?.code, deleted, valueBytes])).toEqual([
      [undefined, false, 0n],
      ['INVALID_REQUEST', false, 0n],
      [undefined, true, 0n],
      [undefined, false, 2n],
    ]);
  });

  it('refuses an operation and a condition that hold nothing', async () => {
    const batch = { options: undefined, atomic: false, operations: [{ operation: undefined }] };
    expect(await failureOf(call(fixture.keyValue.batch, fixture.keyValue, batch))).toMatchObject({
      code: 'INVALID_REQUEST',
      message: 'operations[0] holds none of put, append, delete',
    });
    const transaction = {
      options: undefined,
      operations: [],
      conditions: [{ key: bytes('k'), requirement: undefined }],
    };
    expect(await failureOf(call(fixture.keyValue.transact, fixture.keyValue, transaction))).toMatchObject({
      code: 'INVALID_REQUEST',
    });
  });

  it('transacts, and names the first condition that fails with its revision in the trailers', async () => {
    const { revision } = await kv.put('t', 'old');
    const transaction = (requirement: object) => ({
      options: undefined,
      conditions: [{ key: bytes('t'), requirement: requirement as { $case: 'exists'; value: boolean } }],
      operations: [{ operation: { $case: 'put' as const, value: put('t', 'new') } }],
    });
    const failed = call(
      fixture.keyValue.transact,
      fixture.keyValue,
      transaction({ $case: 'revision', value: revision + 1n }),
    );
    expect(await failureOf(failed)).toMatchObject({
      grpc: status.ABORTED,
      code: 'CONFLICT',
      details: { condition: 'revision', key: 't', revision: Number(revision) },
    });
    for (const requirement of [
      { $case: 'revision', value: revision },
      { $case: 'value', value: bytes('new') },
      { $case: 'exists', value: true },
    ]) {
      const done = await call(fixture.keyValue.transact, fixture.keyValue, transaction(requirement));
      expect(done.results).toHaveLength(1);
    }
  });

  it('streams a range in pages, forwards and backwards, and hands every bound over', async () => {
    for (const key of ['r1', 'r2', 'r3', 'r4', 'r5']) await kv.put(key, key);
    const range = {
      options: undefined,
      start: bytes('r1'),
      end: bytes('r5'),
      prefix: bytes('r'),
      limit: 3n,
      reverse: true,
      keysOnly: true,
      continuation: Buffer.alloc(0),
    };
    const pages: RangeResponse[] = [];
    for await (const page of fixture.keyValue.range(range)) pages.push(page);
    expect(pages.map(({ pairs }) => pairs.map(({ key }) => key.toString()))).toEqual([['r4', 'r3'], ['r2']]);
    expect(pages[0]?.pairs[0]?.value).toHaveLength(0);
    expect(fixture.node.seen.range).toEqual({
      start: bytes('r1'),
      end: bytes('r5'),
      prefix: bytes('r'),
      limit: 3,
      reverse: true,
      keysOnly: true,
    });
  });

  it('watches a key until the caller goes, and lets go of the source then', async () => {
    const watch = { keyspace: '', target: { $case: 'key' as const, value: bytes('w') }, position: Buffer.alloc(0) };
    const stream = fixture.keyValue.watch({ ...watch, keysOnly: false });
    const messages = stream[Symbol.asyncIterator]();
    expect((await messages.next()).value).toMatchObject({ events: [] });
    const { signal } = fixture.node.seen.context ?? {};
    await kv.put('wx', 'no');
    await kv.put('w', 'yes');
    const { value } = await messages.next();
    expect(value.events.map((event: { value: Buffer }) => event.value.toString())).toEqual(['yes']);
    const isAborted = new Promise((resolve) => signal?.addEventListener('abort', resolve));
    stream.on('error', () => {});
    stream.cancel();
    await isAborted;
    expect(signal?.reason).toMatchObject({ code: 'CANCELLED' });
  });
});

describe('errors', () => {
  it.each(Object.keys(errorTable).filter((code) => code !== 'INTERNAL_ERROR') as (keyof typeof errorTable)[])(
    '%s arrives with its gRPC status, its code and its details',
    async (code) => {
      fixture.node.failNext(new ServerError(code, `it was ${code} – “so”`, { details: { code, leader: 'n2:9090' } }));
      expect(await failureOf(kv.get('k', undefined, { 'x-correlation-id': 'mine' }))).toEqual({
        grpc: errorTable[code].grpc,
        message: `it was ${code} – “so”`,
        code,
        correlationId: 'mine',
        leader: 'n2:9090',
        details: { code, leader: 'n2:9090' },
      });
    },
  );

  it('a defect tells the caller a correlation id and the log everything', async () => {
    fixture.node.failNext(new TypeError('secret of /etc'));
    const failure = await failureOf(kv.get('k'));
    expect(failure).toMatchObject({ code: 'INTERNAL_ERROR', grpc: status.INTERNAL, details: undefined });
    expect(JSON.stringify(failure)).not.toContain('secret');
    expect(failure.message).toContain(String(failure.correlationId));
    const logged = fixture.services.lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 'error');
    expect(logged.at(-1)).toMatchObject({ correlationId: failure.correlationId, err: { message: 'secret of /etc' } });
  });

  it('a message that cannot be decoded is the caller’s mistake', async () => {
    const client = new Client(fixture.address, credentials.createInsecure());
    const failure = failureOf(
      new Promise((resolve, reject) => {
        const path = '/shanghai.v1.KeyValue/Get';
        const raw = Buffer.from([0x0a, 0xff]);
        client.makeUnaryRequest(
          path,
          (value: Buffer) => value,
          (value) => value,
          raw,
          (error, response) => (error === null ? resolve(response) : reject(error)),
        );
      }),
    );
    expect(await failure).toMatchObject({ code: 'INVALID_REQUEST', grpc: status.INVALID_ARGUMENT });
    client.close();
  });

  it('an unknown procedure is UNIMPLEMENTED', async () => {
    const client = new Client(fixture.address, credentials.createInsecure());
    const failure = new Promise((_, reject) => {
      const path = '/shanghai.v1.KeyValue/Frobnicate';
      client.makeUnaryRequest(
        path,
        (value: Buffer) => value,
        (value) => value,
        Buffer.alloc(0),
        reject,
      );
    });
    await expect(failure).rejects.toMatchObject({ code: status.UNIMPLEMENTED });
    client.close();
  });

  it('a message above the limit is refused', async () => {
    const small = await openGrpcFixture({ maxMessageBytes: 1_000 });
    const request = { options: undefined, key: bytes('k'), value: Buffer.alloc(2_000), ttlMs: 0n };
    const failure = await failureOf(call(small.keyValue.put, small.keyValue, request));
    expect(failure.grpc).toBe(status.RESOURCE_EXHAUSTED);
    await small.close();
  });
});

describe('calls', () => {
  it('count as lost to their deadline where what they asked for was done behind it', async () => {
    const { keyValue } = fixture.node;
    const { get } = keyValue;
    let answer = () => {};
    let signal: AbortSignal | undefined;
    keyValue.get = async (...request) => {
      signal = request[2].signal;
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return get.apply(keyValue, request);
    };
    const late = kv.get('a', undefined, {}, 60);
    await expect(late).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
    while (signal?.aborted !== true) await new Promise((resolve) => setImmediate(resolve));
    answer();
    keyValue.get = get;
    const lost = async () => {
      const requests = (await fixture.services.metrics.values()).find(({ name }) => name === 'shanghai_requests_total');
      const deadlines = requests?.values.filter(({ labels }) => labels['code'] === 'DEADLINE_EXCEEDED');
      return deadlines?.map(({ labels, value }) => [labels['method'], value]);
    };
    while ((await lost())?.length === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(await lost()).toEqual([['KeyValue/Get', 1]]);
  });

  it('abort the request when their deadline passes', async () => {
    const release = fixture.node.hold();
    const failure = await failureOf(kv.get('k', undefined, {}, 50));
    expect(failure.grpc).toBe(status.DEADLINE_EXCEEDED);
    const { signal } = fixture.node.seen.context ?? {};
    if (signal?.aborted === false) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    expect(signal?.reason).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    release();
  });

  it('abort the request when the caller cancels', async () => {
    const release = fixture.node.hold();
    const held = kv.get('k');
    const failure = failureOf(held);
    while (fixture.node.held === 0) await new Promise((resolve) => setImmediate(resolve));
    held.cancel();
    expect((await failure).grpc).toBe(status.CANCELLED);
    const { signal } = fixture.node.seen.context ?? {};
    if (signal?.aborted === false) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    expect(signal?.reason).toMatchObject({ code: 'CANCELLED' });
    release();
  });

  it('carry a correlation id to the request and back, or get one', async () => {
    const named = kv.get('k', undefined, { 'x-correlation-id': 'abc' });
    expect((await named.headers()).get('x-correlation-id')).toEqual(['abc']);
    await named;
    expect(fixture.node.seen.context?.correlationId).toBe('abc');
    await kv.get('k', undefined, { 'x-correlation-id': 'two words' });
    expect(fixture.node.seen.context?.correlationId).toMatch(/^id-\d+$/);
  });

  it('take the trace id of a traceparent, and go on with the trace', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const traced = kv.get('k', undefined, { traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
    const [answer] = (await traced.headers()).get('traceparent');
    expect(answer).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    expect(answer).not.toContain('00f067aa0ba902b7');
    await traced;
    expect(fixture.node.seen.context?.correlationId).toBe(traceId);
  });

  it('are counted by method and outcome', async () => {
    fixture.node.failNext(new ServerError('OUT_OF_RANGE', 'x'));
    await failureOf(kv.get('k'));
    const text = await fixture.services.metrics.text();
    expect(text).toMatch(/shanghai_requests_total\{api="grpc",method="KeyValue\/Get",code="OUT_OF_RANGE"\} [1-9]/);
    expect(text).toMatch(/shanghai_request_duration_seconds_count\{api="grpc",method="KeyValue\/Put"\} [1-9]/);
  });
});

describe('Log', () => {
  const log = () => fixture.log;
  const noLimits = { retentionBytes: 0n, retentionEntries: 0n, tombstoneRetentionMs: 0n };
  const settings = { mode: 0, acknowledgement: 0, retentionMs: 10n, cleanupPolicy: 0, ...noLimits } as const;
  const record = (text: string) => ({
    key: bytes('k'),
    value: bytes(text),
    headers: [{ name: 'h', value: bytes('v') }],
  });

  it('creates, lists, describes and deletes logs', async () => {
    const created = await call(log().createLog, log(), { name: 'l1', settings });
    expect(created.log).toMatchObject({
      name: 'l1',
      settings: { mode: 1, acknowledgement: 2, retentionMs: 10n, cleanupPolicy: 1 },
      origins: [{ origin: 0n, firstSequence: 1n, lastSequence: 0n }],
    });
    const other = { name: 'l1', settings: { ...settings, mode: 2 as const } };
    expect(await failureOf(call(log().createLog, log(), other))).toMatchObject({ code: 'ALREADY_EXISTS' });
    const { logs } = await call(log().listLogs, log(), { prefix: 'l' });
    expect(logs.map(({ name }) => name)).toEqual(['l1']);
    expect((await call(log().describeLog, log(), { name: 'l1' })).log?.name).toBe('l1');
    await call(log().deleteLog, log(), { name: 'l1' });
    expect(await failureOf(call(log().describeLog, log(), { name: 'l1' }))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('refuses modes, levels and policies it does not know', async () => {
    for (const unknown of [{ mode: 9 }, { acknowledgement: 9 }, { cleanupPolicy: 9 }]) {
      const request = { name: 'l2', settings: { ...settings, ...unknown } as unknown as typeof settings };
      expect(await failureOf(call(log().createLog, log(), request))).toMatchObject({ code: 'INVALID_REQUEST' });
    }
  });

  it('appends, reads by sequence and by time, and tails what comes after', async () => {
    await call(log().createLog, log(), { name: 'l3', settings: undefined });
    const append = {
      log: 'l3',
      records: [record('a'), record('b'), record('c')],
      acknowledgement: Acknowledgement.ACKNOWLEDGEMENT_LOCAL,
      producer: { producerId: 7n, epoch: 1n, sequence: 1n },
      expectedLastSequence: 0n,
    };
    expect(await call(log().append, log(), append)).toMatchObject({ firstSequence: 1n, lastSequence: 3n });
    expect(await failureOf(call(log().append, log(), append))).toMatchObject({
      code: 'CONFLICT',
      details: { lastSequence: 3 },
    });
    const read = { log: 'l3', origin: 0n, limit: 2, maxBytes: 0 };
    const bySequence = { ...read, start: { $case: 'fromSequence' as const, value: 2n } };
    const page = await call(log().read, log(), bySequence);
    expect(page).toMatchObject({ nextSequence: 4n, firstSequence: 1n, lastSequence: 3n });
    expect(page.entries[0]).toMatchObject({
      ...record('b'),
      sequence: 2n,
      producer: { producerId: 7n, epoch: 1n, sequence: 1n },
    });
    const byTime = { ...read, start: { $case: 'fromTimeMs' as const, value: 1_002n } };
    expect((await call(log().read, log(), byTime)).entries.map(({ sequence }) => sequence)).toEqual([3n]);
    const beyond = { ...read, start: { $case: 'fromSequence' as const, value: 9n } };
    expect(await failureOf(call(log().read, log(), beyond))).toMatchObject({
      grpc: status.OUT_OF_RANGE,
      code: 'OUT_OF_RANGE',
      details: { firstSequence: 1, lastSequence: 3 },
    });
    const tail = log().tail({ log: 'l3', origin: 0n, start: { $case: 'fromSequence', value: 3n } });
    // Leaving the loop cancels the call, which the stream tells as an error.
    tail.on('error', () => {});
    const seen: LogEntry[] = [];
    for await (const message of tail) {
      seen.push(...message.entries);
      if (seen.length === 1) {
        const more = { ...append, records: [record('d')], producer: undefined, expectedLastSequence: undefined };
        await call(log().append, log(), more);
      }
      if (seen.length === 2) break;
    }
    expect(seen.map(({ value }) => value.toString())).toEqual(['c', 'd']);
  });
});

describe('Cluster and Admin', () => {
  it('describe the node', async () => {
    const answer = await call(fixture.cluster.getStatus, fixture.cluster, {});
    expect(answer).toMatchObject({
      version: '1.2.3',
      clusterId: 'c1',
      state: ClusterState.CLUSTER_STATE_HEALTHY,
      uptimeMs: 60_000n,
      node: { nodeId: 1n, name: 'node-1', grpcAddress: '127.0.0.1:9090', state: 'up' },
      storage: { liveBytes: 100n, cacheHits: 30n },
      wal: { durability: 'always', lastSyncMs: 0.4 },
    });
    expect(answer.groups.map(({ groupId, slots }) => [groupId, slots])).toEqual([
      [0n, 0],
      [1n, 1024],
    ]);
    const { nodes } = await call(fixture.cluster.listNodes, fixture.cluster, {});
    expect(nodes).toHaveLength(1);
  });

  it('checkpoint, merge, give metrics and begin a shutdown', async () => {
    const { admin } = fixture;
    expect((await call(admin.checkpoint, admin, {})).groups).toEqual([{ groupId: 1n, durableAppliedIndex: 7n }]);
    expect(await call(admin.merge, admin, { force: true })).toMatchObject({ segmentsMerged: 2n, bytesAfter: 40n });
    expect((await call(admin.getChecksums, admin, {})).groups).toEqual([
      { groupId: 1n, appliedIndex: 7n, checksum: 'c0ffee', entries: 3n, logRecords: 2n },
    ]);
    const metrics = await call(admin.getMetrics, admin, {});
    expect(metrics.contentType).toContain('text/plain');
    expect(metrics.text).toContain('# TYPE shanghai_requests_total counter');
    await call(admin.shutdown, admin, { drainMs: 0n });
    await call(admin.shutdown, admin, { drainMs: 500n });
    expect(fixture.services.shutdowns).toEqual([10_000, 500]);
  });
});

it('Admin.GetDiagnostics tells of clock, disk, limits, checks and groups', async () => {
  const answer = await call(fixture.admin.getDiagnostics, fixture.admin, {});
  expect(answer).toMatchObject({
    nodeId: 1n,
    clusterId: 'c1',
    version: '1.2.3',
    runtimeVersion: 'v1.2.3',
    clockMs: 1_700_000_060_000,
    uptimeMs: 60_000n,
    walSync: { count: 3n, p50Ms: 1, p99Ms: 2 },
    fileSystem: { type: 'ext4', availableBytes: 500n },
    process: { openFiles: 30n, maxOpenFiles: 1024n },
    state: ClusterState.CLUSTER_STATE_HEALTHY,
    reasons: [],
  });
  expect(answer.checks.map(({ name, ok }) => [name, ok])).toContainEqual(['clock', true]);
  expect(answer.groups.map(({ groupId }) => groupId)).toEqual([0n, 1n]);
});

describe('health and reflection', () => {
  const raw = (value: Buffer) => value;

  it('answer the standard health service, which says whether the node is ready, and when it stops', async () => {
    const own = await openGrpcFixture();
    const client = new Client(own.address, credentials.createInsecure());
    const check = (service: string) =>
      new Promise<string>((resolve, reject) => {
        const request = Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
        client.makeUnaryRequest('/grpc.health.v1.Health/Check', raw, raw, request, (error, response) =>
          error === null ? resolve(['', 'serving', 'not serving'][response?.[1] ?? 0] ?? '') : reject(error),
        );
      });
    const services = ['', 'shanghai.v1.KeyValue', 'shanghai.v1.Log', 'shanghai.v1.Cluster', 'shanghai.v1.Admin'];
    const all = () => Promise.all(services.map(check));
    const yes = 'serving';
    const no = 'not serving';
    const look = () => {
      own.services.health.start();
      own.services.health.stop();
    };
    expect(await all()).toEqual([yes, yes, yes, yes, yes]);
    own.node.checks = [{ name: 'space', ok: false, detail: 'the disk is full' }];
    look();
    expect(await all()).toEqual([no, no, no, yes, yes]);
    own.node.checks = [{ name: 'space', ok: true, detail: 'there is space' }];
    look();
    expect(await all()).toEqual([yes, yes, yes, yes, yes]);
    own.api.markStopping();
    expect(await all()).toEqual([no, no, no, no, no]);
    client.close();
    await own.close();
  });

  it('list the services by reflection', async () => {
    const client = new Client(fixture.address, credentials.createInsecure());
    const stream = client.makeBidiStreamRequest('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', raw, raw);
    stream.write(Buffer.from([0x3a, 0x00]));
    const answer = await new Promise<Buffer>((resolve) => stream.once('data', resolve));
    // Closing the client under a stream that the server has not ended yet would fail the stream.
    const ended = new Promise((resolve) => stream.once('status', resolve));
    stream.end();
    await ended;
    for (const name of ['KeyValue', 'Log', 'Cluster', 'Admin'])
      expect(answer.toString()).toContain(`shanghai.v1.${name}`);
    expect(answer.toString()).toContain('grpc.health.v1.Health');
    client.close();
  });

  it('describe the health service without a map, which the library describes wrongly', () => {
    const described = healthDescription()['grpc.health.v1.HealthCheckResponse'];
    const [file] = (described as { fileDescriptorProtos: Buffer[] }).fileDescriptorProtos;
    expect(file?.toString('latin1')).toContain('HealthCheckRequest');
    expect(file?.toString('latin1')).not.toContain('HealthListResponse');
  });

  it('a port in use is told with its errno', async () => {
    const { openGrpcApi } = await import('../src/api/grpc/grpc-api.js');
    await expect(openGrpcApi(fixture.services, '127.0.0.1', fixture.api.port)).rejects.toThrow(/EADDRINUSE/);
  });
});

describe('a message of many tiny parts', () => {
  /** A field of no bytes, over and over. */
  const parts = (field: number, bytes: number) => Buffer.alloc(bytes, Buffer.from([(field << 3) | 2, 0]));

  it.each([
    ['Batch', 3],
    ['Batch', 9],
    ['Transact', 2],
    ['Put', 9],
  ])('is refused before it is decoded: %s, field %i', async (method, field) => {
    const client = new Client(fixture.address, credentials.createInsecure());
    const asIs = (bytes: Buffer) => bytes;
    const refused = new Promise<ServiceError | null>((resolve) => {
      client.makeUnaryRequest(`/shanghai.v1.KeyValue/${method}`, asIs, asIs, parts(field, 8_000_000), resolve);
    });
    expect(await refused).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringMatching(/more than \d+ fields/),
    });
    client.close();
  });

  it('ends a pipeline of them, with a reason', async () => {
    const pipeline = fixture.keyValue.pipeline();
    const ended = new Promise<ServiceError>((resolve) => pipeline.on('error', resolve));
    const empty = { id: 0n, request: undefined };
    pipeline.write({
      id: 1n,
      request: { $case: 'group', value: { requests: Array.from({ length: 200_000 }, () => empty) } },
    });
    expect(await ended).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: expect.stringContaining('holds no request'),
    });
  });
});
