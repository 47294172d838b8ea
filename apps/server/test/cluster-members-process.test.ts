/** A cluster of real processes that grows, loses a node for good and shrinks, while a client writes all the time. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@shanghai/client/grpc';
import { freePorts } from '@shanghai/env/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ServerProcess, startServerProcess } from './server-process.js';

const quick = ['--tick-ms', '50', '--log-level', 'warn'];
const running = new Map<number, ServerProcess>();
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shanghai-members-'));
});
afterEach(async () => {
  await Promise.all([...running.values()].map((server) => server.stop('SIGKILL')));
  running.clear();
  await rm(directory, { recursive: true, force: true });
});

async function start(nodeId: number, flags: readonly string[]): Promise<string> {
  const server = await startServerProcess(join(directory, String(nodeId)), [...quick, ...flags]);
  running.set(nodeId, server);
  return `127.0.0.1:${server.grpcPort}`;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
}

test('three nodes become four, one is killed and replaced, one leaves: nothing that was acknowledged is lost', async () => {
  const peerPorts = await freePorts(4);
  const initial = peerPorts.slice(0, 3).map((port, i) => `${i + 1}=127.0.0.1:${port}`);
  const flags = (id: number) => ['--node-id', String(id), '--initial-cluster', initial.join(',')];
  const endpoints = await Promise.all([1, 2, 3].map((id) => start(id, flags(id))));
  const client = connect({ endpoints, timeoutMs: 30_000 });
  const acknowledged: string[] = [];
  let isOver = false;
  const writer = (async () => {
    for (let i = 0; !isOver; i++) {
      await client.append('list', `${i},`);
      acknowledged.push(`${i},`);
    }
  })();
  const table = async () =>
    (await client.members.table()).nodes.map(({ nodeId, membership }) => `${nodeId} ${membership}`).join(', ');
  const becomes = (wanted: string) => until(async () => (await table()) === wanted);
  await becomes('1 member, 2 member, 3 member');

  await start(4, ['--join', endpoints.join(','), '--peer-port', String(peerPorts[3])]);
  await becomes('1 member, 2 member, 3 member, 4 member');

  await running.get(2)?.stop('SIGKILL');
  running.delete(2);
  await client.members.replace(2);
  await becomes('1 member, 3 member, 4 member');

  await client.members.leave(3);
  await becomes('1 member, 4 member');
  const left = await running.get(3)?.ended;
  running.delete(3);
  expect([left?.code, left?.errors]).toEqual([5, expect.stringContaining('was taken out of its cluster')]);

  const before = acknowledged.length;
  await until(async () => acknowledged.length > before);
  isOver = true;
  await writer;
  expect(await client.getText('list')).toBe(acknowledged.join(''));
  const checksums = async () =>
    Promise.all(
      [...running.values()].map(async ({ grpcPort }) => {
        const one = connect({ endpoints: [`127.0.0.1:${grpcPort}`], discover: false });
        const sums = await one.admin.checksums().finally(() => one.close());
        return sums.map(({ appliedIndex, checksum }) => `${appliedIndex} ${checksum}`).join();
      }),
    );
  await until(async () => new Set(await checksums()).size === 1);
  await client.close();
}, 60_000);
