import { once } from 'node:events';
import { createConnection } from 'node:net';
import { errorTable } from '@shanghai/proto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ServerError } from '../src/requests/server-error.js';
import { type HttpFixture, type HttpInput, openHttpFixture } from './http-fixture.js';

let fixture: HttpFixture;
beforeAll(async () => {
  fixture = await openHttpFixture({ maxRequestBytes: 200_000 });
});
afterAll(() => fixture.close());
beforeEach(() => fixture.node.data.clear());

const send = (method: string, path: string, input?: HttpInput) => fixture.send(method, path, input);
const put = (path: string, body: unknown, headers: Record<string, string> = {}) => send('PUT', path, { body, headers });
const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

/** The error of an envelope, after checking the envelope itself. */
async function errorOf(answer: Promise<{ code: number; json: unknown; headers: object }>) {
  const { code, json, headers } = await answer;
  expect(json).toEqual({
    status: 'error',
    error: { code: expect.any(String), message: expect.any(String), details: expect.any(Object) },
    timestamp,
  });
  expect(headers).toHaveProperty('x-correlation-id');
  const { error } = json as { error: { code: string; message: string; details: object } };
  expect(error.message).not.toBe('');
  return { http: code, ...error };
}

describe('one key', () => {
  it('is written, read and deleted in envelopes with its offset', async () => {
    const written = await put('/kv/my_key', { value: 'my_value' });
    expect([written.code, written.json]).toEqual([
      200,
      {
        status: 'success',
        data: { key: 'my_key', value: 'my_value', offset: expect.any(Number), message: 'stored' },
        timestamp,
      },
    ]);
    const { offset } = written.json['data'] as unknown as { offset: number };
    const read = await send('GET', '/kv/my_key');
    expect([read.code, read.json]).toEqual([
      200,
      { status: 'success', data: { key: 'my_key', value: 'my_value', offset }, timestamp },
    ]);
    expect(read.headers['content-type']).toMatch(/^application\/json/);
    const deleted = await send('DELETE', '/kv/my_key');
    expect([deleted.code, deleted.json]).toEqual([
      200,
      { status: 'success', data: { key: 'my_key', offset: offset + 1, deleted: true }, timestamp },
    ]);
  });

  it('that is missing is 404 NOT_FOUND, for reading and for deleting', async () => {
    for (const method of ['GET', 'DELETE']) {
      const error = await errorOf(send(method, '/kv/nowhere'));
      expect(error).toMatchObject({ http: 404, code: 'NOT_FOUND', details: { key: 'nowhere' } });
    }
  });

  it.each([
    ['a slash and a blank', '/kv/a%2Fb%20c', 'a/b c'],
    ['the reserved name range', '/kv?key=range', 'range'],
    ['a plus sign in a query, which is a blank', '/kv?key=a+b', 'a b'],
    ['an ampersand', '/kv?key=a%26b', 'a&b'],
    ['not ASCII', '/kv/%E4%B8%8A%E6%B5%B7', '上海'],
    ['a colon and a query mark', '/kv/a:b%3Fc', 'a:b?c'],
    ['20,000 characters', `/kv/${'k'.repeat(20_000)}`, 'k'.repeat(20_000)],
  ])('may hold %s', async (_, path, key) => {
    expect((await put(path, { value: 'v' })).code).toBe(200);
    expect([...fixture.node.data.values()].map((pair) => pair.key.toString())).toEqual([key]);
    const read = await send('GET', path);
    expect(read.json['data']).toMatchObject({ key, value: 'v' });
    expect((await send('DELETE', path)).code).toBe(200);
  });

  it('that is not UTF-8 travels as base64, and so does a value', async () => {
    const key = Buffer.from([0xff, 0x00]);
    const path = `/kv?key=${encodeURIComponent(key.toString('base64'))}&key_encoding=base64`;
    const value = Buffer.from([0xc3, 0x28]).toString('base64');
    const written = await put(path, { value, encoding: 'base64' });
    expect(written.json['data']).toMatchObject({ key: '/wA=', key_encoding: 'base64', value, encoding: 'base64' });
    expect([...fixture.node.data.values()][0]).toMatchObject({ key, value: Buffer.from([0xc3, 0x28]) });
    expect((await send('GET', path)).json['data']).toMatchObject({ value, encoding: 'base64', key_encoding: 'base64' });
  });

  it('a value sent as base64 that is UTF-8 comes back as text', async () => {
    await put('/kv/t', { value: Buffer.from('plain').toString('base64'), encoding: 'base64' });
    const { data } = (await send('GET', '/kv/t')).json;
    expect(data).toMatchObject({ value: 'plain' });
    expect(data).not.toHaveProperty('encoding');
  });

  it('takes a time to live and shows when it ends', async () => {
    await put('/kv/t', { value: 'v', ttl_ms: 5_000 });
    expect((await send('GET', '/kv/t')).json['data']).toMatchObject({ expires_at_ms: 5_000 });
  });

  it('may be empty text', async () => {
    await put('/kv/t', { value: '' });
    expect((await send('GET', '/kv/t')).json['data']).toMatchObject({ value: '' });
  });

  it.each([
    ['no body', undefined, "field 'value'"],
    ['malformed JSON', '{"value":', 'not JSON'],
    ['a body that is no object', '"x"', 'the body'],
    ['null', 'null', 'the body'],
    ['a missing value', {}, "field 'value'"],
    ['a value that is no text', { value: 5 }, "field 'value'"],
    ['an unknown field', { value: 'v', valeu: 'v' }, 'valeu'],
    ['an unknown encoding', { value: 'v', encoding: 'hex' }, "field 'encoding'"],
    ['bad base64', { value: '***', encoding: 'base64' }, 'not base64'],
    ['base64 of impossible length', { value: 'AAAAA', encoding: 'base64' }, 'not base64'],
    ['a negative time to live', { value: 'v', ttl_ms: -1 }, "field 'ttl_ms'"],
    ['a fractional time to live', { value: 'v', ttl_ms: 1.5 }, "field 'ttl_ms'"],
    ['a lone surrogate', '{"value":"\\ud800"}', 'lone surrogate'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'not valid UTF-8'],
    ['a __proto__ field', '{"value":"v","__proto__":{"x":1}}', '__proto__'],
  ])('PUT with %s is 400 INVALID_REQUEST and stores nothing', async (_, body, says) => {
    const headers = { 'content-type': 'application/json' };
    const error = await errorOf(send('PUT', '/kv/k', body === undefined ? { headers } : { body, headers }));
    expect(error).toMatchObject({ http: 400, code: 'INVALID_REQUEST' });
    expect(error.message).toContain(says);
    expect(fixture.node.data.size).toBe(0);
  });

  it.each([
    ['no content type', {}],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['plain text', { 'content-type': 'text/plain' }],
    ['a type that only begins like JSON', { 'content-type': 'application/jsonx' }],
  ])('PUT with %s is INVALID_REQUEST', async (_, headers) => {
    const raw = Buffer.from('{"value":"v"}');
    const type = (headers as Record<string, string>)['content-type'] ?? '';
    const error = await errorOf(send('PUT', '/kv/k', { body: raw, headers: { 'content-type': type } }));
    expect(error).toMatchObject({ http: 400, code: 'INVALID_REQUEST' });
    expect(error.message).toContain('application/json');
  });

  it('JSON with a charset is taken', async () => {
    const headers = { 'content-type': 'application/json; charset=utf-8' };
    expect((await put('/kv/k', { value: 'v' }, headers)).code).toBe(200);
  });

  it('a body above the limit is INVALID_REQUEST with the limit', async () => {
    const error = await errorOf(put('/kv/k', { value: 'x'.repeat(200_001) }));
    expect(error).toMatchObject({ http: 400, code: 'INVALID_REQUEST', details: { maxRequestBytes: 200_000 } });
  });

  it.each([
    ['/kv', 'INVALID_PARAMETERS'],
    ['/kv/a?key=b', 'INVALID_PARAMETERS'],
    ['/kv/a?frobnicate=1', 'INVALID_PARAMETERS'],
    ['/kv?key=a&key=b', 'INVALID_PARAMETERS'],
    ['/kv/a?level=fresh', 'INVALID_PARAMETERS'],
    ['/kv/a?key_encoding=hex', 'INVALID_PARAMETERS'],
    ['/kv?key=%FF', 'INVALID_REQUEST'],
    ['/kv?key=%ED%A0%80', 'INVALID_REQUEST'],
    ['/kv?key=***&key_encoding=base64', 'INVALID_REQUEST'],
    ['/kv/%FF', 'INVALID_REQUEST'],
    ['/kv/%E4%B8', 'INVALID_REQUEST'],
    ['/kv/%', 'INVALID_REQUEST'],
  ])('GET %s is 400 %s', async (path, code) => {
    expect(await errorOf(send('GET', path))).toMatchObject({ http: 400, code });
  });

  it('an empty key is refused by the limits behind the API', async () => {
    expect(await errorOf(put('/kv?key=', { value: 'v' }))).toMatchObject({ http: 400, code: 'INVALID_REQUEST' });
  });
});

describe('sessions, keyspaces and levels', () => {
  it('a session is opened, and a write names it and its number', async () => {
    const opened = await send('POST', '/sessions', { body: {} });
    expect([opened.code, opened.json['data']]).toEqual([201, { session_id: 1, ttl_ms: 3_600_000 }]);
    const headers = { 'idempotency-key': '1/7', 'idempotency-retry': 'true' };
    await put('/kv/k?keyspace=orders', { value: 'v' }, headers);
    expect(fixture.node.seen.write).toEqual({
      keyspace: 'orders',
      session: { sessionId: 1, requestNumber: 7, retry: true },
    });
  });

  it('a session with its own time to live, and with an empty body', async () => {
    expect((await send('POST', '/sessions', { body: { ttl_ms: 60_000 } })).json['data']).toMatchObject({
      ttl_ms: 60_000,
    });
    const empty = await send('POST', '/sessions', { headers: { 'content-type': 'application/json' } });
    expect(empty.code).toBe(201);
    expect(await errorOf(send('POST', '/sessions', { body: { ttl: 1 } }))).toMatchObject({ code: 'INVALID_REQUEST' });
  });

  it.each(['abc', '1', '1/', '0/1', '1/0', '-1/1', '1/1/1', '99999999999999999/1'])(
    'the Idempotency-Key %s is INVALID_REQUEST',
    async (key) => {
      const error = await errorOf(put('/kv/k', { value: 'v' }, { 'idempotency-key': key }));
      expect(error).toMatchObject({ http: 400, code: 'INVALID_REQUEST' });
    },
  );

  it('a retry mark needs a key and is true or false', async () => {
    for (const headers of [{ 'idempotency-retry': 'true' }, { 'idempotency-key': '1/1', 'idempotency-retry': 'yes' }]) {
      expect(await errorOf(put('/kv/k', { value: 'v' }, headers))).toMatchObject({ code: 'INVALID_REQUEST' });
    }
  });

  it('a read of level session hands over the token that a write gave', async () => {
    const token = (await put('/kv/k', { value: 'v' })).headers['x-session-token'];
    expect(token).toBe(Buffer.from('token').toString('base64url'));
    await send('GET', '/kv/k?level=session&keyspace=ks', { headers: { 'x-session-token': String(token) } });
    expect(fixture.node.seen.read).toEqual({ keyspace: 'ks', level: 'session', token: Buffer.from('token') });
  });
});

describe('GET /kv/range', () => {
  const fill = async () => {
    for (const key of ['a1', 'a2', 'a3', 'b1', 'b2']) await put(`/kv/${key}`, { value: key.toUpperCase() });
  };
  const keysOf = (answer: { json: unknown }) =>
    (answer.json as { data: { pairs: { key: string }[] } }).data.pairs.map(({ key }) => key);

  it('includes both ends, counts, and gives key, value and offset', async () => {
    await fill();
    const { code, json } = await send('GET', '/kv/range?start=a2&end=b1');
    expect([code, json]).toEqual([
      200,
      {
        status: 'success',
        data: {
          start_key: 'a2',
          end_key: 'b1',
          count: 3,
          pairs: [
            { key: 'a2', value: 'A2', offset: expect.any(Number) },
            { key: 'a3', value: 'A3', offset: expect.any(Number) },
            { key: 'b1', value: 'B1', offset: expect.any(Number) },
          ],
        },
        timestamp,
      },
    ]);
  });

  it('takes prefix, reverse, keys_only and limit, and goes on by next', async () => {
    await fill();
    const first = await send('GET', '/kv/range?prefix=a&reverse=true&keys_only=true&limit=2');
    expect(keysOf(first)).toEqual(['a3', 'a2']);
    const { data } = first.json as unknown as { data: { pairs: object[]; next: string } };
    expect(data.pairs[0]).not.toHaveProperty('value');
    const rest = await send('GET', `/kv/range?prefix=a&reverse=true&keys_only=true&limit=2&next=${data.next}`);
    expect(keysOf(rest)).toEqual(['a1']);
    expect(rest.json['data']).not.toHaveProperty('next');
  });

  it('reads all keys with an empty prefix, one key where start is end, and none where nothing lies between', async () => {
    await fill();
    expect(keysOf(await send('GET', '/kv/range?prefix='))).toHaveLength(5);
    expect(keysOf(await send('GET', '/kv/range?start=a2&end=a2'))).toEqual(['a2']);
    const none = await send('GET', '/kv/range?start=x&end=z');
    expect(none.json['data']).toEqual({ start_key: 'x', end_key: 'z', count: 0, pairs: [] });
    expect(keysOf(await send('GET', '/kv/range?start=b'))).toEqual(['b1', 'b2']);
  });

  it('shows what is not UTF-8 as base64', async () => {
    fixture.node.data.set('x', { key: Buffer.from([0xfe]), value: Buffer.from([0xff]), revision: 3, expiresAtMs: 9 });
    expect((await send('GET', '/kv/range?prefix=')).json['data']).toMatchObject({
      pairs: [{ key: '/g==', key_encoding: 'base64', value: '/w==', encoding: 'base64', offset: 3, expires_at_ms: 9 }],
    });
  });

  it('asks for 1,000 pairs by default', async () => {
    await send('GET', '/kv/range?start=a');
    expect(fixture.node.seen.range).toMatchObject({ limit: 1_000, reverse: false, keysOnly: false });
  });

  it('ends early with next when the answer is large, and reads no further', async () => {
    fixture.node.endless = { pageBytes: 1.5 * 1024 * 1024, pages: 0 };
    const { code, json } = await send('GET', '/kv/range?prefix=');
    expect([code, (json['data'] as unknown as { count: number }).count]).toEqual([200, 3]);
    expect(fixture.node.endless.pages).toBe(3);
    fixture.node.endless = undefined;
  });

  it.each([
    '',
    'limit=5',
    'prefix=&limit=0',
    'prefix=&limit=-1',
    'prefix=&limit=10001',
    'prefix=&limit=ten',
    'prefix=&limit=1.5',
    'prefix=&limit=',
    'prefix=&reverse=yes',
    'prefix=&keys_only=1',
    'prefix=&colour=red',
    'prefix=&next=%21',
    'prefix=a&prefix=b',
    'start=b&end=a',
  ])('refuses ?%s with INVALID_PARAMETERS', async (query) => {
    expect(await errorOf(send('GET', `/kv/range?${query}`))).toMatchObject({ http: 400, code: 'INVALID_PARAMETERS' });
  });

  it('refuses bytes that are not UTF-8 with INVALID_REQUEST', async () => {
    expect(await errorOf(send('GET', '/kv/range?start=%FF'))).toMatchObject({ http: 400, code: 'INVALID_REQUEST' });
  });
});

describe('POST /kv/batch', () => {
  it('answers counts and each operation', async () => {
    const operations = [
      { type: 'put', key: 'k1', value: 'v1' },
      { type: 'append', key: 'k1', value: '!' },
      { type: 'delete', key: 'k2' },
      { type: 'put', key: '/w==', key_encoding: 'base64', value: '/w==', encoding: 'base64', ttl_ms: 5 },
    ];
    const { code, json } = await send('POST', '/kv/batch', { body: { operations } });
    const offset = expect.any(Number);
    expect([code, json]).toEqual([
      200,
      {
        status: 'success',
        data: {
          total_operations: 4,
          successful: 4,
          failed: 0,
          results: [
            { type: 'put', key: 'k1', status: 'success', offset },
            { type: 'append', key: 'k1', status: 'success', offset, value_bytes: 3 },
            { type: 'delete', key: 'k2', status: 'success', offset, deleted: false },
            { type: 'put', key: '/w==', key_encoding: 'base64', status: 'success', offset },
          ],
        },
        timestamp,
      },
    ]);
  });

  it.each([
    ['some', [{ type: 'put', key: 'k', value: 'v' }], 1],
    ['all', [], 0],
  ])('is 207 partial_success where %s fail', async (_, others, successful) => {
    const own = await openHttpFixture();
    const operations = [...others, { type: 'put', key: 'big', value: 'x'.repeat(1_000_001) }];
    const { code, json } = await own.send('POST', '/kv/batch', { body: { operations } });
    expect([code, json['status']]).toEqual([207, 'partial_success']);
    const { data } = json as unknown as { data: { successful: number; failed: number; results: object[] } };
    expect([data.successful, data.failed]).toEqual([successful, 1]);
    expect(data.results.at(-1)).toEqual({
      type: 'put',
      key: 'big',
      status: 'error',
      error: { code: 'INVALID_REQUEST', message: 'the value is too large' },
    });
    await own.close();
  });

  it('an atomic one fails as one', async () => {
    fixture.node.failNext(new ServerError('INVALID_REQUEST', 'the keys lie in two groups'));
    const body = { atomic: true, operations: [{ type: 'put', key: 'k', value: 'v' }] };
    expect(await errorOf(send('POST', '/kv/batch', { body }))).toMatchObject({
      http: 400,
      code: 'INVALID_REQUEST',
      message: 'the keys lie in two groups',
    });
  });

  it.each([
    [{ operations: [] }, "field 'operations': must hold at least one operation"],
    [
      { operations: [{ type: 'delete', key: 'k' }], atomc: true },
      "the body: unknown field 'atomc'; allowed: operations, atomic",
    ],
    [
      { operations: [{ type: 'delete', key: 'k', value: 'v' }] },
      "field 'operations.0': unknown field 'value'; allowed: type, key, key_encoding",
    ],
  ])('%j says what is wrong with it', async (body, message) => {
    expect(await errorOf(send('POST', '/kv/batch', { body }))).toMatchObject({ code: 'INVALID_REQUEST', message });
  });

  it.each([
    ['no operations', {}],
    ['an empty list', { operations: [] }],
    ['a list that is none', { operations: 'x' }],
    ['an unknown type', { operations: [{ type: 'get', key: 'k' }] }],
    ['a put without value', { operations: [{ type: 'put', key: 'k' }] }],
    ['a delete with a value', { operations: [{ type: 'delete', key: 'k', value: 'v' }] }],
    ['an operation without key', { operations: [{ type: 'delete' }] }],
    ['an unknown field', { operations: [{ type: 'delete', key: 'k' }], atomc: true }],
    ['an atomic that is no boolean', { operations: [{ type: 'delete', key: 'k' }], atomic: 'yes' }],
    ['a lone surrogate in a key', '{"operations":[{"type":"delete","key":"\\udfff"}]}'],
  ])('with %s is INVALID_REQUEST', async (_, body) => {
    expect(await errorOf(send('POST', '/kv/batch', { body }))).toMatchObject({ http: 400, code: 'INVALID_REQUEST' });
  });

  it('names the field of a nested problem', async () => {
    const body = {
      operations: [
        { type: 'delete', key: 'k' },
        { type: 'put', key: 'k', value: 7 },
      ],
    };
    const error = await errorOf(send('POST', '/kv/batch', { body }));
    expect(error.message).toContain('operations.1.value');
  });
});

describe('status and probes', () => {
  it('GET /status has uptime, version, node, storage, cache, cluster and performance', async () => {
    const { code, json } = await send('GET', '/status');
    expect([code, json]).toMatchObject([
      200,
      {
        status: 'success',
        data: {
          version: '1.2.3',
          node_id: 1,
          uptime_ms: 60_000,
          storage: { segments: 1, keys: 0, bytes: 125, stale_ratio: 0.2 },
          cache: { entries: 4, hit_rate: 0.75 },
          cluster: { state: 'healthy', leader: 1, term: 3, commit_index: 9 },
          performance: { operations_per_second: expect.any(Number), latency_ms: { p99: expect.any(Number) } },
        },
      },
    ]);
  });

  it('GET /health and /readyz name their checks, and are 503 when one fails', async () => {
    expect(await send('GET', '/health')).toMatchObject({
      code: 200,
      json: { status: 'success', data: { status: 'healthy', checks: [{ name: 'log' }, { name: 'groups' }, {}, {}] } },
    });
    expect(await send('GET', '/readyz')).toMatchObject({ code: 200, json: { status: 'ready' } });
    const checks = fixture.node.checks;
    fixture.node.checks = [{ name: 'log', ok: false, detail: 'poisoned' }];
    const since = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const failed = { name: 'log', ok: false, detail: 'poisoned', since };
    expect(await errorOf(send('GET', '/health'))).toMatchObject({
      http: 503,
      code: 'SERVICE_UNAVAILABLE',
      message: 'not healthy: log (poisoned)',
      details: { checks: [failed, { name: 'peers', ok: true }, { name: 'clock', ok: true }] },
    });
    expect(await send('GET', '/readyz')).toMatchObject({
      code: 503,
      json: { status: 'not_ready', checks: [failed, {}, {}] },
    });
    expect(await send('GET', '/livez')).toMatchObject({ code: 200, json: { status: 'alive' } });
    fixture.node.checks = checks;
  });

  it('GET /readyz gives lines when asked, leaves checks out, and answers for one alone', async () => {
    const checks = fixture.node.checks;
    fixture.node.checks = [
      { name: 'log', ok: true, detail: 'open' },
      { name: 'space', ok: false, detail: 'the disk is full' },
    ];
    const { code, text, headers } = await send('GET', '/readyz?verbose');
    expect([code, headers['content-type']]).toEqual([503, 'text/plain; charset=utf-8']);
    expect(text.split('\n').map((line) => line.replace(/, since .*Z$/, ''))).toEqual([
      '[+]log ok: open',
      '[-]space failed: the disk is full',
      '[+]peers ok: there are no others',
      '[+]clock ok: as the others',
      'readyz check failed',
      '',
    ]);
    expect((await send('GET', '/readyz?exclude=space')).code).toBe(200);
    expect((await send('GET', '/readyz/log')).code).toBe(200);
    expect(await send('GET', '/readyz/space')).toMatchObject({ code: 503, json: { detail: 'the disk is full' } });
    expect(await errorOf(send('GET', '/readyz/nothing'))).toMatchObject({ http: 404, code: 'NOT_FOUND' });
    expect(await errorOf(send('GET', '/readyz?exclude=log,nothing'))).toMatchObject({ code: 'INVALID_PARAMETERS' });
    fixture.node.checks = checks;
  });

  it('GET /api/v1/groups and /api/v1/replicas show what is known of every copy', async () => {
    expect(await send('GET', '/api/v1/groups')).toMatchObject({
      json: { data: { groups: [{ id: 0 }, { id: 1, state: 'ok', leader: 1, term: 3, commit_index: 9 }] } },
    });
    expect(await send('GET', '/api/v1/replicas')).toMatchObject({
      json: { data: { replicas: [{}, { group_id: 1, node_id: 1, role: 'leader', lag_entries: 0, progress: null }] } },
    });
    expect(await send('GET', '/api/v1/replicas?origin=2')).toMatchObject({ json: { data: { replicas: [] } } });
    expect(await errorOf(send('GET', '/api/v1/replicas?origin=0'))).toMatchObject({ code: 'INVALID_PARAMETERS' });
  });

  it('GET /metrics is Prometheus text with requests by route, never by key', async () => {
    await send('GET', '/kv/some-secret-key');
    const { code, headers, text } = await send('GET', '/metrics');
    expect([code, headers['content-type']]).toEqual([200, expect.stringContaining('text/plain; version=0.0.4')]);
    expect(text).toMatch(/shanghai_requests_total\{api="http",method="GET \/kv\/:key",code="NOT_FOUND"\} [1-9]/);
    expect(text).not.toContain('some-secret-key');
  });

  it('GET /openapi.json describes every route', async () => {
    const { json } = await send('GET', '/openapi.json');
    expect(Object.keys(json['paths'] ?? {}).sort()).toEqual([
      '/api/v1/conflicts',
      '/api/v1/events',
      '/api/v1/groups',
      '/api/v1/held',
      '/api/v1/held/verdict',
      '/api/v1/keyspaces',
      '/api/v1/members',
      '/api/v1/metrics',
      '/api/v1/nodes',
      '/api/v1/nodes/{id}',
      '/api/v1/nodes/{id}/replace',
      '/api/v1/replicas',
      '/api/v1/replication',
      '/api/v1/replication/pause',
      '/api/v1/replication/resume',
      '/api/v1/shutdown',
      '/api/v1/status',
      '/health',
      '/kv',
      '/kv/batch',
      '/kv/range',
      '/kv/{key}',
      '/livez',
      '/logs',
      '/logs/{log}',
      '/logs/{log}/entries',
      '/logs/{log}/tail',
      '/metrics',
      '/readyz',
      '/readyz/{check}',
      '/sessions',
      '/status',
    ]);
    expect(json['paths']?.['/kv/{key}']).toMatchObject({
      put: { requestBody: { content: { 'application/json': { schema: { required: ['value'] } } } } },
    });
  });
});

describe('/api/v1', () => {
  it('shows status, nodes and metrics', async () => {
    expect((await send('GET', '/api/v1/status')).json['data']).toMatchObject({
      cluster_state: 'healthy',
      node_count: 1,
      local_node_id: 1,
      groups: [
        { id: 0, role: 'leader' },
        { id: 1, durable_applied_index: 7, slots: 1024 },
      ],
      wal: { durable_lsn: 20, durability: 'always' },
    });
    expect((await send('GET', '/api/v1/nodes')).json['data']).toEqual({
      nodes: [
        {
          id: 1,
          name: 'node-1',
          instance_id: 'i1',
          status: 'up',
          membership: 'member',
          http_address: '127.0.0.1:8080',
          grpc_address: '127.0.0.1:9090',
          peer_address: '',
          version: '',
          lowest_cluster_version: 0,
          highest_cluster_version: 0,
        },
      ],
      replication_factor: null,
      removed_node_ids: [],
    });
    const { data } = (await send('GET', '/api/v1/metrics')).json as unknown as {
      data: { metrics: { name: string }[] };
    };
    expect(data.metrics.map(({ name }) => name)).toContain('shanghai_requests_total');
  });

  it('begins a shutdown with 202', async () => {
    expect(await send('POST', '/api/v1/shutdown', { body: {} })).toMatchObject({ code: 202 });
    await send('POST', '/api/v1/shutdown', { body: { drain_ms: 5 } });
    await send('POST', '/api/v1/shutdown', { body: { force: true } });
    expect(fixture.services.shutdowns).toEqual([10_000, 5, 0]);
    for (const body of [{ drain_ms: -1 }, { now: true }]) {
      expect(await errorOf(send('POST', '/api/v1/shutdown', { body }))).toMatchObject({ code: 'INVALID_REQUEST' });
    }
    expect(await errorOf(send('POST', '/api/v1/shutdown'))).toMatchObject({ code: 'INVALID_REQUEST' });
    expect(fixture.services.shutdowns).toHaveLength(3);
  });
});

describe('errors', () => {
  it.each(Object.keys(errorTable).filter((code) => code !== 'INTERNAL_ERROR') as (keyof typeof errorTable)[])(
    '%s has its HTTP status and its details',
    async (code) => {
      fixture.node.failNext(new ServerError(code, 'so it was', { details: { leader: 'n2:8080' } }));
      const answer = await send('GET', '/kv/k');
      expect(answer.headers['x-shanghai-leader']).toBe('n2:8080');
      expect(await errorOf(Promise.resolve(answer))).toEqual({
        http: errorTable[code].http,
        code,
        message: 'so it was',
        details: { leader: 'n2:8080' },
      });
    },
  );

  it('a defect tells the caller a correlation id and the log everything', async () => {
    fixture.node.failNext(new TypeError('secret of /etc'));
    const error = await errorOf(send('GET', '/kv/k', { headers: { 'x-correlation-id': 'mine' } }));
    expect(error).toMatchObject({ http: 500, code: 'INTERNAL_ERROR', details: {} });
    expect(error.message).toContain('mine');
    expect(error.message).not.toContain('secret');
    const logged = fixture.services.lines.map((line) => JSON.parse(line)).filter(({ level }) => level === 'error');
    expect(logged.at(-1)).toMatchObject({ correlationId: 'mine', err: { message: 'secret of /etc' } });
  });

  it.each([
    ['GET', '/nowhere'],
    ['GET', '/kv/a/b'],
    ['POST', '/'],
    ['GET', '/api/v2/status'],
  ])('%s %s is no route: 404 NOT_FOUND', async (method, path) => {
    expect(await errorOf(send(method, path))).toMatchObject({ http: 404, code: 'NOT_FOUND' });
  });

  it.each([
    ['DELETE', '/kv/range', 'GET'],
    ['GET', '/kv/batch', 'POST'],
    ['PATCH', '/kv/k', 'GET, PUT, DELETE'],
    ['DELETE', '/status', 'GET'],
    ['GET', '/sessions', 'POST'],
    ['GET', '/api/v1/shutdown', 'POST'],
  ])('%s %s is 405 METHOD_NOT_ALLOWED, allowed is %s', async (method, path, allowed) => {
    const answer = await send(method, path);
    expect(await errorOf(Promise.resolve(answer))).toMatchObject({ http: 405, code: 'METHOD_NOT_ALLOWED' });
    expect(answer.headers.allow).toBe(allowed);
  });

  it('what is not HTTP, and headers that are too large, are answered and closed', async () => {
    const raw = (text: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = createConnection(fixture.api.port, '127.0.0.1', () => socket.write(text));
        let answer = '';
        socket.on('data', (chunk) => {
          answer += chunk.toString();
        });
        socket.on('error', reject);
        socket.on('close', () => resolve(answer));
      });
    expect(await raw('nonsense\r\n\r\n')).toMatch(/^HTTP\/1.1 400 [\s\S]*"code":"INVALID_REQUEST"/);
    expect(await raw(`GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(300_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 431 /,
    );
  });

  it('a caller that goes aborts its request', async () => {
    const release = fixture.node.hold();
    const socket = createConnection(fixture.api.port, '127.0.0.1', () =>
      socket.write('GET /kv/k HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    );
    while (fixture.node.held === 0) await new Promise((resolve) => setImmediate(resolve));
    const { signal } = fixture.node.seen.context ?? {};
    const isAborted = new Promise((resolve) => signal?.addEventListener('abort', resolve));
    socket.destroy();
    await isAborted;
    expect(signal?.reason).toMatchObject({ code: 'CANCELLED' });
    release();
  });
});

describe('browsers', () => {
  it.each(['/kv/k', '/kv?key=k', '/kv/range?prefix=', '/status', '/health'])(
    'pages of every origin may read %s, and its errors',
    async (path) => {
      expect((await send('GET', path)).headers['access-control-allow-origin']).toBe('*');
    },
  );

  it.each(['/metrics', '/readyz', '/livez', '/api/v1/status', '/api/v1/nodes', '/openapi.json', '/nowhere'])(
    'but not %s',
    async (path) => {
      expect((await send('GET', path)).headers).not.toHaveProperty('access-control-allow-origin');
      const preflight = await send('OPTIONS', path, {
        headers: { origin: 'http://x', 'access-control-request-method': 'GET' },
      });
      expect(preflight.headers).not.toHaveProperty('access-control-allow-origin');
    },
  );

  it('a preflight names the methods and headers of the route', async () => {
    const { code, headers } = await send('OPTIONS', '/kv/k', { headers: { origin: 'http://x' } });
    expect([code, headers['access-control-allow-methods']]).toEqual([204, 'GET, PUT, DELETE']);
    expect(headers['access-control-allow-headers']).toContain('Idempotency-Key');
    expect((await send('OPTIONS', '/sessions')).headers).not.toHaveProperty('access-control-allow-origin');
  });

  it.each(['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example:80', '10.0.0.1', '127.0.0.1@evil'])(
    'a loopback listener refuses the Host %s',
    async (host) => {
      const error = await errorOf(send('GET', '/status', { headers: { host } }));
      expect(error).toMatchObject({ http: 403, code: 'PERMISSION_DENIED' });
    },
  );

  it.each(['localhost', 'LOCALHOST:8080', '127.0.0.1:1', '127.9.9.9', '[::1]:8080'])(
    'and takes the Host %s',
    async (host) => {
      expect((await send('GET', '/status', { headers: { host } })).code).toBe(200);
    },
  );

  it('a listener on all addresses takes every Host', async () => {
    const open = await openHttpFixture({}, '0.0.0.0');
    expect((await open.send('GET', '/status', { headers: { host: 'shanghai.example' } })).code).toBe(200);
    await open.close();
  });
});

describe('correlation', () => {
  it('an id of the caller comes back and reaches the request; else the server makes one', async () => {
    const named = await send('GET', '/kv/k', { headers: { 'X-Correlation-ID': 'abc-1' } });
    expect(named.headers['x-correlation-id']).toBe('abc-1');
    expect(fixture.node.seen.context?.correlationId).toBe('abc-1');
    expect((await send('GET', '/kv/k')).headers['x-correlation-id']).toMatch(/^id-\d+$/);
    const long = await send('GET', '/kv/k', { headers: { 'X-Correlation-ID': 'x'.repeat(129) } });
    expect(long.headers['x-correlation-id']).toMatch(/^id-\d+$/);
  });

  it('a traceparent gives its trace id and is continued', async () => {
    const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
    const { headers } = await send('GET', '/kv/k', { headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } });
    expect(headers['x-correlation-id']).toBe(traceId);
    expect(headers['traceparent']).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    const bad = await send('GET', '/kv/k', { headers: { traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` } });
    expect(bad.headers).not.toHaveProperty('traceparent');
  });
});

describe('closing', () => {
  it('lets a request in flight end, and takes no new one', async () => {
    const own = await openHttpFixture();
    const release = own.node.hold();
    const inFlight = own.send('GET', '/kv/k');
    while (own.node.held === 0) await new Promise((resolve) => setImmediate(resolve));
    const closed = own.api.close(60_000);
    // The listener ends behind the input of a turn, so that what waited for it is not reset.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    await expect(own.send('GET', '/status')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    release();
    expect((await inFlight).code).toBe(404);
    await closed;
  });

  it('answers what is asked on a connection that was made before, and ends it', async () => {
    const own = await openHttpFixture();
    const socket = createConnection(own.api.port, '127.0.0.1');
    await once(socket, 'connect');
    own.api.markStopping();
    const closed = own.api.close(60_000);
    socket.write('GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toMatch(/^HTTP\/1.1 200 [\s\S]*\r\nconnection: close\r\n/i);
    await closed;
  });

  it('a port in use is told with its errno', async () => {
    const { openHttpApi } = await import('../src/api/http/http-api.js');
    const taken = openHttpApi(fixture.services, '127.0.0.1', fixture.api.port);
    await expect(taken).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
