import { describe, expect, it } from 'vitest';
import { bytesOf, createClient, textOf } from '../src/index.js';
import { createMemoryTransport } from '../src/testing/index.js';
import { createTestClient, requestsIn } from '../src/testing/test-client.js';

describe('a client', () => {
  it('takes text and bytes, and gives bytes', async () => {
    const { client } = createTestClient();
    await client.put(Uint8Array.of(0, 255), 'käse');
    const entry = await client.get(Uint8Array.of(0, 255));
    expect(entry?.value).toBeInstanceOf(Uint8Array);
    expect(textOf(entry?.value ?? bytesOf(''))).toBe('käse');
    await client.put('empty', '');
    expect(await client.getText('empty')).toBe('');
    expect(await client.getText('missing')).toBeUndefined();
  });

  it('forgets a key when its time is over', async () => {
    const { client, clock } = createTestClient();
    await client.put('a', '1', { ttlMs: 1_000 });
    expect((await client.get('a'))?.expiresAtMs).toBe(clock.nowMs() + 1_000);
    await clock.advance(1_000);
    expect(await client.get('a')).toBeUndefined();
  });

  it('refuses what no server would take, before anything is sent', async () => {
    const { client, transport } = createTestClient();
    await expect(client.put('', 'x')).rejects.toThrow(RangeError);
    await expect(client.put('x'.repeat(65_537), 'x')).rejects.toThrow(RangeError);
    await expect(client.put('a', 7 as unknown as string)).rejects.toThrow(TypeError);
    await expect(client.put('a', 'x', { ttlMs: 0 })).rejects.toThrow(RangeError);
    await expect(client.put('a', new Uint8Array(20 * 1024 * 1024))).rejects.toThrow(/split it/);
    await expect(client.batch([{ nonsense: 'a' } as unknown as { delete: string }])).rejects.toThrow(TypeError);
    await expect(client.log.append('..', 'x')).rejects.toThrow(RangeError);
    await expect(client.log.append('a', [])).rejects.toThrow(RangeError);
    await expect(client.log.read('a', { limit: 0 })).rejects.toThrow(RangeError);
    expect(await client.batch([])).toEqual([]);
    expect(transport.messages).toHaveLength(0);
  });

  it.each([
    [{ endpoints: [] }, /at least one address/],
    [{ endpoints: ['no port'] }, /host:port/],
    [{ endpoints: ['a:1'], timeoutMs: 0 }, /timeoutMs/],
    [{ endpoints: ['a:1'], maxAttempts: 0 }, /maxAttempts/],
    [{ endpoints: ['a:1'], maxRetryDelayMs: Number.NaN }, /maxRetryDelayMs/],
    [{ endpoints: ['a:1'], readLevel: 'fresh' as 'stale' }, /readLevel/],
  ])('cannot be made with %j', (options, message) => {
    expect(() => createClient(createMemoryTransport(), options)).toThrow(message);
  });

  it('carries what it has seen in reads of level session, and nothing in others', async () => {
    const { client, transport } = createTestClient({ readLevel: 'session' });
    await client.get('a');
    const { revision } = await client.put('a', '1');
    const heard: Uint8Array[] = [];
    await client.keyspace('other').get('a', { onFreshness: ({ token }) => heard.push(token) });
    await client.get('a', { level: 'stale' });
    await client.get('a', { token: Uint8Array.of(9) });
    const reads = transport.messages.flatMap(requestsIn).flatMap(({ request }) => {
      return request?.$case === 'get'
        ? [[request.value.options?.level, request.value.options?.token.toString('hex')]]
        : [];
    });
    const token = revision.toString(16).padStart(16, '0');
    expect(reads.slice(1)).toEqual([
      [2, token],
      [3, ''],
      [2, '09'],
    ]);
    expect(heard).toMatchObject([{ length: 8 }]);
  });

  it('has one outcome for each operation of a batch', async () => {
    const { client } = createTestClient();
    const outcomes = await client.batch([{ put: 'a', value: '1' }, { delete: 'b' }, { append: 'a', value: '23' }]);
    expect(outcomes).toEqual([
      { ok: true, revision: 1 },
      { ok: true, revision: 2, deleted: false },
      { ok: true, revision: 3, valueBytes: 3 },
    ]);
  });
});

describe('close', () => {
  it('waits for calls in flight, refuses new ones, and may be called again', async () => {
    const { client, transport, clock } = createTestClient();
    await client.put('open', 'session');
    transport.holdAnswers = true;
    const call = client.put('a', '1');
    await clock.advance(0);
    let closed = false;
    const closing = client.close().then(() => {
      closed = true;
    });
    await clock.advance(0);
    expect(closed).toBe(false);
    const refusal = { code: 'CANCELLED', sent: false };
    await expect(client.get('a')).rejects.toMatchObject(refusal);
    await expect(client.status()).rejects.toMatchObject(refusal);
    await expect(client.range()[Symbol.asyncIterator]().next()).rejects.toMatchObject(refusal);
    transport.holdAnswers = false;
    expect(await call).toMatchObject({ revision: 2 });
    await closing;
    await client[Symbol.asyncDispose]();
    expect(clock.pending).toBe(0);
  });

  it('lets a write finish that still needs its session', async () => {
    const { client, server } = createTestClient();
    const call = client.put('a', '1');
    await client.close();
    await call;
    expect(server.keyValue.keys).toBe(1);
  });

  it('ends tails and watches', async () => {
    const { client, clock } = createTestClient();
    const watch = client.watch()[Symbol.asyncIterator]();
    await watch.next();
    const next = expect(watch.next()).rejects.toMatchObject({ code: 'CANCELLED' });
    await clock.advance(0);
    await client.close();
    await next;
  });
});
