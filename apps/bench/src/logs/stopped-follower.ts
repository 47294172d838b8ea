/** The memory of a node that takes appends while a node that should follow it is stopped. */
import { connect } from '@shanghai/client/grpc';
import type { BenchScope } from '../bench-scope.js';
import { BenchCluster } from '../cluster/bench-cluster.js';
import type { Measurement } from '../report.js';
import { runProcess } from '../run-process.js';
import { valueBytes } from './entry-size.js';

const mib = 1024 * 1024;
const callers = '256';

/**
 * Three nodes, one killed, load on a multi-master log for so long. `firstMib` and `lastMib` are what the node that takes the
 * appends held after a third of the time and at its end: flat means that the second is not above the first by more than
 * a collector of garbage leaves lying about.
 */
export async function measureStoppedFollower(
  scope: BenchScope,
  program: string,
  seconds: number,
  round: number,
): Promise<Measurement> {
  const cluster = await BenchCluster.start(scope, `stopped-${round}`, 3);
  const client = connect({ endpoints: cluster.endpoints, timeoutMs: 30_000 });
  await client.log.create('l', { mode: 'multi-master' });
  await client.log.append('l', new Uint8Array(valueBytes));
  const taker = await cluster.leader();
  const stopped = cluster.ids.find((id) => id !== taker.nodeId) as number;
  await cluster.kill(stopped);
  const resident: number[] = [];
  const sampled = setInterval(() => {
    void taker.counters('').then(({ residentBytes }) => resident.push(residentBytes / mib));
  }, 1_000);
  const measured = await runProcess(scope, program, [taker.grpc, 'l', 'append', callers, String(seconds)]);
  clearInterval(sampled);
  await client.close();
  for (const id of cluster.ids) if (id !== stopped) await cluster.kill(id);
  const third = Math.floor(resident.length / 3);
  const middle = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  const details = { firstMib: middle(resident.slice(third, 2 * third)), lastMib: middle(resident.slice(2 * third)) };
  return { ...measured, details };
}
