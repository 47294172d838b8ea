/** etcd beside it, from the system's packages: everything by default, so every put is synced on a majority. */
import { spawn } from 'node:child_process';
import { freePorts } from '@shanghai/env/testing';
import type { BenchScope } from '../bench-scope.js';
import type { ServerCounters } from '../server/bench-server.js';
import { until } from './until.js';

/** The leader of a running etcd. */
export interface EtcdLeader {
  readonly grpc: string;
  counters(method: string): Promise<ServerCounters>;
}

/** Whether etcd can be started here. */
export async function hasEtcd(): Promise<boolean> {
  const child = spawn('etcd', ['--version'], { stdio: 'ignore' });
  return await new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
  });
}

/** Starts a cluster of so many members and resolves to its leader. */
export async function startEtcd(scope: BenchScope, members: number): Promise<EtcdLeader> {
  const ports = await freePorts(2 * members);
  const url = (port: number | undefined) => `http://127.0.0.1:${port}`;
  const ids = Array.from({ length: members }, (_, i) => i);
  const cluster = ids.map((i) => `m${i}=${url(ports[members + i])}`).join(',');
  for (const i of ids) {
    const [client, peer] = [url(ports[i]), url(ports[members + i])];
    const args = [
      ...['--name', `m${i}`, '--data-dir', `${scope.directory}/etcd-${members}-${i}`],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', cluster, '--initial-cluster-token', scope.directory],
      ...['--logger', 'zap', '--log-level', 'error'],
    ];
    scope.own(spawn('etcd', args, { stdio: 'ignore' }));
  }
  const clients = ports.slice(0, members).map(url);
  const leader = await until('electing a leader of etcd', 20_000, () => leaderOf(clients));
  return { grpc: leader.slice('http://'.length), counters: (method) => readCounters(leader, method) };
}

/** The member whose own id is that of its leader. */
async function leaderOf(clients: readonly string[]): Promise<string | undefined> {
  for (const client of clients) {
    const response = await fetch(`${client}/v3/maintenance/status`, { method: 'POST', body: '{}' });
    const { header, leader } = (await response.json()) as { header?: { member_id?: string }; leader?: string };
    if (leader !== undefined && leader !== '0' && header?.member_id === leader) return client;
  }
  return undefined;
}

async function readCounters(client: string, method: string): Promise<ServerCounters> {
  const text = await (await fetch(`${client}/metrics`)).text();
  const name = method.slice(method.indexOf('/') + 1);
  // What is given up at the end of the measured time is told by several codes there, so none is told from another.
  let [ok, cancelled] = [0, 0];
  for (const [, labels = '', value] of text.matchAll(/^grpc_server_handled_total\{([^}]*)\} (\S+)$/gm)) {
    if (!labels.includes(`grpc_method="${name}"`)) continue;
    if (labels.includes('grpc_code="OK"')) ok += Number(value);
    else cancelled += Number(value);
  }
  const plain = (metric: string) => Number(new RegExp(`^${metric} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  return {
    ok,
    failed: 0,
    cancelled,
    cpuSeconds: plain('process_cpu_seconds_total'),
    walSyncs: plain('etcd_disk_wal_fsync_duration_seconds_count'),
    residentBytes: plain('process_resident_memory_bytes'),
  };
}
