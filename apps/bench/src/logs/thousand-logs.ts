/** How long a node takes to open that holds a thousand named logs with entries in each. */
import { once } from 'node:events';
import { connect } from '@shanghai/client/grpc';
import type { BenchScope } from '../bench-scope.js';
import type { Measurement } from '../report.js';
import { startNode } from '../server/bench-server.js';
import { valueBytes } from './entry-size.js';

/** Named logs of the node. */
export const logCount = 1_000;

const entriesEach = 10;

/** Logs appended to at once: a log that is new makes its file, which is synced. */
const atOnce = 50;

/**
 * Fills a node, ends it as an operator would, and starts it again. `startMs`: from the start of the process until it
 * listens; `emptyMs`: the same of a node that holds nothing, so that the difference is what the logs cost.
 */
export async function measureThousandLogs(scope: BenchScope, round: number): Promise<Measurement> {
  const flags = ['--http-port', '0', '--grpc-port', '0'];
  const directory = `${scope.directory}/thousand-${round}`;
  const emptyMs = await startAndStop(scope, `${directory}-empty`, flags);
  const filled = await startNode(scope, directory, flags);
  const client = connect({ endpoints: [filled.grpc], timeoutMs: 60_000 });
  const record = new Uint8Array(valueBytes).fill(7);
  for (let i = 0; i < logCount; i++) await client.log.create(`log-${i}`);
  const before = await filled.counters('');
  const startedMs = performance.now();
  for (let round = 0; round < entriesEach; round++) {
    for (let from = 0; from < logCount; from += atOnce) {
      await Promise.all(Array.from({ length: atOnce }, (_, i) => client.log.append(`log-${from + i}`, record)));
    }
  }
  const elapsedMs = performance.now() - startedMs;
  const { walSyncs } = await filled.counters('');
  await client.close();
  await stop(filled.child);
  const startMs = await startAndStop(scope, directory, flags);
  const appends = logCount * entriesEach;
  const details = { startMs, emptyMs, logsMs: startMs - emptyMs, appendsASync: appends / (walSyncs - before.walSyncs) };
  return { operations: appends, errors: 0, elapsedMs, details };
}

async function startAndStop(scope: BenchScope, directory: string, flags: readonly string[]): Promise<number> {
  const fromMs = performance.now();
  const { child } = await startNode(scope, directory, flags);
  const startMs = performance.now() - fromMs;
  await stop(child);
  return startMs;
}

async function stop(child: Awaited<ReturnType<typeof startNode>>['child']): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}
