import { describe, expect, it } from 'vitest';
import { ClientError, type LogEntry, textOf, type WatchPage } from '../src/index.js';
import { createTestClient, type TestClient } from '../src/testing/test-client.js';

/** The next item, however long the back-off takes. */
async function next<Item>(test: TestClient, items: AsyncIterator<Item>): Promise<IteratorResult<Item, unknown>> {
  let settled = false;
  const result = items.next();
  const done = () => {
    settled = true;
  };
  result.then(done, done);
  for (let i = 0; i < 1_000 && !settled; i++) await test.clock.advance(10);
  return await result;
}

const sequences = (entries: readonly LogEntry[]) => entries.map(({ sequence }) => sequence);

describe('tail', () => {
  it('goes on without gap or duplicate, wherever the connection breaks', async () => {
    const records = Array.from({ length: 250 }, (_, i) => `${i + 1}`);
    for (const breakAfter of [0, 1, 99, 100, 101, 249]) {
      const test = createTestClient();
      await test.client.log.create('events');
      await test.client.log.append('events', records);
      const tail = test.client.log.tail('events')[Symbol.asyncIterator]();
      const seen: LogEntry[] = [];
      while (seen.length < 250) {
        if (seen.length === breakAfter) test.transport.breakConnections();
        seen.push((await next(test, tail)).value as LogEntry);
      }
      expect([breakAfter, sequences(seen)]).toEqual([breakAfter, records.map(Number)]);
      await tail.return?.();
    }
  });

  it('from the end gives what is appended after the call, also when it breaks before the first entry', async () => {
    const test = createTestClient();
    await test.client.log.create('events');
    await test.client.log.append('events', ['old']);
    const tail = test.client.log.tail('events', { from: 'end' })[Symbol.asyncIterator]();
    const first = tail.next();
    await test.clock.advance(0);
    test.transport.breakConnections();
    await test.client.log.append('events', ['new']);
    await test.clock.advance(1_000);
    expect((await first).value).toMatchObject({ sequence: 2 });
    await tail.return?.();
  });

  it('tells a position that was trimmed, with the first one kept, and does not try again', async () => {
    const test = createTestClient();
    await test.client.log.create('events');
    await test.client.log.append('events', ['1', '2', '3']);
    test.server.logs.trim('events', 2);
    const tail = test.client.log.tail('events', { from: 1 })[Symbol.asyncIterator]();
    const failure = { code: 'OUT_OF_RANGE', details: { firstSequence: 3, lastSequence: 3 } };
    await expect(next(test, tail)).rejects.toMatchObject(failure);
  });

  it('gives up a connection that does not come back within its time, and says so', async () => {
    const test = createTestClient({ streamReconnectMs: 2_000 });
    await test.client.log.create('events');
    test.transport.unreachable.add('a:1');
    const startMs = test.clock.monotonicMs();
    const tail = test.client.log.tail('events')[Symbol.asyncIterator]();
    await expect(next(test, tail)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', waitedIn: 'connection' });
    expect(test.clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(2_000);
  });

  it('drops entries that a server sends again', async () => {
    const test = createTestClient();
    const { logs } = test.server;
    await test.client.log.create('events');
    await test.client.log.append('events', ['1', '2', '3', '4']);
    const tailExactly = logs.tail.bind(logs);
    const earlier = (sequence: bigint) => (sequence > 2n ? sequence - 2n : 1n);
    logs.tail = (request, signal) => {
      const from = request.start?.$case === 'fromSequence' ? request.start.value : 0n;
      return tailExactly({ ...request, start: { $case: 'fromSequence', value: earlier(from) } }, signal);
    };
    const tail = test.client.log.tail('events')[Symbol.asyncIterator]();
    const seen: LogEntry[] = [];
    while (seen.length < 6) {
      seen.push((await next(test, tail)).value as LogEntry);
      if (seen.length !== 4) continue;
      test.transport.breakConnections();
      await test.client.log.append('events', ['5', '6']);
    }
    expect(sequences(seen)).toEqual([1, 2, 3, 4, 5, 6]);
    await tail.return?.();
  });

  it('survives a server that ends the stream in good order', async () => {
    const test = createTestClient();
    await test.client.log.create('events');
    await test.client.log.append('events', ['1']);
    let streams = 0;
    test.transport.fate = ({ kind }) => {
      if (kind !== 'stream' || ++streams > 2) return 'deliver';
      return new ClientError('SERVICE_UNAVAILABLE', 'stopping', { answered: true });
    };
    const tail = test.client.log.tail('events')[Symbol.asyncIterator]();
    expect((await next(test, tail)).value).toMatchObject({ sequence: 1 });
    expect(streams).toBe(3);
    await tail.return?.();
  });
});

describe('watch', () => {
  it('goes on behind its position without gap or duplicate, also with changes made meanwhile', async () => {
    const test = createTestClient();
    const watch = test.client.watch({ prefix: 'a' })[Symbol.asyncIterator]();
    const first = (await next(test, watch)).value as WatchPage;
    expect(first.events).toEqual([]);
    const seen: string[] = [];
    for (let i = 0; i < 5; i++) {
      await test.client.put(`a${i}`, 'x');
      await test.client.put(`b${i}`, 'x');
      if (i % 2 === 0) test.transport.breakConnections();
      await test.client.delete(`a${i}`);
      while (seen.length < 2 * (i + 1)) {
        const page = (await next(test, watch)).value as WatchPage;
        seen.push(...page.events.map(({ type, key }) => `${type} ${textOf(key)}`));
      }
    }
    expect(seen).toEqual([0, 1, 2, 3, 4].flatMap((i) => [`put a${i}`, `delete a${i}`]));
    await watch.return?.();
  });

  it('can be taken up by another client from a position', async () => {
    const test = createTestClient();
    const watch = test.client.watch({ key: 'a' })[Symbol.asyncIterator]();
    const { position } = (await next(test, watch)).value as WatchPage;
    await watch.return?.();
    await test.client.put('a', '1');
    const later = test.client.watch({ key: 'a', position })[Symbol.asyncIterator]();
    expect((await next(test, later)).value).toMatchObject({ events: [{ type: 'put', revision: 1 }] });
    await later.return?.();
  });

  it('refuses a target that is none', async () => {
    const { client } = createTestClient();
    await expect(client.watch({ key: 'a', prefix: 'b' })[Symbol.asyncIterator]().next()).rejects.toThrow(TypeError);
  });
});

describe('range', () => {
  async function filled(): Promise<TestClient> {
    const test = createTestClient();
    const keys = Array.from({ length: 250 }, (_, i) => `k${String(i).padStart(3, '0')}`);
    await test.client.batch(keys.map((put) => ({ put, value: put })));
    return test;
  }

  it('gives every key once in order, wherever the connection breaks, forwards, backwards and with a limit', async () => {
    for (const reverse of [false, true]) {
      for (const limit of [undefined, 220]) {
        for (const breakAfter of [0, 1, 100, 150, 219]) {
          const test = await filled();
          const range = test.client.range({ reverse, prefix: 'k', ...(limit === undefined ? {} : { limit }) });
          const entries = range[Symbol.asyncIterator]();
          const seen: string[] = [];
          for (;;) {
            if (seen.length === breakAfter) test.transport.breakConnections();
            const { done, value } = await next(test, entries);
            if (done) break;
            seen.push(textOf((value as { key: Uint8Array }).key));
          }
          const expected = Array.from({ length: limit ?? 250 }, (_, i) => (reverse ? 249 - i : i));
          expect([reverse, limit, breakAfter, seen]).toEqual([
            reverse,
            limit,
            breakAfter,
            expected.map((i) => `k${String(i).padStart(3, '0')}`),
          ]);
        }
      }
    }
  });

  it('fetches the next page only when it is asked for', async () => {
    const test = await filled();
    const entries = test.client.range()[Symbol.asyncIterator]();
    for (let i = 0; i < 100; i++) await next(test, entries);
    await test.client.put('k100', 'changed');
    const entry = (await next(test, entries)).value as { value: Uint8Array };
    expect(textOf(entry.value)).toBe('changed');
    await entries.return?.();
  });

  it('waits for a page no longer than its time, and a slow consumer costs nothing of it', async () => {
    const test = await filled();
    const entries = test.client.range({ timeoutMs: 1_000 })[Symbol.asyncIterator]();
    await next(test, entries);
    await test.clock.advance(60_000);
    let seen = 1;
    while (!(await next(test, entries)).done) seen++;
    expect(seen).toBe(250);
    test.transport.fate = () => 'stall';
    const stalled = test.client.range({ timeoutMs: 1_000 })[Symbol.asyncIterator]();
    await expect(next(test, stalled)).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', waitedIn: 'answer' });
  });

  it('gives keys alone when asked', async () => {
    const test = await filled();
    const { value } = await test.client.range({ keysOnly: true, limit: 1 })[Symbol.asyncIterator]().next();
    expect(value).toMatchObject({ value: { length: 0 } });
  });
});
