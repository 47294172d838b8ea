import type { FaultDisk } from '@shanghai/env/testing';
import type { SnapshotEvent } from '@shanghai/raft';
import { afterEach, expect, test } from 'vitest';
import type { ShanghaiNode } from '../src/node.js';
import { group, isReady, TestCluster } from './cluster-harness.js';
import { appendTo, by, bytes, createFaultDisk, get, put, quorumLog, readLog, request, text } from './core-harness.js';

let cluster: TestCluster;
let received: (SnapshotEvent & { from: number })[];

afterEach(async () => {
  await cluster.close();
});

/** Three nodes that keep nothing in the log that is durable elsewhere. */
async function three(): Promise<void> {
  received = [];
  cluster = new TestCluster(3, {
    raft: { compactBytes: 0, trailingEntries: 0, trailingBytes: 0 },
    raftListener: { snapshotReceived: (event) => void received.push(event) },
  });
  for (const nodeId of cluster.ids) cluster.disks.set(nodeId, createFaultDisk({ seed: nodeId }));
  await cluster.startAll();
}

function lead(): { leader: ShanghaiNode; leaderId: number; laggardId: number } {
  const leaderId = cluster.leader(1) as number;
  const laggardId = cluster.ids.find((nodeId) => nodeId !== leaderId && nodeId !== cluster.leader(0)) as number;
  return { leader: cluster.node(leaderId), leaderId, laggardId };
}

const appendOnce = {
  kind: 'independent',
  operations: [{ type: 'append', key: bytes('once'), value: bytes('x') }],
} as const;

async function checksum(node: ShanghaiNode) {
  return (await cluster.during(node.checksums())).find(({ groupId }) => groupId === 1);
}

async function written(leader: ShanghaiNode): Promise<{ sessionId: number }> {
  await cluster.during(leader.logs.create('events', quorumLog, request()));
  const { value } = await cluster.during(leader.keyValue.openSession(0, request()));
  const session = { sessionId: value.sessionId, requestNumber: 1, retry: false };
  await cluster.during(leader.keyValue.write(appendOnce, by(session), request()));
  for (let i = 0; i < 40; i++) {
    await cluster.during(put(leader, `k${i % 10}`, `${i}${'v'.repeat(500)}`));
    await cluster.during(appendTo(leader, 'events', `e${i}`));
  }
  return { sessionId: value.sessionId };
}

test('a follower that was away for longer than the log reaches back gets a snapshot, and has everything', async () => {
  await three();
  const { leader, laggardId } = lead();
  const laggard = cluster.node(laggardId);
  cluster.network.cut(laggardId);
  const { sessionId } = await written(leader);
  for (const node of cluster.nodes.values()) if (node !== laggard) await cluster.during(node.checkpoint());
  for (let i = 0; i < 5; i++) await cluster.during(put(leader, `after-${i}`, 'y'));
  expect(group(leader, 1).firstIndex).toBeGreaterThan(group(laggard, 1).lastIndex + 1);
  cluster.network.heal();
  await cluster.until('it has caught up', () => {
    return isReady(laggard) && group(laggard, 1).appliedIndex === group(leader, 1).appliedIndex;
  });
  expect(received.filter(({ error }) => error === undefined).map(({ groupId }) => groupId)).toContain(1);
  expect(await cluster.during(get(laggard, 'k9'))).toBe(`39${'v'.repeat(500)}`);
  expect(await cluster.during(get(laggard, 'after-4'))).toBe('y');
  expect(await cluster.during(readLog(laggard, 'events'))).toEqual(Array.from({ length: 40 }, (_, i) => `e${i}`));
  expect(await checksum(laggard)).toEqual(await checksum(leader));

  // It goes on from there, over a restart, and as the leader: what was answered before is not done again.
  await cluster.stop(laggardId);
  await cluster.start(laggardId);
  await cluster.until('it is ready', () => isReady(cluster.node(laggardId)));
  for (const nodeId of cluster.ids) {
    if (nodeId === laggardId || nodeId === cluster.ids.find((one) => one !== laggardId)) continue;
    await cluster.stop(nodeId, 0);
  }
  await cluster.until('there is a leader', () =>
    [0, 1].every(
      (groupId) => cluster.leader(groupId) !== undefined && group(cluster.node(laggardId), groupId).leaderNodeId !== 0,
    ),
  );
  const led = cluster.node(cluster.leader(1) as number);
  const session = { sessionId, requestNumber: 1, retry: true };
  await cluster.during(led.keyValue.write(appendOnce, by(session), request()));
  expect(await cluster.during(get(led, 'once'))).toBe('x');
  await cluster.during(appendTo(led, 'events', 'on'));
  expect((await cluster.during(readLog(cluster.node(laggardId), 'events'))).at(-1)).toBe('on');
});

test('who follows a log goes on over a snapshot, and who watches keys is told where to begin', async () => {
  await three();
  const { leader, laggardId } = lead();
  const laggard = cluster.node(laggardId);
  await cluster.during(leader.logs.create('events', quorumLog, request()));
  await cluster.during(appendTo(leader, 'events', 'first'));
  expect(await cluster.during(readLog(laggard, 'events'))).toEqual(['first']);
  const end = new AbortController();
  const tail = laggard.logs.tail({ log: 'events', origin: 0, start: { from: 'end' } }, request(end.signal));
  const tailed: (string | undefined)[] = [];
  const tailing = (async () => {
    for await (const page of tail) tailed.push(...page.entries.map((entry) => text(entry.value)));
  })();
  const watch = laggard.keyValue.watch({ keyspace: '' }, request(end.signal))[Symbol.asyncIterator]();
  await watch.next();
  const watching = watch.next();
  watching.catch(() => undefined);
  await cluster.clock.advance(100);
  cluster.network.cut(laggardId);
  for (let i = 0; i < 20; i++) {
    await cluster.during(put(leader, `k${i}`, 'v'));
    await cluster.during(appendTo(leader, 'events', `e${i}`));
  }
  for (const node of cluster.nodes.values()) if (node !== laggard) await cluster.during(node.checkpoint());
  cluster.network.heal();
  await cluster.until('it has caught up', () => group(laggard, 1).appliedIndex === group(leader, 1).appliedIndex);
  expect(received.some(({ groupId, error }) => groupId === 1 && error === undefined)).toBe(true);
  await cluster.during(appendTo(leader, 'events', 'last'));
  await cluster.until('the tail has it all', () => tailed.at(-1) === 'last');
  expect(tailed).toEqual([...Array.from({ length: 20 }, (_, i) => `e${i}`), 'last']);
  await expect(watching).rejects.toMatchObject({
    code: 'OUT_OF_RANGE',
    details: { firstRevision: expect.any(Number), firstPosition: expect.any(String) },
  });
  end.abort();
  await tailing;
});

test('a power failure between the state’s change and the log’s hearing of it leaves a follower that goes on', async () => {
  await three();
  const { leader, laggardId } = lead();
  await cluster.stop(laggardId);
  const disk = cluster.disks.get(laggardId) as FaultDisk;
  await written(leader);
  for (const node of cluster.nodes.values()) await cluster.during(node.checkpoint());
  let release = () => {};
  const stalled = new Promise<void>((resolve) => {
    release = resolve;
  });
  // The directory of the earlier state goes when the new one is the group's, and before anybody else is told.
  disk.inject({
    operation: 'remove',
    path: /groups\/1\//,
    times: Number.POSITIVE_INFINITY,
    effect: { kind: 'stall', release: stalled },
  });
  const doomed = await cluster.start(laggardId);
  await cluster.until('the new state is the group’s', () => disk.files().includes('/data/groups/1.current'));
  await cluster.clock.advance(1000);
  expect(received.filter(({ groupId, error }) => groupId === 1 && error === undefined)).toHaveLength(1);
  expect(group(doomed, 1).firstIndex).toBeLessThan(group(leader, 1).firstIndex);
  disk.crash();
  release();
  cluster.nodes.delete(laggardId);
  await cluster.during(doomed.close(0).catch(() => undefined));
  cluster.disks.set(laggardId, disk.restart('none'));
  const again = await cluster.start(laggardId);
  await cluster.until('it has caught up', () => {
    return isReady(again) && group(again, 1).appliedIndex === group(leader, 1).appliedIndex;
  });
  expect(received.filter(({ groupId, error }) => groupId === 1 && error === undefined)).toHaveLength(1);
  expect(await cluster.during(get(again, 'once'))).toBe('x');
  expect(await checksum(again)).toEqual(await checksum(leader));
  expect((await cluster.during(readLog(again, 'events'))).length).toBe(40);
});
