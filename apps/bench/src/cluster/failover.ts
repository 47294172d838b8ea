import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '@shanghai/client/grpc';
import { LatencyRecorder } from '../latency-recorder.js';
import type { Measurement } from '../report.js';
import type { BenchCluster } from './bench-cluster.js';

const key = new TextEncoder().encode('bench:failover');

/**
 * Kills the leader `times` times and measures, each time, from the kill to the first write that a client got acknowledged.
 * The client writes one after the other all the while, through one `put` with a long deadline: it finds the new leader by
 * itself. Killed nodes are started again and have caught up before the next kill.
 */
export async function measureFailover(cluster: BenchCluster, times: number): Promise<Measurement> {
  const latencies = new LatencyRecorder();
  const client = connect({ endpoints: cluster.endpoints, timeoutMs: 30_000, maxAttempts: 10_000 });
  const startMs = performance.now();
  let errors = 0;
  try {
    for (let round = 0; round < times; round++) {
      const leader = await cluster.leader();
      await client.put(key, new Uint8Array([round]));
      // Kills fall anywhere between two heartbeats.
      await sleep(100 + ((round * 37) % 100));
      const killing = cluster.kill(leader.nodeId);
      const killedMs = performance.now();
      try {
        await client.put(key, new Uint8Array([round, 1]));
        latencies.record(performance.now() - killedMs);
      } catch {
        errors++;
      }
      await killing;
      await cluster.startNode(leader.nodeId);
    }
  } finally {
    await client.close();
  }
  const latency = latencies.summary();
  return {
    operations: times - errors,
    errors,
    elapsedMs: performance.now() - startMs,
    ...(latency && { latency }),
  };
}
