/** Nodes that see each other by gossip on their peer listeners, on loopback, in one process. */
import { createSeededRandom } from '@shanghai/env';
import { createMemoryDisk, freePorts } from '@shanghai/env/testing';
import { afterEach, expect, test } from 'vitest';
import { gossipOf } from '../src/api/grpc/gossip-calls.js';
import type { ShanghaiNode } from '../src/node.js';
import { openNode } from '../src/open-node.js';
import { smallOptions } from './core-harness.js';

const nodes: ShanghaiNode[] = [];

afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.close(0).catch(() => undefined)));
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
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
  third.announce?.({ host: '127.0.0.1', grpcPort: 5, httpPort: 6 });
  await until(() => gossipOf(first).members()[2]?.tags.grpc === '127.0.0.1:5');
  expect(gossipOf(first).members()[2]?.tags).toEqual({
    ...{ name: 'called-3', version: '9.9', grpc: '127.0.0.1:5', http: '127.0.0.1:6' },
  });

  const { last } = gossipOf(first).events(0, 1);
  const heard = gossipOf(first).waitForEvent(last, 30_000);
  await third.close(0);
  await heard;
  await until(() => statesSeenBy(first) === '1 up, 2 up, 3 down');
  const types = gossipOf(first)
    .events(last, 10)
    .events.map(({ type, nodeId, before }) => `${type} ${nodeId} ${before}`);
  expect(types).toEqual(['suspect 3 up', 'down 3 suspect']);

  const before = gossipOf(first).members()[2]?.incarnation ?? 0;
  const again = await start(3);
  await until(() => [first, second, again].every((node) => statesSeenBy(node) === all));
  expect(gossipOf(first).members()[2]?.incarnation).toBeGreaterThan(before);

  await second.close(50);
  await until(() => statesSeenBy(first) === '1 up, 2 left, 3 up');
}, 60_000);

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
