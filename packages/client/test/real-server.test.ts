import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { connect } from '../src/grpc/connect.js';
import { ClientError, textOf, type WatchPage } from '../src/index.js';

const main = fileURLToPath(new URL('../../../apps/server/dist/main.js', import.meta.url));
const cleanUp: (() => unknown)[] = [];
afterAll(async () => {
  for (const step of cleanUp.reverse()) await step();
});

interface RunningServer {
  readonly endpoint: string;
  readonly child: ChildProcess;
  /** Kills it with signal 9. */
  kill(): Promise<void>;
}

async function start(dataDirectory: string, grpcPort = 0): Promise<RunningServer> {
  const args = [main, '--http-port', '0', '--grpc-port', String(grpcPort), '--data-dir', dataDirectory];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  cleanUp.push(kill);
  for await (const line of createInterface({ input: child.stdout })) {
    const entry = JSON.parse(line) as { msg?: string; grpc?: string };
    if (entry.msg === 'listening') return { endpoint: String(entry.grpc), child, kill };
  }
  throw new Error('the server ended before it listened');
}

async function dataDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'shanghai-client-'));
  cleanUp.push(() => rm(directory, { recursive: true, force: true }));
  return join(directory, 'data');
}

describe.skipIf(!existsSync(main))('a client and the real server', () => {
  it('agree about every operation', async () => {
    const server = await start(await dataDirectory());
    await using shanghai = connect({ endpoints: [server.endpoint] });
    const { revision } = await shanghai.put('{a}1', 'one');
    expect(await shanghai.get('{a}1')).toMatchObject({ revision });
    expect(await shanghai.get('missing')).toBeUndefined();
    expect(await shanghai.append('{a}1', '+')).toMatchObject({ valueBytes: 4 });
    expect(await shanghai.getText('{a}1', { level: 'session' })).toBe('one+');
    expect(await shanghai.getText('{a}1', { level: 'stale' })).toBe('one+');
    const outcomes = await shanghai.batch([{ put: '{a}2', value: 'x', ttlMs: 60_000 }, { delete: 'none' }], {
      atomic: false,
    });
    expect(outcomes).toMatchObject([{ ok: true }, { ok: true, deleted: false }]);
    expect((await shanghai.get('{a}2'))?.expiresAtMs).toBeGreaterThan(0);
    const conflict = { conditions: [{ key: '{a}1', revision }], operations: [{ delete: '{a}1' }] };
    await expect(shanghai.transact(conflict)).rejects.toMatchObject({ code: 'CONFLICT', answered: true });
    await shanghai.transact({ conditions: [{ key: '{a}1', exists: true }], operations: [{ put: '{a}3', value: 'y' }] });
    await shanghai.keyspace('other').put('{a}1', 'elsewhere');
    const keys: string[] = [];
    for await (const { key } of shanghai.range({ prefix: '{a}', reverse: true, keysOnly: true }))
      keys.push(textOf(key));
    expect(keys).toEqual(['{a}3', '{a}2', '{a}1']);

    expect(await shanghai.log.create('events', { mode: 'quorum' })).toMatchObject({ name: 'events' });
    const producer = { producerId: 5, epoch: 1, sequence: 1 };
    expect(await shanghai.log.append('events', ['a', 'b'], { producer })).toMatchObject({
      lastSequence: 2,
      duplicate: false,
    });
    expect(await shanghai.log.append('events', ['a', 'b'], { producer })).toMatchObject({
      lastSequence: 2,
      duplicate: true,
    });
    const stale = shanghai.log.append('events', 'c', { expectedLastSequence: 1 });
    await expect(stale).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await shanghai.log.read('events', { from: 2 })).entries.map(({ value }) => textOf(value))).toEqual(['b']);
    await expect(shanghai.log.describe('none')).rejects.toBeInstanceOf(ClientError);
    expect((await shanghai.log.list()).map(({ name }) => name)).toEqual(['events']);

    expect(await shanghai.status()).toMatchObject({ state: 'healthy' });
    expect(await shanghai.nodes()).toHaveLength(1);
    expect((await shanghai.admin.metrics()).text).toContain('shanghai_');
    expect((await shanghai.admin.checkpoint()).length).toBeGreaterThan(0);
    await shanghai.admin.merge();
    await server.kill();
  });

  it('apply every write once and lose none although the server is killed in the middle', async () => {
    const directory = await dataDirectory();
    const first = await start(directory);
    const port = Number(first.endpoint.split(':')[1]);
    await using shanghai = connect({ endpoints: [first.endpoint], timeoutMs: 60_000, maxAttempts: 200 });
    const watch = shanghai.watch({ prefix: 'w' })[Symbol.asyncIterator]();
    expect((await watch.next()).value).toMatchObject({ events: [] });
    let server = first;
    let done = 0;
    let restarted: Promise<void> | undefined;
    const restart = async () => {
      await server.kill();
      server = await start(directory, port);
    };
    const worker = async (name: number) => {
      for (let i = 0; i < 40; i++) {
        await shanghai.append(`w${name}`, `${i},`);
        if (++done === 200) restarted = restart();
      }
    };
    await Promise.all(Array.from({ length: 16 }, (_, name) => worker(name)));
    expect(restarted).toBeDefined();
    await restarted;
    const whole = Array.from({ length: 40 }, (_, i) => `${i},`).join('');
    for (let name = 0; name < 16; name++) expect(await shanghai.getText(`w${name}`)).toBe(whole);
    let changes = 0;
    try {
      while (changes < 16 * 40) {
        const page = (await watch.next()).value as WatchPage;
        changes += page.events.length;
      }
      expect(changes).toBe(16 * 40);
    } catch (error) {
      // A server may forget changes over a restart; it must say so, and may not leave a gap.
      expect(error).toMatchObject({ code: 'OUT_OF_RANGE' });
    }
    await watch.return?.();
    await server.kill();
  });

  it('tail a log over a restart without gap or duplicate', async () => {
    const directory = await dataDirectory();
    let server = await start(directory);
    const port = Number(server.endpoint.split(':')[1]);
    await using shanghai = connect({ endpoints: [server.endpoint], timeoutMs: 60_000, maxAttempts: 200 });
    await shanghai.log.create('events');
    await shanghai.log.append('events', ['1', '2', '3']);
    const seen: number[] = [];
    for await (const { sequence } of shanghai.log.tail('events')) {
      seen.push(sequence);
      if (sequence === 3) {
        await server.kill();
        server = await start(directory, port);
        await shanghai.log.append('events', ['4', '5']);
      }
      if (sequence === 5) break;
    }
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    await server.kill();
  });
});
