/** Hosts on a write-ahead log and on gRPC, in real time. */
import { nodeClock, nodeRandom } from '@shanghai/env';
import { createMemoryDisk } from '@shanghai/env/testing';
import { openMemoryWal } from '@shanghai/wal/testing';
import { expect, test } from 'vitest';
import { openGrpcPeers } from '../src/grpc/index.js';
import { openRaftHost } from '../src/host/open-raft-host.js';
import { MemoryStateMachine } from '../src/testing/memory-state-machine.js';
import { openWalHostLog } from '../src/wal/index.js';
import { command, numbersOf } from './host-cluster.js';

const voters = [1, 2, 3];
const initial = { voters, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
const clock = nodeClock();
const random = nodeRandom();
let starts = 0;

type Node = Awaited<ReturnType<typeof openNode>>;

async function openNode(nodeId: number, disk = createMemoryDisk(), port = 0) {
  const wal = await openMemoryWal({ disk });
  const log = await openWalHostLog({ wal, loneVoter: nodeId, clock });
  const self = { clusterId: 'test', nodeId, instanceId: `instance-${nodeId}`, startId: `${nodeId}-${++starts}` };
  const book = { check: () => 'known' as const };
  const transport = await openGrpcPeers({ host: '127.0.0.1', port, self, book, clock, random });
  const host = await openRaftHost({ nodeId, log, transport, clock, random, limits: { tickMs: 30 } });
  return { nodeId, disk, wal, transport, host, machine: new MemoryStateMachine() };
}

const openGroups = ({ host, machine }: Node) => host.openGroup({ groupId: 1, machine, initial });

/** Looks until it is there; the test's own time bounds it. */
async function eventually<T>(look: () => T | undefined | false): Promise<T> {
  for (;;) {
    const found = look();
    if (found !== undefined && found !== false) return found;
    await new Promise((resolve) => clock.setTimer(5, () => resolve(undefined)));
  }
}

const leaderAmong = (nodes: readonly Node[]) =>
  nodes.find(({ host }) => host.group(1)?.status().role === 'StateLeader');

test('three hosts agree over sockets, and a node that comes back catches up', async () => {
  const nodes: Node[] = [];
  for (const nodeId of voters) nodes.push(await openNode(nodeId));
  const peers = nodes.map(({ nodeId, transport }) => ({ nodeId, address: transport.address }));
  for (const { host } of nodes) host.setPeers(peers);
  await Promise.all(nodes.map(openGroups));
  const leader = await eventually(() => leaderAmong(nodes));
  const proposeAll = (node: Node, numbers: readonly number[]) =>
    Promise.all(numbers.map((number) => node.host.group(1)?.propose(command(number, 1_000))));
  const first = Array.from({ length: 300 }, (_, i) => i);
  expect(await proposeAll(leader, first)).toEqual(first.map((number) => number + 1));

  const port = Number(leader.transport.address.split(':').at(-1));
  await leader.host.close(0);
  await leader.wal.close();
  const others = nodes.filter((node) => node !== leader);
  const next = await eventually(() => leaderAmong(others));
  const second = Array.from({ length: 100 }, (_, i) => 1_000 + i);
  await proposeAll(next, second);

  const back = await openNode(leader.nodeId, leader.disk, port);
  back.host.setPeers(peers);
  await openGroups(back);
  await eventually(() => back.machine.commands.length === 400);
  expect(numbersOf(back.machine.commands)).toEqual([...first, ...second]);
  const index = await back.host.group(1)?.readIndex();
  expect(index).toBeLessThanOrEqual(back.machine.appliedIndex);
  for (const { host, wal } of [...others, back]) {
    await host.close(0);
    await wal.close();
  }
}, 60_000);
