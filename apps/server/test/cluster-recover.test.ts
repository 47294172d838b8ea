/** A cluster loses its majority for good, and goes on from the one node that is left. */
import { createManualClock, enumerateCrashes, type FaultDisk } from '@shanghai/env/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { reportText } from '../src/recover/recover-command.js';
import { recoverNode } from '../src/recover/recover-node.js';
import { encodeReadToken } from '../src/requests/read-token.js';
import { group, isReady, TestCluster } from './cluster-harness.js';
import { bytes, createFaultDisk, createSeededRandom, get, openTestNode, put, request } from './core-harness.js';

let cluster: TestCluster;

beforeEach(() => {
  cluster = new TestCluster(3);
});
afterEach(async () => {
  await cluster.close();
});

const clock = createManualClock(5_000_000);

function recover(nodeId: number, isConsented: boolean) {
  const disk = cluster.disks.get(nodeId);
  if (disk === undefined) throw new Error(`node ${nodeId} has no disk`);
  return recoverNode({ dataDirectory: 'data', isConsented, disk, clock });
}

/** Three nodes that have written something; then all are stopped, and two are destroyed. */
async function loseTwo(): Promise<number> {
  await cluster.startAll();
  await cluster.until('all are in the node table', () => cluster.node(1).status().nodes?.length === 3);
  const leader = cluster.leader(1) as number;
  for (let i = 0; i < 10; i++) await cluster.during(put(cluster.node(leader), `k${i}`, `v${i}`));
  const survivor = cluster.ids.find((nodeId) => nodeId !== leader) as number;
  const end = group(cluster.node(leader), 1).lastIndex;
  await cluster.until('the survivor has it all', () => group(cluster.node(survivor), 1).appliedIndex >= end);
  for (const nodeId of cluster.ids) await cluster.stop(nodeId, 0);
  return survivor;
}

test('what is there and what would be done is said, and nothing is changed without consent', async () => {
  const survivor = await loseTwo();
  const before = cluster.disks.get(survivor)?.contents('data/node.json');
  const report = await recover(survivor, false);
  const others = cluster.ids.filter((nodeId) => nodeId !== survivor);
  expect(report).toMatchObject({ isDone: false, nodeId: survivor, lostNodes: others.map((nodeId) => ({ nodeId })) });
  for (const { configuration, lastIndex, appliedIndex } of report.groups) {
    expect(configuration.voters).toEqual([1, 2, 3]);
    expect(lastIndex).toBeGreaterThanOrEqual(appliedIndex);
  }
  expect(reportText(report)).toContain('Nothing was changed.');
  expect(cluster.disks.get(survivor)?.contents('data/node.json')).toEqual(before);
  await cluster.start(survivor);
  const again = cluster.node(survivor).status();
  expect(again.groups.map(({ consensus }) => consensus?.configuration.voters)).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ]);
});

test('one node that is left serves everything it had, alone, and the lost ones are gone for good', async () => {
  const survivor = await loseTwo();
  const report = await recover(survivor, true);
  expect(reportText(report)).toContain('Done: ');
  await cluster.during(cluster.start(survivor));
  const node = cluster.node(survivor);
  await cluster.until('it is ready', () => isReady(node));
  for (let i = 0; i < 10; i++) expect(await cluster.during(get(node, `k${i}`))).toBe(`v${i}`);
  await cluster.during(put(node, 'after', '1'));
  await cluster.until('it is in its node table', () => node.status().nodes?.[0]?.instanceId === report.instanceId);
  expect(node.status().nodes?.map(({ nodeId }) => nodeId)).toEqual([survivor]);
  for (const { consensus } of node.status().groups) expect(consensus?.configuration.voters).toEqual([survivor]);
  for (const lost of cluster.ids.filter((nodeId) => nodeId !== survivor)) {
    expect(node.members?.check(lost, 'whoever').verdict).toBe('removed');
  }
  await cluster.stop(survivor);
  await cluster.during(cluster.start(survivor, { flags: false }));
  expect(await cluster.during(get(cluster.node(survivor), 'after'))).toBe('1');
});

test('new nodes join the one that is left, and are voters beside it', async () => {
  const survivor = await loseTwo();
  await recover(survivor, true);
  await cluster.during(cluster.start(survivor));
  await cluster.until('it is ready', () => isReady(cluster.node(survivor)));
  for (const nodeId of [4, 5]) await cluster.join(nodeId, survivor);
  const voters = [survivor, 4, 5];
  const votersOf = (nodeId: number, groupId: number) => {
    const { configuration } = group(cluster.node(nodeId), groupId).consensus ?? {};
    return configuration?.votersOutgoing.length === 0 ? configuration.voters.join() : 'joint';
  };
  for (const groupId of [0, 1]) {
    const isWhole = () => voters.every((nodeId) => votersOf(nodeId, groupId) === voters.join());
    await cluster.until(`three vote in group ${groupId}`, isWhole);
  }
  await cluster.stop(survivor, 0);
  await cluster.until('another one leads', () => cluster.leader(1) !== undefined && isReady(cluster.node(4)));
  expect(await cluster.during(get(cluster.node(4), 'k9'))).toBe('v9');
});

test('what the lost nodes gave out is not given out again', async () => {
  const survivor = await loseTwo();
  await cluster.start(survivor);
  await cluster.stop(survivor, 0);
  await recover(survivor, true);
  await cluster.during(cluster.start(survivor));
  const node = cluster.node(survivor);
  await cluster.until('it is ready', () => isReady(node));
  expect(await cluster.during(put(node, 'k0', 'new'))).toBeGreaterThan(2 ** 40);
  const { value } = await cluster.during(node.keyValue.openSession(60_000, request()));
  expect(value.sessionId).toBeGreaterThanOrEqual(2 ** 40);
  const old = encodeReadToken({ groupId: 1, index: 1000 });
  const read = node.keyValue.get(bytes('k1'), { keyspace: '', level: 'session', token: old }, request());
  await expect(cluster.during(read)).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
});

const isDeep = process.env['SHANGHAI_DEEP'] === '1';

// Some hundred recoveries and starts.
test.runIf(isDeep)('the power may fail at every step of a recovery: done again it ends the same', async () => {
  const survivor = await loseTwo();
  const left = cluster.disks.get(survivor) as FaultDisk;
  const options = { dataDirectory: 'data', isConsented: true, clock };
  const run = async (disk: FaultDisk, seed: number) => {
    await recoverNode({ ...options, disk, random: createSeededRandom(seed) });
  };
  await enumerateCrashes({
    randomDraws: 1,
    prepare: async (disk) => {
      for (const path of left.files()) disk.setContents(path, Buffer.from(left.contents(path) ?? []));
    },
    start: () => undefined,
    run: (disk) => run(disk, 5),
    verify: async (disk) => {
      await run(disk, 6);
      const node = await openTestNode(disk, createManualClock(6_000_000));
      expect(await get(node, 'k9')).toBe('v9');
      expect(await put(node, 'k0', 'new')).toBeGreaterThan(2 ** 40);
      expect(node.status().nodes?.map(({ nodeId }) => nodeId)).toEqual([survivor]);
      await node.close(0);
    },
  });
});

test('recovering again, and after it was broken off anywhere, ends the same', async () => {
  const survivor = await loseTwo();
  const disk = cluster.disks.get(survivor);
  const files = () =>
    new Map([...(disk?.files() ?? [])].map((path) => [path, Buffer.from(disk?.contents(path) ?? [])]));
  const before = files();
  await recover(survivor, true);
  // node.json is written first: with that alone no start gets far.
  const renewed = Buffer.from(disk?.contents('data/node.json') ?? []);
  for (const path of disk?.files() ?? []) if (!before.has(path)) await disk?.remove(path);
  for (const [path, bytes] of before) disk?.setContents(path, bytes);
  disk?.setContents('data/node.json', renewed);
  await expect(cluster.start(survivor)).rejects.toMatchObject({ code: 'REPLACED' });
  await recover(survivor, true);
  const { groups } = await recover(survivor, true);
  for (const { configuration } of groups) expect(configuration.voters).toEqual([survivor]);
  await cluster.during(cluster.start(survivor));
  expect(await cluster.during(get(cluster.node(survivor), 'k9'))).toBe('v9');
});

test('a directory that is none, that runs, or that is damaged is not recovered', async () => {
  const survivor = await loseTwo();
  await cluster.start(survivor);
  await expect(recover(survivor, true)).rejects.toMatchObject({ code: 'LOCKED' });
  await cluster.stop(survivor, 0);
  const disk = cluster.disks.get(survivor);
  await expect(
    recoverNode({ dataDirectory: 'elsewhere', isConsented: true, disk: createFaultDisk({ seed: 4 }), clock }),
  ).rejects.toMatchObject({ code: 'DAMAGED', message: expect.stringContaining('no node.json') });
  const segment = [...(disk?.files() ?? [])].find((path) => /data\/wal\/.*\.wal$/.test(path)) as string;
  const bytes = Buffer.from(disk?.contents(segment) as Uint8Array);
  bytes.fill(0xff, 4200, 4260);
  disk?.setContents(segment, bytes);
  const identity = disk?.contents('data/node.json');
  await expect(recover(survivor, true)).rejects.toThrow();
  expect(disk?.contents('data/node.json')).toEqual(identity);
});
