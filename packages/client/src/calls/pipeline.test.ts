import { describe, expect, it } from 'vitest';
import { ClientError } from '../client-error.js';
import { createTestClient, requestsIn } from '../testing/test-client.js';

const sizes = (messages: Parameters<typeof requestsIn>[0][]) => messages.map((message) => requestsIn(message).length);

describe('batching', () => {
  it('sends calls of one turn in one message, in their order', async () => {
    const { client, transport } = createTestClient();
    await Promise.all(Array.from({ length: 200 }, (_, i) => client.get(`key ${i}`)));
    expect(sizes([...transport.messages])).toEqual([200]);
    const keys = requestsIn(transport.messages[0]).map(({ request }) =>
      request?.$case === 'get' ? request.value.key.toString() : '?',
    );
    expect(keys).toEqual(Array.from({ length: 200 }, (_, i) => `key ${i}`));
  });

  it('sends a lone call at once and not as a group', async () => {
    const { client, transport } = createTestClient();
    await client.get('a');
    expect(transport.messages.map(({ request }) => request?.$case)).toEqual(['get']);
  });

  it('sends what answered callers ask next in one message again', async () => {
    const { client, transport } = createTestClient();
    const worker = async (name: string) => {
      for (let i = 0; i < 5; i++) await client.get(`${name} ${i}`);
    };
    await Promise.all(Array.from({ length: 50 }, (_, i) => worker(`w${i}`)));
    expect(sizes([...transport.messages])).toEqual([50, 50, 50, 50, 50]);
  });

  it('cuts messages at 256 requests and at 64 KiB, and sends a larger request alone', async () => {
    const { client, transport } = createTestClient({ sessions: false });
    await Promise.all(Array.from({ length: 600 }, (_, i) => client.get(`key ${i}`)));
    expect(sizes([...transport.messages])).toEqual([256, 256, 88]);
    const before = transport.messages.length;
    const put = (bytes: number) => client.put('k', new Uint8Array(bytes));
    await Promise.all([put(30_000), put(30_000), put(30_000), put(500_000), put(10)]);
    expect(sizes(transport.messages.slice(before))).toEqual([2, 1, 1, 1]);
  });

  it('collects calls while messages are out of which nothing came back', async () => {
    const { client, transport } = createTestClient({ maxUnansweredMessages: 2 });
    await client.get('connect');
    transport.holdAnswers = true;
    const calls: Promise<unknown>[] = [];
    for (let turn = 0; turn < 10; turn++) {
      calls.push(client.get(`turn ${turn}`));
      await Promise.resolve();
      await Promise.resolve();
    }
    expect(transport.messages).toHaveLength(3);
    transport.holdAnswers = false;
    await Promise.all(calls);
    expect(sizes(transport.messages.slice(1))).toEqual([1, 1, 8]);
  });
});

describe('bounds', () => {
  it('keeps no more requests in flight than allowed, and goes on as answers come', async () => {
    const { client, transport } = createTestClient({ maxInFlightRequests: 10, maxUnansweredMessages: 100 });
    await client.get('connect');
    transport.holdAnswers = true;
    const calls = Array.from({ length: 35 }, (_, i) => client.get(`${i}`));
    await Promise.resolve();
    await Promise.resolve();
    expect(sizes(transport.messages.slice(1))).toEqual([10]);
    transport.holdAnswers = false;
    await Promise.all(calls);
    expect(sizes(transport.messages.slice(1))).toEqual([10, 10, 10, 5]);
  });

  it('keeps no more bytes in flight than allowed, but lets one larger request through alone', async () => {
    const { client, transport } = createTestClient({ maxInFlightBytes: 1_000, sessions: false });
    await client.get('connect');
    transport.holdAnswers = true;
    const calls = [600, 600, 5_000, 10].map((bytes) => client.put('k', new Uint8Array(bytes)));
    const seen: number[] = [];
    for (let step = 0; step < 4; step++) {
      await Promise.resolve();
      await Promise.resolve();
      await Promise.resolve();
      seen.push(transport.messages.length - 1);
      transport.holdAnswers = false;
      transport.holdAnswers = true;
    }
    transport.holdAnswers = false;
    await Promise.all(calls);
    expect(seen[0]).toBe(1);
    expect(sizes(transport.messages.slice(1))).toEqual([1, 1, 1, 1]);
  });

  it('refuses calls beyond what may wait, having sent nothing of them', async () => {
    const { client, transport, clock } = createTestClient({ maxPendingRequests: 5 });
    transport.unreachable.add('a:1');
    const waiting = Array.from({ length: 5 }, (_, i) => client.get(`${i}`));
    const refused = { code: 'RESOURCE_EXHAUSTED', sent: false, retryable: true, waitedIn: 'queue' };
    await expect(client.get('one more')).rejects.toMatchObject(refused);
    transport.unreachable.clear();
    await clock.advance(1_000);
    await Promise.all(waiting);
    await expect(client.get('one more')).resolves.toBeUndefined();
  });

  it('refuses bytes beyond what may wait', async () => {
    const { client, transport, clock } = createTestClient({ maxPendingBytes: 1_000 });
    transport.unreachable.add('a:1');
    const waiting = client.put('a', new Uint8Array(900));
    await expect(client.put('b', new Uint8Array(900))).rejects.toThrow(/maxPendingBytes/);
    transport.unreachable.clear();
    await clock.advance(1_000);
    await waiting;
  });

  it('keeps request numbers of a session within the window that the server remembers', async () => {
    const { client, transport, clock } = createTestClient({ maxInFlightRequests: 10_000, maxUnansweredMessages: 100 });
    await client.put('open', 'session');
    let stalled = 0;
    transport.fate = (each) => (each.kind === 'pipeline' && stalled++ === 0 ? 'stall' : 'deliver');
    const first = client.put('first', '1').catch((error: unknown) => error);
    const calls = Array.from({ length: 3_000 }, (_, i) => client.put(`${i}`, '1'));
    await Promise.all(calls.slice(0, 1_000));
    await clock.advance(0);
    const numbers = transport.messages.flatMap(requestsIn).map(({ request }) => {
      return request?.$case === 'put' ? Number(request.value.options?.requestNumber) : 0;
    });
    expect(Math.max(...numbers)).toBe(2 + 1_023);
    await clock.advance(5_000);
    expect(await first).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
  });
});

describe('a stream that a server ends with an error', () => {
  /** A client whose streams end so at the first message. */
  function refusing(error: ClientError) {
    const test = createTestClient();
    const open = test.transport.open.bind(test.transport);
    let streams = 0;
    test.transport.open = (endpoint) => {
      const channel = open(endpoint);
      channel.pipeline = (listener) => {
        streams++;
        const write = () => {
          queueMicrotask(() => listener.onEnd(error));
          return true;
        };
        return { write, end() {}, cancel() {} };
      };
      return channel;
    };
    return { ...test, streams: () => streams };
  }

  it('fails its calls with that error when the stream was refused as such, and does not try again', async () => {
    const { client, streams } = refusing(new ClientError('UNSUPPORTED', 'no such method', { answered: true }));
    await expect(client.put('a', '1')).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    expect(streams()).toBe(1);
  });

  it('leaves the outcome of each call open when the code would mean that nothing was done', async () => {
    const full = new ClientError('RESOURCE_EXHAUSTED', 'full', { answered: true });
    const { client, clock } = refusing(full);
    const failed = expect(client.put('a', '1')).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', sent: true });
    await clock.advance(5_000);
    await failed;
  });
});
