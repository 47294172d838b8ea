import type { Disk } from '@shanghai/env';
import { enumerateCrashes } from '@shanghai/env/testing';
import { MemoryReplicationNetwork } from '@shanghai/replication/testing';
import { expect, test } from 'vitest';
import type { LogSettings } from '../src/logs/log-requests.js';
import type { ShanghaiNode } from '../src/node.js';
import { TestCluster } from './cluster-harness.js';
import { appendTo, createFaultDisk, createManualClock, openTestNode, readLog, request, text } from './core-harness.js';

const deep = process.env['SHANGHAI_DEEP'] === '1';
const seed = 20_261;
const settings: LogSettings = {
  mode: 'multi-master',
  acknowledgement: 'local',
  retentionMs: 0,
  retentionBytes: 0,
  cleanupPolicy: 'delete',
};

interface Told {
  readonly log: string[];
  attempted: string[];
}

async function toldAppend(node: ShanghaiNode, told: Told, ...values: string[]): Promise<void> {
  told.attempted = values;
  await appendTo(node, 'events', ...values);
  told.log.push(...values);
  told.attempted = [];
}

async function verify(disk: Disk, told: Told): Promise<void> {
  const node = await openTestNode(disk, createManualClock(2_000_000));
  const entries = await readLog(node, 'events');
  expect(entries.slice(0, told.log.length)).toEqual(told.log);
  const more = entries.slice(told.log.length);
  // What was in flight is there whole or not at all.
  if (more.length > 0) expect(more).toEqual(told.attempted);
  expect(await appendTo(node, 'events', 'after')).toMatchObject({ epoch: 1, firstSequence: entries.length + 1 });
  await node.close(1000);
  const again = await openTestNode(disk, createManualClock(3_000_000));
  expect(await readLog(again, 'events')).toEqual([...entries, 'after']);
  await again.close(1000);
}

const scenario = {
  seed,
  randomDraws: deep ? 6 : 0,
  start: (): Told => ({ log: [], attempted: [] }),
  async prepare(disk: Disk) {
    const node = await openTestNode(disk, createManualClock(1_000_000));
    await node.logs.create('events', settings, request());
    await appendTo(node, 'events', 'e0');
    await node.logs.create('others', settings, request());
    await node.close(1000);
  },
  async run(disk: Disk, told: Told) {
    told.log.push('e0');
    const node = await openTestNode(disk, createManualClock(1_500_000));
    await toldAppend(node, told, 'e1', 'e2');
    await node.checkpoint();
    await Promise.all([toldAppend(node, told, 'e3'), appendTo(node, 'others', 'x')]);
  },
  verify,
};

test.runIf(deep)('a crash after any step loses no acknowledged entry of an origin, and none comes twice', async () => {
  expect((await enumerateCrashes<Told>(scenario)).steps).toBeGreaterThan(40);
});

test('a crash after some step of appends and checkpoints loses no acknowledged entry of an origin, and none comes twice', async () => {
  const prepared = createFaultDisk({ seed });
  await scenario.prepare(prepared);
  prepared.crash();
  const whole = prepared.restart('all', 0);
  await scenario.run(whole, scenario.start());
  // Those of the last half are of appends and checkpoints, those before of the start.
  for (let step = Math.floor(whole.steps / 2); step <= whole.steps; step += 3) {
    const disk = prepared.restart('all', 0);
    const told = scenario.start();
    disk.crashAfterStep(step);
    await scenario.run(disk, told).catch(() => undefined);
    if (!disk.crashed) disk.crash();
    await verify(disk.restart(step % 2 === 0 ? 'none' : 'random', step), told);
  }
});

async function valuesAt(node: ShanghaiNode): Promise<string[]> {
  const scope = { allOrigins: true, epoch: 0, order: 'time' } as const;
  const start = { from: 'sequence', sequence: 0 } as const;
  const page = await node.logs.read(
    { log: 'events', origin: 0, scope, start, limit: 10_000, maxBytes: 1 << 20 },
    request(),
  );
  return page.entries.map(({ origin, epoch, sequence, value }) => `${origin}.${epoch}.${sequence}=${text(value)}`);
}

test('a follower whose power fails while it takes entries over goes on where it was, and all copies come to be the same', async () => {
  const cluster = new TestCluster(3);
  const shipping = new MemoryReplicationNetwork({ clock: cluster.clock });
  const start = (nodeId: number) => cluster.start(nodeId, { replication: { transport: shipping.transport(nodeId) } });
  try {
    for (const nodeId of cluster.ids) await start(nodeId);
    const isReady = () =>
      cluster.ids.every((id) =>
        cluster
          .node(id)
          .readiness()
          .every(({ ok }) => ok),
      );
    await cluster.until('every node is ready', isReady);
    await cluster.during(cluster.node(1).logs.create('events', settings, request()));
    let appended = 0;
    for (const steps of deep ? Array.from({ length: 40 }, (_, i) => i + 1) : [1, 7, 13, 21, 34]) {
      const disk = cluster.disks.get(3);
      if (disk === undefined) throw new Error('node 3 has no disk');
      disk.crashAfterStep(disk.steps + steps);
      for (let i = 0; i < 8; i++) {
        await cluster.during(appendTo(cluster.node(1 + (i % 2)), 'events', `${steps}-${i}`));
        appended++;
      }
      for (let i = 0; i < 100 && !disk.crashed; i++) await cluster.clock.advance(50);
      if (!disk.crashed) disk.crash();
      const gone = cluster.node(3);
      cluster.nodes.delete(3);
      await cluster.during(gone.close(0).catch(() => undefined));
      cluster.disks.set(3, disk.restart(steps % 2 === 0 ? 'all' : 'none', steps));
      await cluster.during(start(3));
    }
    let seen: string[][] = [];
    for (let i = 0; i < 400; i++) {
      seen = await Promise.all(cluster.ids.map((id) => valuesAt(cluster.node(id))));
      if (seen.every((values) => values.length === appended)) break;
      await cluster.clock.advance(50);
    }
    expect(seen[0]?.length).toBe(appended);
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
  } finally {
    await cluster.close();
  }
});

test('a damaged copy of a stream is given up at the next start and comes anew; where it is the own one in a new epoch', async () => {
  const cluster = new TestCluster(3);
  const shipping = new MemoryReplicationNetwork({ clock: cluster.clock });
  const start = (nodeId: number) => cluster.start(nodeId, { replication: { transport: shipping.transport(nodeId) } });
  const untilSame = async (entries: number) => {
    for (let i = 0; i < 400; i++) {
      const reads = cluster.ids.map((id) => valuesAt(cluster.node(id)).catch(() => []));
      const seen = await cluster.during(Promise.all(reads));
      if (seen.every((values) => values.length === entries)) return seen;
      await cluster.clock.advance(50);
    }
    throw new Error('the copies do not come to be the same');
  };
  try {
    for (const nodeId of cluster.ids) await start(nodeId);
    const isReady = () =>
      cluster.ids.every((id) =>
        cluster
          .node(id)
          .readiness()
          .every(({ ok }) => ok),
      );
    await cluster.until('every node is ready', isReady);
    await cluster.during(cluster.node(1).logs.create('events', settings, request()));
    for (let i = 0; i < 20; i++) await cluster.during(appendTo(cluster.node(1 + (i % 3)), 'events', `${i}`));
    await untilSame(20);
    for (const [nodeId, origin] of [
      [3, 1],
      [2, 2],
    ] as const) {
      await cluster.during(cluster.node(nodeId).checkpoint());
      await cluster.stop(nodeId);
      const disk = cluster.disks.get(nodeId) as Disk;
      const directory = `data/logs/1/${origin}.1`;
      for (const name of await disk.list(directory)) await disk.remove(`${directory}/${name}`);
      await cluster.during(start(nodeId));
    }
    const seen = await untilSame(20);
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
    expect(await cluster.during(appendTo(cluster.node(2), 'events', 'next'))).toMatchObject({
      epoch: 2,
      firstSequence: 1,
    });
    expect(await cluster.during(appendTo(cluster.node(3), 'events', 'next'))).toMatchObject({
      epoch: 1,
      firstSequence: 7,
    });
    const after = await untilSame(22);
    expect(after[0]).toEqual(after[2]);
  } finally {
    await cluster.close();
  }
});
