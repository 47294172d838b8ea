/** Logs that every node writes: appends need no leader, begin at the first endpoint, and go on at another node. */
import { expect, test } from 'vitest';
import { createClient, type ShanghaiClient } from '../src/client.js';
import { MemoryCluster } from '../src/testing/memory-cluster.js';

async function setUp() {
  const cluster = new MemoryCluster(3);
  const [first, second, third] = cluster.endpoints as [string, string, string];
  // Node 2 is the client's own; node 1 leads.
  const client = createClient(cluster.network, { endpoints: [second, first, third], timeoutMs: 5_000 });
  await client.log.create('visits', { mode: 'multi-master' });
  await client.log.create('orders');
  const held = (log: string) =>
    [1, 2, 3].map((nodeId) => Number(cluster.node(nodeId).server.logs.describe(log).origins[0]?.lastSequence ?? 0));
  return { cluster, client, held };
}

async function append(client: ShanghaiClient, log: string, times: number): Promise<void> {
  for (let i = 0; i < times; i++) await Promise.all([client.log.append(log, 'x'), client.log.append(log, 'y')]);
}

test('appends go to the first endpoint, whoever leads; those of a log that a leader orders do not', async () => {
  const { client, held } = await setUp();
  await append(client, 'orders', 3);
  await append(client, 'visits', 3);
  await append(client, 'orders', 1);
  expect([held('visits'), held('orders')]).toEqual([
    [0, 6, 0],
    [8, 8, 8],
  ]);
  await client.close();
});

test('where nobody leads they go on, also those of a client that did not make the log', async () => {
  const { cluster, client, held } = await setUp();
  cluster.elect(undefined);
  await append(client, 'visits', 2);
  const stranger = createClient(cluster.network, { endpoints: cluster.endpoints.slice(1), timeoutMs: 5_000 });
  await append(stranger, 'visits', 2);
  expect(held('visits')).toEqual([0, 8, 0]);
  await expect(stranger.log.append('orders', 'x', { timeoutMs: 100 })).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
  await Promise.all([client.close(), stranger.close()]);
});

test('when the own node is gone another one takes them, without a leader too', async () => {
  const { cluster, client, held } = await setUp();
  await append(client, 'visits', 1);
  cluster.elect(undefined);
  cluster.kill(2);
  await append(client, 'visits', 2);
  const [first = 0, , third = 0] = held('visits');
  expect(first + third).toBe(4);
  await client.close();
});

test('a producer stays on the way to the leader, and who names the leader gets it', async () => {
  const { client, held } = await setUp();
  await client.log.append('visits', 'x', { producer: { producerId: 1, epoch: 1, sequence: 1 } });
  await client.log.append('visits', 'y', { at: 'leader' });
  expect(held('visits')[1]).toBe(0);
  await client.close();
});
