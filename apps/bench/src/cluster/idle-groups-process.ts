/**
 * `node idle-groups-process.js <groups> <seconds>`: three hosts in one process, each with so many groups, joined by gRPC on
 * loopback; when every group sleeps, the processor time of all three together while nothing happens. Logs and states are
 * in memory: resting groups write nothing. Prints the measurement as one line of JSON.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { nodeClock, nodeRandom } from '@shanghai/env';
import { openRaftHost, type RaftHost } from '@shanghai/raft';
import { openGrpcPeers } from '@shanghai/raft/grpc';
import { MemoryHostLog, MemoryStateMachine } from '@shanghai/raft/testing';
import { until } from './until.js';

const [groups, seconds] = process.argv.slice(2).map(Number);
if (!groups || !seconds) throw new TypeError('usage: idle-groups-process.js <groups> <seconds>');

const voters = [1, 2, 3];
const clock = nodeClock();
const random = nodeRandom();

async function openHost(nodeId: number) {
  const self = { clusterId: 'bench', nodeId, instanceId: `instance-${nodeId}`, startId: `start-${nodeId}` };
  const book = { check: () => 'known' as const };
  const transport = await openGrpcPeers({ host: '127.0.0.1', port: 0, self, book, clock, random });
  const host = await openRaftHost({ nodeId, log: new MemoryHostLog(clock), transport, clock, random });
  return { nodeId, host, address: transport.address };
}

async function openGroups(host: RaftHost): Promise<void> {
  const initial = { voters, learners: [], votersOutgoing: [], learnersNext: [], autoLeave: false };
  for (let groupId = 1; groupId <= (groups as number); groupId++) {
    await host.openGroup({ groupId, machine: new MemoryStateMachine(), initial });
  }
}

const nodes = await Promise.all(voters.map(openHost));
for (const { host, nodeId } of nodes) {
  host.setPeers(
    nodes.filter((one) => one.nodeId !== nodeId).map((one) => ({ nodeId: one.nodeId, address: one.address })),
  );
}
await Promise.all(nodes.map(({ host }) => openGroups(host)));
const startMs = performance.now();
await until('every group sleeps', 120_000, async () =>
  nodes.every(({ host }) => host.status().groups.every(({ isAsleep }) => isAsleep)) ? true : undefined,
);
const asleepMs = performance.now() - startMs;
await sleep(1_000);
const before = process.cpuUsage();
const fromMs = performance.now();
await sleep(seconds * 1_000);
const { user, system } = process.cpuUsage(before);
const elapsedMs = performance.now() - fromMs;
const coreShareOfEach = (user + system) / 1_000 / elapsedMs / nodes.length;
const awake = nodes.flatMap(({ host }) => host.status().groups.filter(({ isAsleep }) => !isAsleep)).length;
const details = { corePercentOfEach: 100 * coreShareOfEach, asleepAfterMs: asleepMs };
process.stdout.write(`${JSON.stringify({ operations: groups, errors: awake, elapsedMs, details })}\n`);
process.exit(0);
