import { request as httpRequest } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type HttpFixture, type HttpInput, type HttpResult, openHttpFixture } from './http-fixture.js';

let fixture: HttpFixture;
beforeEach(async () => {
  fixture = await openHttpFixture();
});
afterEach(() => fixture.close());

const send = (method: string, path: string, input?: HttpInput) => fixture.send(method, path, input);
const create = (name = 'events', more = {}) => send('POST', '/logs', { body: { name, ...more } });
const append = (records: unknown[], more = {}) => send('POST', '/logs/events/entries', { body: { records, ...more } });
const errorOf = ({ code, json }: HttpResult) => [code, json['error']?.['code']];

/** Lines of a tail, until so many came or it ended. */
async function linesOf(path: string, count: number, whileOpen?: () => Promise<unknown>): Promise<unknown[]> {
  const sent = httpRequest({ host: '127.0.0.1', port: fixture.api.port, path, agent: false });
  sent.end();
  const response = await new Promise<NodeJS.ReadableStream & { headers: Record<string, unknown> }>(
    (resolve, reject) => void sent.on('response', resolve as never).on('error', reject),
  );
  response.on('error', () => undefined);
  expect(response.headers['content-type']).toBe('application/x-ndjson');
  await whileOpen?.();
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if (text.split('\n').length > count) break;
  }
  sent.destroy();
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as unknown);
}

test('logs are made, listed, described and deleted', async () => {
  const made = await create('events', { retention_ms: 5000, retention_entries: 7, mode: 'multi-master' });
  const origins = [{ origin: 0, epoch: 1, first_sequence: 1, last_sequence: 0, bytes: 10, segments: 1 }];
  const log = {
    ...{ name: 'events', id: 1, mode: 'multi-master', acknowledgement: 'local', created_at_ms: 5 },
    ...{ retention_ms: 5000, retention_bytes: 0, retention_entries: 7, cleanup_policy: 'delete', origins },
  };
  expect([made.code, made.json['data']]).toEqual([201, log]);
  expect(errorOf(await create('events'))).toEqual([409, 'ALREADY_EXISTS']);
  await create('audit', { cleanup_policy: 'compact', tombstone_retention_ms: 9 });
  expect((await send('GET', '/logs?prefix=ev')).json['data']).toEqual({ count: 1, logs: [log] });
  expect((await send('GET', '/logs')).json['data']?.['count']).toBe(2);
  const { data } = (await send('GET', '/logs/audit')).json;
  expect(data).toMatchObject({ mode: 'quorum', acknowledgement: 'quorum', tombstone_retention_ms: 9 });
  expect((await send('DELETE', '/logs/events')).json['data']).toEqual({ name: 'events', deleted: true });
  expect(errorOf(await send('GET', '/logs/events'))).toEqual([404, 'NOT_FOUND']);
  expect(errorOf(await send('DELETE', '/logs/events'))).toEqual([404, 'NOT_FOUND']);
});

test('records come as JSON, or one as it is with key and headers, and are read again', async () => {
  await create();
  const headers = [{ name: 'trace', value: 't' }];
  const producer = { producer_id: 4, epoch: 1, sequence: 1 };
  const records = [
    { key: 'k', value: 'v', headers },
    { value: '//4=', encoding: 'base64' },
  ];
  const appended = await append(records, { producer, acknowledgement: 'all', expected_last_sequence: 0 });
  const place = { log: 'events', origin: 0, epoch: 1, first_sequence: 1, last_sequence: 2 };
  expect([appended.code, appended.json['data']]).toEqual([201, { ...place, time_ms: 1000, duplicate: false }]);
  const raw = await send('POST', '/logs/events/entries?key=a%20b&expected_last_sequence=2', {
    body: Buffer.from([0xff, 0xfe]),
    headers: { 'content-type': 'application/octet-stream', 'X-Record-Kind': 'x y' },
  });
  expect([raw.code, raw.json['data']?.['first_sequence']]).toEqual([201, 3]);
  const { data } = (await send('GET', '/logs/events/entries')).json;
  const at = (sequence: number) => ({ origin: 0, epoch: 1, sequence, time_ms: 999 + sequence });
  expect(data).toEqual({
    ...{ log: 'events', count: 3, next_sequence: 4, first_sequence: 1, last_sequence: 3 },
    entries: [
      { ...at(1), key: 'k', value: 'v', headers, producer },
      { ...at(2), value: '//4=', encoding: 'base64', producer },
      { ...at(3), key: 'a b', value: '//4=', encoding: 'base64', headers: [{ name: 'kind', value: 'x y' }] },
    ],
  });
  const page = (await send('GET', '/logs/events/entries?from=2&limit=1')).json['data'];
  expect([page?.['count'], page?.['entries']?.['0']?.['sequence'], page?.['next_sequence']]).toEqual([1, 2, 3]);
});

test('what makes no sense is refused with its code', async () => {
  await create();
  await append([{ value: 'a' }]);
  expect(errorOf(await append([]))).toEqual([400, 'INVALID_REQUEST']);
  expect(errorOf(await append([{ key: 'k' }]))).toEqual([400, 'INVALID_REQUEST']);
  expect(errorOf(await append([{ value: 'a', colour: 'red' }]))).toEqual([400, 'INVALID_REQUEST']);
  expect(errorOf(await append([{ value: '\ud800' }]))).toEqual([400, 'INVALID_REQUEST']);
  const conflict = await append([{ value: 'a' }], { expected_last_sequence: 9 });
  expect([...errorOf(conflict), conflict.json['error']?.['details']]).toEqual([409, 'CONFLICT', { lastSequence: 1 }]);
  const parameters = await send('POST', '/logs/events/entries?key=k', { body: { records: [{ value: 'a' }] } });
  expect(errorOf(parameters)).toEqual([400, 'INVALID_PARAMETERS']);
  for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
    const input = { body: Buffer.from('a'), headers: { 'content-type': type } };
    expect(errorOf(await send('POST', '/logs/events/entries', input))).toEqual([400, 'INVALID_REQUEST']);
  }
  const bytes = { body: Buffer.from('a'), headers: { 'content-type': 'application/octet-stream' } };
  expect(errorOf(await send('PUT', '/kv/k', bytes))).toEqual([400, 'INVALID_REQUEST']);
  for (const query of [
    'from=1&last=2',
    'positions=1.2',
    'order=size',
    'limit=0',
    'limit=10001',
    'all_origins=1',
    'x=1',
  ]) {
    expect([query, ...errorOf(await send('GET', `/logs/events/entries?${query}`))]).toEqual([
      ...[query, 400, 'INVALID_PARAMETERS'],
    ]);
  }
  expect(errorOf(await send('GET', '/logs/events/entries?from=9'))).toEqual([416, 'OUT_OF_RANGE']);
  for (const path of ['entries', 'tail']) {
    expect(errorOf(await send('GET', `/logs/none/${path}`))).toEqual([404, 'NOT_FOUND']);
  }
  expect(errorOf(await send('GET', '/logs/events/tail?from=9'))).toEqual([416, 'OUT_OF_RANGE']);
  expect(errorOf(await send('GET', '/logs/events/tail?count=0'))).toEqual([400, 'INVALID_PARAMETERS']);
});

test('a tail gives what is there and then what comes, a line each, and ends after so many', async () => {
  await create();
  await append([{ value: 'a' }, { value: 'b' }, { value: 'c' }]);
  const entry = (sequence: number, value: string) => ({
    origin: 0,
    epoch: 1,
    sequence,
    time_ms: 999 + sequence,
    value,
  });
  const lines = await linesOf('/logs/events/tail?from=2', 3, () => append([{ value: 'd' }]));
  expect(lines).toEqual([entry(2, 'b'), entry(3, 'c'), entry(4, 'd')]);
  // The head of the answer is there before anything is appended.
  expect(await linesOf('/logs/events/tail?last=0', 1, () => append([{ value: 'e' }]))).toEqual([entry(5, 'e')]);
  expect(await linesOf('/logs/events/tail?count=3', 100)).toEqual([entry(1, 'a'), entry(2, 'b'), entry(3, 'c')]);
});

test('a tail of a reader that takes nothing holds a bounded part of what there is', async () => {
  fixture.node.endless = { pageBytes: 1_000_000, pages: 0 };
  await create();
  const sent = httpRequest({ host: '127.0.0.1', port: fixture.api.port, path: '/logs/events/tail', agent: false });
  sent.end();
  const response = await new Promise<NodeJS.ReadableStream>((resolve) => void sent.on('response', resolve as never));
  response.on('error', () => undefined);
  response.pause();
  let before = -1;
  // The kernel's buffers take some; then nothing is made any more.
  while (before !== fixture.node.endless.pages) {
    before = fixture.node.endless.pages;
    for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(before).toBeLessThan(30);
  sent.destroy();
});
