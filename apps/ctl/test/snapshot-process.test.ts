import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { freePorts } from '@shanghai/env/testing';
import { afterAll, expect, test } from 'vitest';
import { ctl, type ServerProcess, startServer } from './processes.js';

const directory = mkdtempSync(`${tmpdir()}/ctl-snapshot-`);
const servers = new Set<ServerProcess>();

afterAll(async () => {
  for (const server of servers) await server.end('SIGKILL');
  rmSync(directory, { recursive: true });
});

async function start(dataDirectory: string, flags: readonly string[] = []): Promise<ServerProcess> {
  const server = await startServer(dataDirectory, '0', flags);
  servers.add(server);
  return server;
}

async function json(server: ServerProcess, ...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await ctl(server.endpoint, [...args, '--output', 'json']);
  if (code !== 0) throw new Error(`${args.join(' ')}: ${stderr}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test('a server is saved, archived, and restored to the moment before a mistake', async () => {
  const server = await start(`${directory}/data`);
  await json(server, 'kv', 'put', 'precious', 'thing');
  const saved = await json(server, 'snapshot', 'save', `${directory}/backups/one`, '--keep', '2');
  expect(saved).toMatchObject({ removed: [], groups: [{ groupId: 1 }, { groupId: 0 }] });
  await json(server, 'kv', 'put', 'later', 'too');
  const archived = await json(
    server,
    'snapshot',
    'archive',
    `${directory}/archive`,
    '--after',
    `${directory}/backups/one`,
  );
  const [{ lastIndex }] = archived['groups'] as [{ lastIndex: number }];
  await json(server, 'kv', 'delete', 'precious');
  await json(server, 'snapshot', 'archive', `${directory}/archive`);
  const restored = await json(
    server,
    ...['snapshot', 'restore', `${directory}/backups/one`, '--data-dir', `${directory}/restored`],
    ...['--archive', `${directory}/archive`, '--until', String(lastIndex)],
  );
  expect(restored).toMatchObject({ nodeId: 1, fromClusterId: saved['clusterId'], recovered: [] });
  await server.end('SIGKILL');
  const again = await start(`${directory}/restored`);
  expect((await ctl(again.endpoint, ['kv', 'get', 'precious'])).stdout).toBe('thing');
  expect((await ctl(again.endpoint, ['kv', 'get', 'later'])).stdout).toBe('too');
  expect(await json(again, 'status')).toMatchObject({ clusterId: restored['clusterId'] });
}, 60_000);

test.runIf(process.env['SHANGHAI_DEEP'] === '1')(
  'three nodes are loaded, saved, destroyed, and restored to three others that hold the same',
  async () => {
    const ports = await freePorts(3);
    const members = ports.map((port, i) => `${i + 1}=127.0.0.1:${port}`).join(',');
    const flags = (i: number) => [
      ...['--node-id', String(i + 1), '--initial-cluster', members, '--peer-port', String(ports[i])],
    ];
    const first = await Promise.all(ports.map((_, i) => start(`${directory}/old-${i}`, flags(i))));
    const [at] = first as [ServerProcess];
    const lines = Array.from({ length: 3000 }, (_, i) => JSON.stringify({ key: `key-${i}`, value: 'v'.repeat(300) }));
    const imported = await ctl(at.endpoint, ['kv', 'import', '-'], (child) => child.stdin?.end(lines.join('\n')));
    expect(imported).toMatchObject({ code: 0 });
    await json(at, 'snapshot', 'save', `${directory}/backups/three`);
    for (const server of first) await server.end('SIGKILL');
    const ids = new Set<unknown>();
    for (const i of [0, 1, 2]) {
      const restored = await json(
        at,
        ...['snapshot', 'restore', `${directory}/backups/three`, '--data-dir', `${directory}/new-${i}`],
        ...['--node-id', String(i + 1), '--initial-cluster', members],
      );
      ids.add(restored['clusterId']);
    }
    expect(ids.size).toBe(1);
    const second = await Promise.all(ports.map((_, i) => start(`${directory}/new-${i}`, flags(i))));
    const [reader] = second as [ServerProcess];
    const put = await ctl(reader.endpoint, ['kv', 'put', 'new', 'value', '--timeout-ms', '30000']);
    expect(put).toMatchObject({ code: 0 });
    const { stdout: exported } = await ctl(reader.endpoint, ['kv', 'export', '-', '--prefix', 'key-']);
    expect(exported.match(/^\{"key":/gm)).toHaveLength(3000);
    const { stdout } = await ctl(reader.endpoint, ['replicas', '--checksum', '--output', 'json']);
    const rows = (JSON.parse(stdout) as { groupId: number; checksum: string }[]).filter(({ groupId }) => groupId === 1);
    expect(rows).toHaveLength(3);
    expect(new Set(rows.map(({ checksum }) => checksum)).size).toBe(1);
  },
  180_000,
);
