/** Three real processes that all write one log, two of them stopped for a while: the third goes on alone, and all come to hold the same. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LogPosition, ShanghaiClient } from '@shanghai/client';
import { connect } from '@shanghai/client/grpc';
import { freePorts } from '@shanghai/env/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ServerProcess, startServerProcess } from './server-process.js';

const corpus = readFileSync(fileURLToPath(new URL('../../../docs/GUARANTEES.md', import.meta.url)), 'utf8')
  .split('\n')
  .filter((line) => line !== '');

let directory: string;
const running = new Map<number, ServerProcess>();
const clients = new Map<number, ShanghaiClient>();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shanghai-multi-master-'));
});
afterEach(async () => {
  for (const { process } of running.values()) process.kill('SIGCONT');
  await Promise.all([...clients.values()].map((client) => client.close()));
  await Promise.all([...running.values()].map((server) => server.stop('SIGKILL')));
  running.clear();
  clients.clear();
  await rm(directory, { recursive: true, force: true });
});

function at(nodeId: number): ShanghaiClient['log'] {
  return (clients.get(nodeId) as ShanghaiClient).log;
}

async function append(nodeId: number, lines: readonly string[]): Promise<void> {
  const records = lines.map((line) => ({ key: `node-${nodeId}`, value: line }));
  await at(nodeId).append('corpus', records, { timeoutMs: 20_000 });
}

interface Copy {
  readonly entries: number;
  readonly positions: readonly LogPosition[];
  /** Of the entries of each origin, in their order. */
  readonly checksums: Readonly<Record<string, string>>;
}

async function copyAt(nodeId: number): Promise<Copy> {
  const page = await at(nodeId).read('corpus', {
    allOrigins: true,
    positions: [],
    limit: 10_000,
    maxBytes: 8_000_000,
    at: 'contact',
  });
  const sums = new Map<string, ReturnType<typeof createHash>>();
  for (const { origin, epoch, sequence, timeMs, key, value } of page.entries) {
    const name = `${origin}.${epoch}`;
    const sum = sums.get(name) ?? createHash('sha256');
    sums.set(name, sum.update(`${sequence} ${timeMs} `).update(key).update(value));
  }
  const checksums = Object.fromEntries([...sums].sort().map(([name, sum]) => [name, sum.digest('hex')]));
  return { entries: page.entries.length, positions: page.positions ?? [], checksums };
}

async function untilAllHold(entries: number): Promise<void> {
  for (;;) {
    const copies = await Promise.all([1, 2, 3].map(copyAt));
    if (copies.every((copy) => copy.entries >= entries)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Another client of a node, that knows nothing yet. */
function stranger(nodeId: number): ShanghaiClient {
  const client = connect({ endpoints: [`127.0.0.1:${running.get(nodeId)?.grpcPort}`], timeoutMs: 5_000 });
  clients.set(clients.size + 1, client);
  return client;
}

it('a node whose others are gone goes on taking a corpus; when they are back, all three hold the same bytes', async () => {
  const peers = (await freePorts(3)).map((port, i) => `${i + 1}=127.0.0.1:${port}`).join(',');
  const ids = [1, 2, 3];
  await Promise.all(
    ids.map(async (id) => {
      const server = await startServerProcess(join(directory, `${id}`), [
        '--node-id',
        `${id}`,
        '--initial-cluster',
        peers,
      ]);
      running.set(id, server);
      clients.set(id, connect({ endpoints: [`127.0.0.1:${server.grpcPort}`], timeoutMs: 20_000 }));
    }),
  );
  await at(1).create('corpus', { mode: 'multi-master' }, { timeoutMs: 20_000 });
  await clients.get(3)?.keyspaces.create('carts', { mode: 'multi-master' });
  const part = (from: number, to: number) => corpus.slice(from, to);
  await Promise.all(ids.map((id) => append(id, part(0, 10))));
  await untilAllHold(30);
  for (const id of [1, 2]) running.get(id)?.process.kill('SIGSTOP');
  for (let i = 10; i < corpus.length; i += 5) await append(3, part(i, i + 5));
  // Also a client that was not there before: neither a leader nor a session is needed.
  const carts = stranger(3).keyspace('carts');
  await carts.put('a', 'one');
  expect(await carts.getText('a', { level: 'session' })).toBe('one');
  expect(await clients.get(3)?.keyspace('carts').getText('a', { level: 'stale' })).toBe('one');
  for (const id of [1, 2]) running.get(id)?.process.kill('SIGCONT');
  await Promise.all([1, 2].map((id) => append(id, part(10, corpus.length))));
  await untilAllHold(3 * corpus.length);
  const [first, ...others] = await Promise.all(ids.map(copyAt));
  expect(first?.entries).toBe(3 * corpus.length);
  expect(Object.keys(first?.checksums ?? {})).toEqual(['1.1', '2.1', '3.1']);
  for (const other of others) expect(other).toEqual(first);
}, 60_000);
