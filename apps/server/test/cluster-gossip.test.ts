/** Nodes that see each other by gossip on their peer listeners, on loopback, in one process. */
import { createSeededRandom } from '@shanghai/env';
import { createMemoryDisk, freePorts } from '@shanghai/env/testing';
import { afterEach, expect, test } from 'vitest';
import { gossipOf } from '../src/api/grpc/gossip-calls.js';
import type { ShanghaiNode } from '../src/node.js';
import { openNode } from '../src/open-node.js';
import { ServerError } from '../src/requests/server-error.js';
import { group, leaderCallsTo } from './cluster-harness.js';
import { smallOptions } from './core-harness.js';

const nodes: ShanghaiNode[] = [];

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close(0).catch(() => undefined)));
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}

function nodeAt(address: string): ShanghaiNode {
  const node = nodes.find((one) => address === `node-${one.status().nodeId}:1`);
  if (node === undefined) throw new ServerError('CLUSTER_ERROR', `'${address}' cannot be reached`);
  return node;
}

/** Takes a node out at whoever leads the system group by then. */
async function takeOut(nodeId: number, asked: readonly ShanghaiNode[]): Promise<void> {
  for (;;) {
    const leader = asked.find((node) => group(node, 0).role === 'leader');
    try {
      if (leader !== undefined) return await leader.members?.leave(nodeId, true);
    } catch (error) {
      if (!(error instanceof ServerError)) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const statesSeenBy = (node: ShanghaiNode) =>
  gossipOf(node)
    .members()
    .map(({ nodeId, state }) => `${nodeId} ${state}`)
    .join(', ');

test('nodes see each other up, one that crashed down, one that stopped in order as left, and one that is back as up', async () => {
  const ports = await freePorts(3);
  const initialMembers = ports.map((port, i) => ({ nodeId: i + 1, peerAddress: `127.0.0.1:${port}` }));
  const disks = ports.map(() => createMemoryDisk());
  let starts = 0;
  const start = async (nodeId: number) => {
    const node = await openNode({
      dataDirectory: 'data',
      nodeId,
      initialMembers,
      disk: disks[nodeId - 1] as ReturnType<typeof createMemoryDisk>,
      random: createSeededRandom(1000 * nodeId + ++starts),
      nodeName: `called-${nodeId}`,
      program: '9.9',
      addresses: { grpc: `node-${nodeId}:1`, http: '' },
      leaderCalls: () => leaderCallsTo(nodeAt),
      membership: { tuning: { profile: 'local' } },
      ...smallOptions,
    });
    nodes.push(node);
    return node;
  };
  const [first, second, third] = [await start(1), await start(2), await start(3)];
  const all = '1 up, 2 up, 3 up';
  await until(() => nodes.every((node) => statesSeenBy(node) === all));
  expect(gossipOf(first).members()[1]).toMatchObject({ name: 'called-2', address: initialMembers[1]?.peerAddress });
  expect(gossipOf(first).members()[2]?.tags).toEqual({
    ...{ name: 'called-3', version: '9.9', grpc: 'node-3:1' },
  });

  const { last } = gossipOf(first).events(0, 1);
  const heard = gossipOf(first).waitForEvent(last, 30_000);
  await third.close(0);
  await heard;
  await until(() => statesSeenBy(first) === '1 up, 2 up, 3 down');
  const types = gossipOf(first)
    .events(last, 10)
    .events.filter(({ nodeId }) => nodeId === 3)
    .map(({ type, nodeId, before }) => `${type} ${nodeId} ${before}`);
  expect(types).toEqual(['suspect 3 up', 'down 3 suspect']);

  const before = gossipOf(first).members()[2]?.incarnation ?? 0;
  const again = await start(3);
  await until(() => [first, second, again].every((node) => statesSeenBy(node) === all));
  expect(gossipOf(first).members()[2]?.incarnation).toBeGreaterThan(before);

  await again.close(50);
  await until(() => statesSeenBy(first) === '1 up, 2 up, 3 left');
  // Whom the node table has taken out is out here too, whatever it is or says.
  await takeOut(3, [first, second]);
  await until(() => first.members?.settings().removedNodeIds.includes(3) === true);
  await until(() => statesSeenBy(first) === '1 up, 2 up, 3 removed' && statesSeenBy(second) === statesSeenBy(first));
}, 30_000);

test('a node alone sees itself', async () => {
  const node = await openNode({
    dataDirectory: 'data',
    disk: createMemoryDisk(),
    random: createSeededRandom(5),
    ...smallOptions,
  });
  nodes.push(node);
  expect([statesSeenBy(node), gossipOf(node).events(0, 9)]).toEqual(['1 up', { events: [], last: 0 }]);
});
