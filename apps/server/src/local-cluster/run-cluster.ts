/**
 * The processes of a local cluster. They live as long as this one: a signal here is passed on, and a node whose channel to
 * this process breaks stops by itself, so that nothing is left behind however this one ends. A node that ends alone, as
 * when it is killed to see what happens, leaves the others running.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalNode } from './cluster-command.js';
import { linePrefixer } from './line-prefixer.js';

/** What a node tells the process that started it. */
export interface ListeningMessage {
  readonly type: 'listening';
  readonly http: string;
  readonly grpc: string;
}

/** How a cluster is run. */
export interface LocalClusterOptions {
  readonly nodes: readonly LocalNode[];
  /** The server's program. */
  readonly program: string;
  readonly out: NodeJS.WritableStream;
  readonly err: NodeJS.WritableStream;
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const readyTimeoutMs = 15_000;
const readyPollMs = 100;
const colours = [36, 33, 35, 32, 34, 31];

/** Starts the nodes, says where they listen, and resolves with an exit code when all have ended. */
export async function runCluster(options: LocalClusterOptions): Promise<number> {
  const { nodes, err } = options;
  const children = nodes.map((node) => startNode(node, options));
  const stop = (signal: NodeJS.Signals) => {
    for (const { child } of children) child.kill(signal);
  };
  for (const signal of signals) process.on(signal, stop);
  try {
    const addresses = await Promise.all(children.map(({ listening }) => listening));
    if (addresses.includes(undefined)) stop('SIGTERM');
    else await untilReady(addresses as readonly ListeningMessage[], children);
    if (!addresses.includes(undefined)) err.write(clusterBanner(nodes, addresses as readonly ListeningMessage[]));
    const codes = await Promise.all(children.map(({ ended }) => ended));
    return codes.find((code) => code !== 0) ?? 0;
  } finally {
    for (const signal of signals) process.off(signal, stop);
  }
}

/** Until every node is ready, some seconds at most, or one has ended: who reads the banner wants to try things. */
async function untilReady(addresses: readonly ListeningMessage[], nodes: readonly RunningNode[]): Promise<void> {
  const endMs = performance.now() + readyTimeoutMs;
  for (const { http } of addresses) {
    while (performance.now() < endMs && nodes.every(({ child }) => child.exitCode === null && !child.killed)) {
      const isReady = await fetch(`http://${http}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isReady) break;
      await sleep(readyPollMs);
    }
  }
}

interface RunningNode {
  readonly child: ChildProcess;
  /** `undefined`: it ended before it listened. */
  readonly listening: Promise<ListeningMessage | undefined>;
  /** Its exit code; 128 and its number where a signal ended it. */
  readonly ended: Promise<number>;
}

function startNode(node: LocalNode, { program, out, err }: LocalClusterOptions): RunningNode {
  const child = spawn(process.execPath, [program, ...node.args], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const isTerminal = 'isTTY' in out && out.isTTY === true;
  const name = `node-${node.nodeId} | `;
  const prefix = isTerminal ? `\u001b[${colours[(node.nodeId - 1) % colours.length]}m${name}\u001b[0m` : name;
  child.stdout?.pipe(linePrefixer(prefix)).pipe(out, { end: false });
  child.stderr?.pipe(linePrefixer(prefix)).pipe(err, { end: false });
  const exit = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const message = once(child, 'message') as Promise<[ListeningMessage]>;
  const ended = exit.then(([code, signal]) => {
    err.write(`${prefix}ended ${signal === null ? `with exit code ${code}` : `by ${signal}`}\n`);
    return code ?? 128 + constants.signals[signal as NodeJS.Signals];
  });
  const listening = Promise.race([message.then(([said]) => said), ended.then(() => undefined)]);
  return { child, listening, ended };
}

function clusterBanner(nodes: readonly LocalNode[], addresses: readonly ListeningMessage[]): string {
  const lines = nodes.map(({ nodeId, dataDir }, i) => {
    const { http, grpc } = addresses[i] as ListeningMessage;
    return `    node-${nodeId}  HTTP http://${http}  gRPC ${grpc}  data in ${dataDir}`;
  });
  const [first, second = first] = addresses.map(({ http }) => http);
  return `
  a cluster of ${nodes.length}

${lines.join('\n')}

  Try:
    curl -X PUT http://${first}/kv/hello -H 'Content-Type: application/json' -d '{"value":"world"}'
    curl http://${second}/kv/hello
    shanghaictl --endpoint ${addresses.map(({ grpc }) => grpc).join(',')} groups

  Ctrl-C stops all of them.

`;
}
