// Three processes, and a client that works on while they are stopped, killed and paused, one after the other.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePorts } from '@shanghai/env/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { type ConnectOptions, connect } from '../src/grpc/connect.js';
import { type Freshness, type LogEntry, type ShanghaiClient, textOf } from '../src/index.js';

const main = fileURLToPath(new URL('../../../apps/server/dist/main.js', import.meta.url));
/** Minutes more on a slow machine; the chaos of the cluster in memory covers the same every time. */
const deep = process.env.SHANGHAI_DEEP === '1';
const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

interface RunningNode {
  readonly nodeId: number;
  readonly endpoint: string;
  readonly child: ChildProcess;
  /** Ends it with a signal, and waits until it has ended. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Three nodes with ports of their own, on disks of their own. */
class RealCluster {
  readonly nodes = new Map<number, RunningNode>();
  readonly #directory: string;
  readonly #peers: string;
  readonly #grpcPorts: readonly number[];

  constructor(directory: string, ports: readonly number[]) {
    this.#directory = directory;
    this.#peers = ports
      .slice(0, 3)
      .map((port, i) => `${i + 1}=127.0.0.1:${port}`)
      .join(',');
    this.#grpcPorts = ports.slice(3);
  }

  /** Addresses for clients, in the order of the ids. */
  get endpoints(): readonly string[] {
    return this.#grpcPorts.map((port) => `127.0.0.1:${port}`);
  }

  async start(nodeId: number): Promise<void> {
    const endpoint = this.endpoints[nodeId - 1] as string;
    const args = ['--node-id', `${nodeId}`, '--initial-cluster', this.#peers, '--http-port', '0'];
    args.push('--grpc-port', `${this.#grpcPorts[nodeId - 1]}`, '--data-dir', join(this.#directory, `${nodeId}`));
    args.push('--tick-ms', '50');
    const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const end = async (signal: NodeJS.Signals) => {
      child.kill(signal);
      await exited;
    };
    cleanUp.push(() => end('SIGKILL'));
    const output = createInterface({ input: child.stdout });
    await new Promise<void>((resolve, reject) => {
      output.on('line', (line) => {
        if ((JSON.parse(line) as { msg?: string }).msg === 'listening') resolve();
      });
      child.once('exit', () => reject(new Error(`node ${nodeId} ended before it listened`)));
    });
    this.nodes.set(nodeId, { nodeId, endpoint, child, end });
  }

  node(nodeId: number): RunningNode {
    return this.nodes.get(nodeId) as RunningNode;
  }
}

async function startCluster(): Promise<RealCluster> {
  const directory = await mkdtemp(join(tmpdir(), 'shanghai-client-'));
  cleanUp.push(() => rm(directory, { recursive: true, force: true }));
  const cluster = new RealCluster(directory, await freePorts(6));
  await Promise.all([1, 2, 3].map((nodeId) => cluster.start(nodeId)));
  return cluster;
}

/** A client that knows some of the nodes; closed at the end. */
function clientOf(endpoints: readonly string[], options: Partial<ConnectOptions> = {}): ShanghaiClient {
  const client = connect({ endpoints, timeoutMs: 30_000, ...options });
  cleanUp.push(() => client.close());
  return client;
}

/** The node that leads the data, as a node says. */
async function leaderOf(client: ShanghaiClient): Promise<number> {
  for (;;) {
    const { groups } = await client.status();
    const leader = groups.find(({ groupId }) => groupId === 1)?.leaderNodeId ?? 0;
    if (leader > 0) return leader;
  }
}

/** Works until it is told to stop: appends to keys and logs, and reads at every level. */
class Workload {
  done = 0;
  readonly #client: ShanghaiClient;
  readonly #finished: Promise<unknown>;
  readonly #appended = new Map<string, number>();
  #stopped = false;
  failure: unknown;

  constructor(client: ShanghaiClient, workers: number) {
    this.#client = client;
    const all = Array.from({ length: workers }, (_, i) => this.#work(`w${i}`, i + 1));
    this.#finished = Promise.all(all).catch((error: unknown) => {
      this.failure = error;
      this.#stopped = true;
    });
  }

  /** Resolves when so much more was done, or something failed. */
  async more(rounds: number): Promise<void> {
    const target = this.done + rounds;
    while (this.done < target && this.failure === undefined) await this.#client.get('pace');
    if (this.failure !== undefined) throw this.failure;
  }

  /** Stops, and checks that every acknowledged write is there once. */
  async check(): Promise<void> {
    this.#stopped = true;
    await this.#finished;
    if (this.failure !== undefined) throw this.failure;
    for (const [name, count] of this.#appended) {
      const expected = Array.from({ length: count }, (_, i) => `${i},`).join('');
      expect(await this.#client.getText(name)).toBe(expected);
    }
  }

  async #work(name: string, producerId: number): Promise<void> {
    const { log } = this.#client;
    for (let i = 0; !this.#stopped; i++, this.done++) {
      await this.#client.append(name, `${i},`);
      this.#appended.set(name, i + 1);
      const producer = { producerId, epoch: 1, sequence: i + 1 };
      const { lastSequence } = await log.append(`log-${name}`, `${i}`, { producer });
      expect(lastSequence).toBe(i + 1);
      for (const level of ['session', 'linearizable'] as const) {
        let token = '';
        const onFreshness = (freshness: Freshness) => {
          token = `${Buffer.from(freshness.token).toString('hex')}, ${freshness.staleMs} ms`;
        };
        const seen = await this.#client.getText(name, { level, onFreshness });
        expect(seen?.split(',').length, `${level} read of '${name}' with token ${token}`).toBe(i + 2);
      }
      await this.#client.getText(name, { level: 'stale' });
    }
  }
}

async function prepared(client: ShanghaiClient, workers: number): Promise<void> {
  for (let i = 0; i < workers; i++) await client.log.create(`log-w${i}`);
}

describe.skipIf(!existsSync(main))('a client and a real cluster', () => {
  it('work through a rolling restart without a single failed call, also without sessions', async () => {
    const cluster = await startCluster();
    const client = clientOf(cluster.endpoints.slice(0, 2));
    await prepared(client, 4);
    const workload = new Workload(client, 4);
    const plain = clientOf(cluster.endpoints, { sessions: false });
    let plainDone = 0;
    let stopped = false;
    const plainWork = (async () => {
      for (; !stopped; plainDone++) await plain.append('plain', 'x');
    })();
    plainWork.catch(() => {});
    await workload.more(12);
    for (const nodeId of [1, 2, 3]) {
      await cluster.node(nodeId).end('SIGTERM');
      await workload.more(12);
      await cluster.start(nodeId);
      await workload.more(12);
    }
    stopped = true;
    await plainWork;
    expect(await client.getText('plain')).toBe('x'.repeat(plainDone));
    await workload.check();
  }, 120_000);

  it.skipIf(!deep)(
    'lose nothing and do nothing twice although leaders are killed, and tails go on elsewhere',
    async () => {
      const cluster = await startCluster();
      const client = clientOf(cluster.endpoints);
      await prepared(client, 4);
      const tail = client.log.tail('log-w0')[Symbol.asyncIterator]();
      const workload = new Workload(client, 4);
      await workload.more(12);
      for (let round = 0; round < 2; round++) {
        const leader = await leaderOf(client);
        await cluster.node(leader).end('SIGKILL');
        await workload.more(12);
        await cluster.start(leader);
        await workload.more(10);
      }
      await workload.check();
      const { lastSequence } = await client.log.read('log-w0');
      for (let expected = 1; expected <= lastSequence; expected++) {
        expect(((await tail.next()).value as LogEntry).sequence).toBe(expected);
      }
      await tail.return?.();
    },
    120_000,
  );

  it('find the new leader although the old one only went silent', async () => {
    const cluster = await startCluster();
    const client = clientOf(cluster.endpoints, { timeoutMs: 20_000 });
    await client.put('a', '1');
    await client.log.create('events');
    const leader = await leaderOf(client);
    const { child } = cluster.node(leader);
    child.kill('SIGSTOP');
    const calls = Array.from({ length: 20 }, (_, i) => client.append('a', `,${i}`));
    calls.push(client.log.append('events', 'x', { producer: { producerId: 1, epoch: 1, sequence: 1 } }) as never);
    await Promise.all(calls);
    child.kill('SIGCONT');
    const numbers = ((await client.getText('a')) ?? '').split(',').slice(1).map(Number);
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    const { entries } = await client.log.read('events');
    expect(entries.map(({ value }) => textOf(value))).toEqual(['x']);
  }, 60_000);
});
