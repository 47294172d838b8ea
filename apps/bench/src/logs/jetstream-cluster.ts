/** JetStream beside it, from the system's packages, with its defaults: it acknowledges what it has not synced. */
import { spawn } from 'node:child_process';
import { freePorts } from '@shanghai/env/testing';
import { connect } from 'nats';
import type { BenchScope } from '../bench-scope.js';
import { until } from '../cluster/until.js';

/** Whether a server can be started here. */
export async function hasJetStream(): Promise<boolean> {
  const child = spawn('nats-server', ['--version'], { stdio: 'ignore' });
  return await new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
  });
}

/** Starts so many servers and resolves to their addresses when streams can be made. */
export async function startJetStream(scope: BenchScope, members: number): Promise<readonly string[]> {
  const ports = await freePorts(2 * members);
  const routes = ports.slice(members).map((port) => `nats-route://127.0.0.1:${port}`);
  const clients = ports.slice(0, members).map((port) => `127.0.0.1:${port}`);
  for (let i = 0; i < members; i++) {
    const args = ['-a', '127.0.0.1', '-p', String(ports[i]), '-n', `n${i}`, '-js'];
    args.push('-sd', `${scope.directory}/jetstream-${members}-${i}`);
    if (members > 1) {
      args.push('--cluster_name', 'bench', '--cluster', routes[i] as string, '--routes', routes.join(','));
    }
    scope.own(spawn('nats-server', args, { stdio: 'ignore' }));
  }
  await until('starting JetStream', 30_000, () => makeStream(clients, members));
  return clients;
}

/** The stream of all cases. */
export const streamName = 'bench';

async function makeStream(clients: readonly string[], members: number): Promise<true | undefined> {
  const connection = await connect({ servers: [...clients], timeout: 5_000, maxReconnectAttempts: 0 });
  try {
    const manager = await connection.jetstreamManager();
    await manager.streams.add({ name: streamName, subjects: [streamName], num_replicas: members });
    return true;
  } finally {
    await connection.close();
  }
}
