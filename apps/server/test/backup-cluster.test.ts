import { loopTurn } from '@shanghai/env';
import { afterEach, expect, test } from 'vitest';
import { saveBackup } from '../src/backup/save-backup.js';
import { archive, copyTree, never, restore, save } from './backup-harness.js';
import { group, isReady, TestCluster } from './cluster-harness.js';
import { appendTo, createFaultDisk, createMemoryDisk, get, put, quorumLog, readLog, request } from './core-harness.js';

const clusters: TestCluster[] = [];

function cluster(): TestCluster {
  const made = new TestCluster(3);
  clusters.push(made);
  return made;
}

afterEach(async () => {
  for (const one of clusters.splice(0)) await one.close();
});

async function restoredCluster(from: ReturnType<typeof createMemoryDisk>, old: TestCluster, until: object) {
  const next = cluster();
  const ids = new Set<string>();

  for (const { nodeId } of old.members) {
    const disk = createFaultDisk({ seed: nodeId });
    for (const directory of ['backup', 'archive']) await copyTree(from, disk, directory);
    next.disks.set(nodeId, disk);
    const more = { nodeId, members: old.members, archive: { directory: 'archive', until } };
    ids.add((await restore(disk, 'backup', 'data', more)).clusterId);
  }
  return { next, ids: [...ids] };
}

test('a backup from a follower under load is everything that was acknowledged before, and a new cluster of three goes on with it', async () => {
  const old = cluster();
  await old.startAll();
  const leader = old.node(old.leader(1) ?? 0);
  const follower = old.node(old.ids.find((nodeId) => nodeId !== old.leader(1)) ?? 0);
  await old.during(leader.logs.create('events', quorumLog, request()));
  for (let i = 0; i < 20; i++) await old.during(put(leader, `key-${i}`, `${i}`));
  const shared = createMemoryDisk();
  let written = 20;
  let isSaved = false;
  const load = (async () => {
    for (; !isSaved && written < 300; written++) {
      await loopTurn();
      await put(leader, `key-${written}`, `${written}`);
      await appendTo(leader, 'events', `${written}`);
    }
  })();
  const manifest = await old.during(save(follower, shared, 'backup'));
  isSaved = true;
  await old.during(load);
  await old.during(archive(follower, shared, 'archive', manifest));
  const { next, ids } = await restoredCluster(shared, old, {
    index: manifest.groups.find(({ groupId }) => groupId === 1)?.appliedIndex,
  });
  expect(ids).toHaveLength(1);
  expect(ids[0]).not.toBe(manifest.clusterId);
  await old.close();
  await next.startAll();
  const reader = next.node(next.leader(1) ?? 0);
  const held: string[] = [];
  for (let i = 0; i < written; i++) {
    const value = await next.during(get(reader, `key-${i}`));
    if (value !== undefined) held.push(value);
  }
  expect(held.length).toBeGreaterThanOrEqual(20);
  expect(held).toEqual(held.map((_, i) => `${i}`));
  const logged = await next.during(readLog(reader, 'events'));
  expect(logged).toEqual(logged.map((_, i) => `${20 + i}`));
  await next.during(put(reader, 'new', 'value'));
  await next.until('all have it', () =>
    next.ids.every((id) => group(next.node(id), 1).appliedIndex === group(reader, 1).appliedIndex),
  );
  const sums = new Set<string>();
  for (const id of next.ids) {
    const found = (await next.node(id).checksums()).find(({ groupId }) => groupId === 1);
    sums.add(found?.checksum ?? '');
  }
  expect(sums.size).toBe(1);
}, 60_000);

test('nodes restored to different points are not of one cluster', async () => {
  const old = cluster();
  await old.startAll();
  const leader = old.node(old.leader(1) ?? 0);
  const shared = createMemoryDisk();
  const manifest = await old.during(save(leader, shared, 'backup'));
  await old.during(put(leader, 'a', 'b'));
  await old.during(put(leader, 'a', 'c'));
  await old.during(archive(leader, shared, 'archive', manifest));
  const at = manifest.groups.find(({ groupId }) => groupId === 1)?.appliedIndex ?? 0;
  const ids = new Set<string>();
  for (const index of [at, at + 1, at + 2]) {
    const more = { nodeId: 1, members: old.members, archive: { directory: 'archive', until: { index } } };
    ids.add((await restore(shared, 'backup', `data-${index}`, more)).clusterId);
  }
  ids.add((await restore(shared, 'backup', 'other', { nodeId: 1, members: old.members, clusterToken: 'x' })).clusterId);
  expect(ids.size).toBe(4);
  expect(old.ids.every((id) => isReady(old.node(id)))).toBe(true);
}, 60_000);

test('a follower that is cut off gives a backup only where it is asked for one as it is', async () => {
  const old = cluster();
  await old.startAll();
  const lone = old.ids.find((nodeId) => nodeId !== old.leader(1) && nodeId !== old.leader(0)) ?? 0;
  await old.during(put(old.node(old.leader(1) ?? 0), 'a', 'b'));
  for (const other of old.ids) if (other !== lone) old.network.cut(lone, other);
  const shared = createMemoryDisk();
  await expect(old.during(save(old.node(lone), shared, 'backup'))).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
  expect(await shared.stat('backup')).toBe(undefined);
  const parts = old.node(lone).saveSnapshot?.({ stale: true, signal: never });
  if (parts === undefined) throw new Error('no backups');
  const stale = await old.during(saveBackup(parts, { disk: shared, directory: 'backup' }));
  expect(stale.groups.map(({ groupId }) => groupId)).toEqual([1, 0]);
  old.network.heal();
}, 60_000);
