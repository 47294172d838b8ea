import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { connect } from '../src/grpc/connect.js';
import { type ClientOptions, type LogEntry, type ShanghaiClient, textOf } from '../src/index.js';
import { type GrpcMemoryServer, startGrpcMemoryServer } from '../src/testing/grpc-memory-server.js';
import { MemoryCluster } from '../src/testing/memory-cluster.js';
import { MemoryServer } from '../src/testing/memory-server.js';
import type { MemoryHost } from '../src/testing/memory-transport.js';

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

async function start(port = 0, earlier?: GrpcMemoryServer): Promise<GrpcMemoryServer> {
  const server = await startGrpcMemoryServer(port, earlier?.server);
  cleanUp.push(() => server.kill());
  return server;
}

function client(endpoints: readonly string[], options: Partial<ClientOptions> = {}): ShanghaiClient {
  const made = connect({ endpoints, ...options });
  cleanUp.push(() => made.close());
  return made;
}

describe('a client over gRPC', () => {
  it('does every operation on keys', async () => {
    const { endpoint } = await start();
    const shanghai = client([endpoint]);
    expect(await shanghai.get('a')).toBeUndefined();
    const { revision } = await shanghai.put('a', 'one', { ttlMs: 60_000 });
    expect(await shanghai.get('a')).toMatchObject({ revision, expiresAtMs: expect.any(Number) });
    expect(await shanghai.getText('a')).toBe('one');
    expect(await shanghai.append('b', Uint8Array.of(1, 2))).toMatchObject({ valueBytes: 2 });
    const outcomes = await shanghai.batch([{ put: 'c', value: 'x' }, { append: 'c', value: 'y' }, { delete: 'b' }]);
    expect(outcomes).toMatchObject([{ ok: true }, { ok: true, valueBytes: 2 }, { ok: true, deleted: true }]);
    await shanghai.transact({ conditions: [{ key: 'a', revision }], operations: [{ put: 'a', value: 'two' }] });
    const refused = shanghai.transact({ conditions: [{ key: 'a', revision }], operations: [{ delete: 'a' }] });
    await expect(refused).rejects.toMatchObject({
      code: 'CONFLICT',
      answered: true,
      details: { condition: 0, key: 'a' },
    });
    expect(await shanghai.delete('missing')).toMatchObject({ deleted: false });
    const keys: string[] = [];
    for await (const { key } of shanghai.range({ reverse: true })) keys.push(textOf(key));
    expect(keys).toEqual(['c', 'a']);
    expect(await shanghai.keyspace('other').get('a')).toBeUndefined();
  });

  it('does every operation on logs and on the node', async () => {
    const { endpoint, server } = await start();
    const shanghai = client([endpoint]);
    expect(await shanghai.log.create('events')).toMatchObject({ name: 'events', settings: { mode: 'quorum' } });
    expect(
      await shanghai.log.append('events', ['a', { key: 'k', value: 'b', headers: [{ name: 'h', value: 'v' }] }]),
    ).toMatchObject({ firstSequence: 1, lastSequence: 2 });
    const page = await shanghai.log.read('events', { from: 2 });
    expect(page).toMatchObject({ nextSequence: 3, firstSequence: 1, lastSequence: 2 });
    expect(textOf(page.entries[0]?.value ?? Uint8Array.of())).toBe('b');
    expect((await shanghai.log.list('ev')).map(({ name }) => name)).toEqual(['events']);
    await expect(shanghai.log.describe('none')).rejects.toMatchObject({ code: 'NOT_FOUND', answered: true });
    await shanghai.log.delete('events');
    expect(await shanghai.status()).toMatchObject({ state: 'healthy' });
    expect(await shanghai.nodes()).toHaveLength(1);
    expect((await shanghai.admin.metrics()).text).toContain('shanghai_keys');
    await shanghai.admin.shutdown({ drainMs: 100 });
    expect(server.shutdownRequested).toBe(true);
  });

  it('sends a hundred calls made together in a few messages', async () => {
    const server = await start();
    const shanghai = client([server.endpoint]);
    await shanghai.put('warm', 'up');
    const before = server.pipelineMessages();
    await Promise.all(Array.from({ length: 100 }, (_, i) => shanghai.put(`key:${i}`, `value ${i}`)));
    expect(server.pipelineMessages() - before).toBeLessThanOrEqual(2);
    expect(server.server.keyValue.keys).toBe(101);
  });

  it('goes on after the server was killed and started again, and applies each write once', async () => {
    const first = await start();
    const shanghai = client([first.endpoint], { timeoutMs: 20_000, maxAttempts: 50 });
    await shanghai.append('a', 'x');
    const port = Number(first.endpoint.split(':')[1]);
    await first.kill();
    const writes = Array.from({ length: 20 }, () => shanghai.append('a', 'x'));
    await start(port, first);
    await Promise.all(writes);
    expect(await shanghai.getText('a')).toBe('x'.repeat(21));
  });

  it('moves to another endpoint when the first cannot be reached', async () => {
    const gone = await start();
    await gone.kill();
    const there = await start();
    const shanghai = client([gone.endpoint, there.endpoint]);
    await shanghai.put('a', '1');
    expect(await shanghai.status()).toMatchObject({ clusterId: 'memory' });
    expect(there.server.keyValue.keys).toBe(1);
  });

  it('says why there is no connection', async () => {
    const gone = await start();
    await gone.kill();
    const web = createHttpServer((_, response) => response.end('hello'));
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const port = (web.address() as AddressInfo).port;
    for (const [endpoint, reason] of [
      [gone.endpoint, 'connection refused; is a node running there?'],
      [`127.0.0.1:${port}`, 'what listens there does not speak gRPC; is this the HTTP port? Use the gRPC port'],
    ] as const) {
      const message = `'${endpoint}' cannot be reached: ${reason}`;
      const shanghai = client([endpoint], { maxAttempts: 3 });
      await expect(shanghai.get('a')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', message });
      await expect(shanghai.status()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', message });
      await expect(shanghai.range({})[Symbol.asyncIterator]().next()).rejects.toMatchObject({
        code: 'SERVICE_UNAVAILABLE',
        message,
      });
    }
    web.close();
  });

  it('says where nobody answers', async () => {
    const gone = await start();
    await gone.kill();
    const shanghai = client([gone.endpoint], { maxAttempts: 2 });
    const code = 'SERVICE_UNAVAILABLE';
    await expect(shanghai.get('a')).rejects.toMatchObject({
      code,
      sent: false,
      retryable: true,
      waitedIn: 'connection',
    });
    await expect(shanghai.status()).rejects.toThrow(gone.endpoint);
  });

  it('takes a tail up again where the connection broke, without gap or duplicate', async () => {
    const first = await start();
    const shanghai = client([first.endpoint], { timeoutMs: 20_000, maxAttempts: 50 });
    await shanghai.log.create('events');
    await shanghai.log.append('events', ['1', '2', '3']);
    const seen: LogEntry[] = [];
    let server = first;
    for await (const entry of shanghai.log.tail('events')) {
      seen.push(entry);
      if (seen.length === 3) {
        await server.kill();
        server = await start(Number(first.endpoint.split(':')[1]), first);
        await shanghai.log.append('events', ['4', '5']);
      }
      if (seen.length === 5) break;
    }
    expect(seen.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4, 5]);
  });

  it('cancels a stream at the server when its consumer leaves', async () => {
    const server = await start();
    const shanghai = client([server.endpoint]);
    await shanghai.put('a', '1');
    for await (const _page of shanghai.watch()) break;
    await expect.poll(server.openStreams).toBe(0);
  });

  it('lets a server send only a bounded part of a range to a consumer that stops', async () => {
    const server = await start();
    const shanghai = client([server.endpoint]);
    const value = Buffer.alloc(16 * 1024, 1);
    const operations = Array.from({ length: 100 }, (_, i) => ({ put: `k${String(i).padStart(6, '0')}`, value }));
    for (let i = 0; i < 60; i++) {
      await shanghai.batch(
        operations.map((each) => ({ ...each, put: `${i}:${each.put}` })),
        { timeoutMs: 20_000 },
      );
    }
    const entries = shanghai.range()[Symbol.asyncIterator]();
    await entries.next();
    // Every other call goes on meanwhile; a server that ran ahead would have written all 60 pages by then.
    for (let i = 0; i < 200; i++) await shanghai.put('other', '1');
    expect(server.streamMessages()).toBeLessThan(40);
    await entries.return?.();
  });
});

describe('a client of a cluster over gRPC', () => {
  /** Three gRPC servers, each before a node of one memory cluster. */
  async function startCluster() {
    const hosts: MemoryHost[] = [];
    const hostOf = (i: number): MemoryHost => ({
      unary: (method, request) => (hosts[i] as MemoryHost).unary(method, request),
      stream: (method, request, signal) => (hosts[i] as MemoryHost).stream(method, request, signal),
      pipeline: (request) => (hosts[i] as MemoryHost).pipeline(request),
    });
    const startOne = async (i: number, port = 0) => {
      const server = await startGrpcMemoryServer(port, new MemoryServer(), hostOf(i));
      cleanUp.push(() => server.kill());
      return server;
    };
    const servers = await Promise.all([0, 1, 2].map((i) => startOne(i)));
    const cluster = new MemoryCluster(servers.map(({ endpoint }) => endpoint));
    hosts.push(...[1, 2, 3].map((nodeId) => cluster.node(nodeId)));
    const restart = async (i: number) => {
      servers[i] = await startOne(i, Number(servers[i]?.endpoint.split(':')[1]));
    };
    return { cluster, servers, restart };
  }

  it('is sent on to the leader by refusals in answers and in trailers', async () => {
    const { cluster, servers } = await startCluster();
    cluster.elect(3);
    const shanghai = client([servers[0]?.endpoint ?? ''], { maxAttempts: 1 });
    await shanghai.put('a', '1');
    await shanghai.log.create('events');
    cluster.elect(2);
    await shanghai.append('a', '2');
    await shanghai.log.append('events', 'x');
    expect(await shanghai.getText('a', { level: 'session' })).toBe('12');
  });

  it('fails no call while the nodes are restarted one after the other, with and without sessions', async () => {
    const { cluster, servers, restart } = await startCluster();
    for (const sessions of [true, false]) {
      const shanghai = client(
        servers.map(({ endpoint }) => endpoint),
        { sessions, timeoutMs: 20_000 },
      );
      let stopped = false;
      let done = 0;
      const worker = async (name: string) => {
        for (; !stopped; done++) {
          await shanghai.append(name, `${done},`);
          await shanghai.get(name, { level: 'stale' });
        }
      };
      const workers = Promise.all(['a', 'b', 'c', 'd'].map((name) => worker(`${name}${sessions}`)));
      const someWork = async () => {
        for (const target = done + 50; done < target; ) await Promise.race([shanghai.get('pace'), workers]);
      };
      for (const i of [0, 1, 2]) {
        await someWork();
        cluster.elect(((i + 1) % 3) + 1);
        await servers[i]?.stop();
        await someWork();
        await restart(i);
      }
      stopped = true;
      await workers;
    }
  });
});
