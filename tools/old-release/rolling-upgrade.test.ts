/**
 * Real processes: the cluster that the first release kept its directories of is started with that release's own program,
 * built from the history, and upgraded node by node while clients write and read. Takes a minute, so only with
 * `SHANGHAI_DEEP=1`. Needs the built server (`pnpm build`) and the history.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ShanghaiClient } from '@shanghai/client';
import { connect } from '@shanghai/client/grpc';
import { freePorts } from '@shanghai/env/testing';
import { afterEach, expect, test } from 'vitest';
import { supportedVersions } from '../../apps/server/src/version/cluster-version.js';
import { buildRelease, hasRelease, releases } from './build-release.js';

const isDeep = process.env['SHANGHAI_DEEP'] === '1' && hasRelease(releases[1]);
const root = fileURLToPath(new URL('../..', import.meta.url));
const kept = join(root, 'apps/server/testdata/v1-cluster');
const newProgram = join(root, 'apps/server/dist/main.js');
const ids = [1, 2, 3];
const workers = 6;
const running = new Map<number, ChildProcess>();
let directory = '';

afterEach(async () => {
  for (const child of running.values()) child.kill('SIGKILL');
  running.clear();
  if (directory !== '') rmSync(directory, { recursive: true, force: true });
}, 120_000);

/** A kept directory in its place: the directory of the log is the one that was recorded. */
function restore(nodeId: number): string {
  const dataDir = join(directory, String(nodeId));
  cpSync(join(kept, String(nodeId)), dataDir, { recursive: true });
  const file = join(dataDir, 'node.json');
  const { ino, birthtimeMs } = statSync(join(dataDir, 'wal'));
  const wal = { inode: ino, birthTimeMs: Math.floor(birthtimeMs) };
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), wal }));
  return dataDir;
}

async function start(program: string, nodeId: number, dataDir: string, ports: readonly number[]): Promise<void> {
  const [httpPort, grpcPort] = ports;
  const flags = [
    '--data-dir',
    dataDir,
    '--http-port',
    `${httpPort}`,
    '--grpc-port',
    `${grpcPort}`,
    '--log-level',
    'error',
  ];
  const child = spawn(process.execPath, [program, ...flags], { stdio: ['ignore', 'ignore', 'inherit'] });
  running.set(nodeId, child);
  for (;;) {
    if (child.exitCode !== null) throw new Error(`node ${nodeId} ended with ${child.exitCode}`);
    const isReady = await fetch(`http://127.0.0.1:${httpPort}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function stop(nodeId: number): Promise<void> {
  const child = running.get(nodeId) as ChildProcess;
  child.kill('SIGTERM');
  if (child.exitCode === null) await once(child, 'exit');
  expect(child.exitCode).toBe(0);
}

/** Clients with sessions that append and read back all the time. */
function load(client: ShanghaiClient) {
  const failures: string[] = [];
  let isOver = false;
  let written = 0;
  const work = Array.from({ length: workers }, async (_, worker) => {
    let i = 0;
    for (; !isOver; i++) {
      try {
        await client.append(`list-${worker}`, `${i},`);
        const list = await client.getText(`list-${worker}`);
        if (!`,${list}`.endsWith(`,${i},`)) failures.push(`${worker}/${i}: read ${list?.slice(-20)}`);
        written++;
      } catch (error) {
        failures.push(`${worker}/${i}: ${String(error)}`);
      }
    }
    return i;
  });
  return {
    failures,
    async untilWritten(more: number) {
      const wanted = written + more;
      while (written < wanted) await new Promise((resolve) => setTimeout(resolve, 20));
    },
    end() {
      isOver = true;
      return Promise.all(work);
    },
  };
}

test.runIf(isDeep)('the cluster of the first release is upgraded under load and no operation fails', async () => {
  directory = mkdtempSync(join(tmpdir(), 'shanghai-upgrade-'));
  const release = join(directory, 'release');
  buildRelease(releases[1], release);
  const oldProgram = join(release, 'apps/server/dist/main.js');
  const free = await freePorts(6);
  const portsOf = (nodeId: number) => free.slice(2 * nodeId - 2, 2 * nodeId);
  const dataDirs = new Map(ids.map((nodeId) => [nodeId, restore(nodeId)]));
  const startOne = (program: string, nodeId: number) =>
    start(program, nodeId, dataDirs.get(nodeId) as string, portsOf(nodeId));
  await Promise.all(ids.map((nodeId) => startOne(oldProgram, nodeId)));
  const client = connect({ endpoints: ids.map((nodeId) => `127.0.0.1:${portsOf(nodeId)[1]}`), timeoutMs: 30_000 });
  const { failures, untilWritten, end } = load(client);
  for (const nodeId of ids) {
    await untilWritten(50);
    // The programs of the first release do not say, those of today say that it is still the first version.
    expect((await client.status()).clusterVersion).toBeLessThanOrEqual(1);
    await stop(nodeId);
    await startOne(newProgram, nodeId);
    if (nodeId !== ids[0]) continue;
    // As long as not all were upgraded, there is a way back.
    await untilWritten(50);
    await stop(nodeId);
    await startOne(oldProgram, nodeId);
    await untilWritten(50);
    await stop(nodeId);
    await startOne(newProgram, nodeId);
  }
  await untilWritten(50);
  while ((await client.status()).clusterVersion !== supportedVersions.highest)
    await new Promise((resolve) => setTimeout(resolve, 50));
  await untilWritten(50);
  const counts = await end();
  expect(failures).toEqual([]);
  for (const [worker, count] of counts.entries()) {
    const list = ((await client.getText(`list-${worker}`)) ?? '').split(',').slice(0, -1).map(Number);
    expect(list).toEqual(Array.from({ length: count }, (_, i) => i));
  }
  for (let i = 0; i < 20; i++) expect(await client.getText(`key-${i}`)).toBe(i === 7 ? undefined : `value-${i}`);
  await client.close();
  // Nobody goes back: the older program cannot take part any more.
  await stop(3);
  await expect(startOne(oldProgram, 3)).rejects.toThrow(/ended with/);
});
