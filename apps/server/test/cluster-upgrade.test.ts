/**
 * A cluster whose data directories the first release wrote that knew clusters (testdata/make-cluster-directories.mjs) is
 * upgraded node by node. The older program is this one with what it knows cut down to the first version; the real one is
 * started in tools/old-release.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureDirectory } from '@shanghai/env';
import { createFaultDisk, type FaultDisk } from '@shanghai/env/testing';
import { afterEach, expect, test } from 'vitest';
import type { ShanghaiNode } from '../src/node.js';
import { ServerError } from '../src/requests/server-error.js';
import { clusterVersionName, supportedVersions } from '../src/version/cluster-version.js';
import { isReady, TestCluster } from './cluster-harness.js';
import { bytes, get, put, readLog, request, text } from './core-harness.js';

const kept = fileURLToPath(new URL('../testdata/', import.meta.url));
const firstRelease = { lowest: 1, highest: 1 };
const present = supportedVersions.highest;
let cluster: TestCluster;

afterEach(async () => {
  await cluster.close();
});

/** A kept directory on a disk, in the place where it was written: not a copy. */
async function restored(directory: string, nodeId: number): Promise<FaultDisk> {
  const disk = createFaultDisk({ seed: nodeId });
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const place = `data/${path.slice(directory.length + 1)}`;
    if (entry.isDirectory()) continue;
    await ensureDirectory(disk, place.split('/').slice(0, -1).join('/'));
    disk.setContents(place, readFileSync(path));
  }
  const { inode, birthTimeMs } = (await disk.stat('data/wal')) as { inode: number; birthTimeMs: number };
  const identity = JSON.parse(Buffer.from(disk.contents('data/node.json')).toString());
  disk.setContents('data/node.json', bytes(JSON.stringify({ ...identity, wal: { inode, birthTimeMs } })));
  return disk;
}

/** What the kept cluster holds. */
async function expectKept(node: ShanghaiNode): Promise<void> {
  const during = <Result>(work: Promise<Result>) => cluster.during(work);
  for (let i = 0; i < 20; i++) expect(await during(get(node, `key-${i}`))).toBe(i === 7 ? undefined : `value-${i}`);
  expect(await during(get(node, 'last'))).toBe('word');
  expect(await during(get(node, 'pieces'))).toBe('once');
  const users = { keyspace: 'users', level: 'linearizable' } as const;
  expect(text((await during(node.keyValue.get(bytes('ann'), users, request()))).value?.value)).toBe('1');
  expect(await during(readLog(node, 'events'))).toEqual(['one', 'two', 'three']);
}

const versionsSeen = () => [...cluster.nodes.values()].map((node) => node.status().clusterVersion);
const allReady = () => [...cluster.nodes.values()].every(isReady);

/** Writes as a client does: where nothing was done, again. */
async function write(key: string): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const leader = cluster.nodes.get(cluster.leader(1) ?? 0);
    try {
      if (leader === undefined) throw new ServerError('CLUSTER_ERROR', 'nobody leads');
      await cluster.during(put(leader, key, key));
      return;
    } catch (error) {
      const isUndone = error instanceof ServerError && ['CLUSTER_ERROR', 'SERVICE_UNAVAILABLE'].includes(error.code);
      if (!isUndone || attempt > 200) throw error;
      await cluster.clock.advance(50);
    }
  }
}

async function threeOfFirstRelease(): Promise<void> {
  cluster = new TestCluster(3);
  const isOld = (nodeId: number) =>
    cluster.nodes
      .get(nodeId)
      ?.status()
      .nodes?.every(({ versions }) => !versions);
  // The first release neither asked for the time nor answered.
  cluster.network.filter = (from, to, { clock }) => clock === undefined || !(isOld(from) || isOld(to));
  for (const nodeId of cluster.ids) {
    cluster.disks.set(nodeId, await restored(join(kept, 'v1-cluster', String(nodeId)), nodeId));
    await cluster.start(nodeId, { flags: false, versions: firstRelease });
  }
  await cluster.until('the cluster of the first release is ready', allReady);
}

test('the kept cluster is upgraded node by node: all data stays, and the version is raised after the last', async () => {
  await threeOfFirstRelease();
  for (const node of cluster.nodes.values()) await expectKept(node);
  const written: string[] = [];
  for (const nodeId of cluster.ids) {
    expect(new Set(versionsSeen())).toEqual(new Set([1]));
    const join = { nodeId: 0, name: '', instanceId: 'new', peerAddress: 'node-4:9190' };
    const asked = cluster.during(cluster.node(nodeId).members?.join(join) as Promise<unknown>);
    await expect(asked).rejects.toMatchObject({ code: 'UNSUPPORTED', details: { clusterVersion: 1 } });
    await cluster.stop(nodeId);
    await write(`without ${nodeId}`);
    await cluster.start(nodeId, { flags: false, program: '0.2.0' });
    await cluster.until(`node ${nodeId} is back`, allReady);
    await write(`with ${nodeId}`);
    written.push(`without ${nodeId}`, `with ${nodeId}`);
  }
  await cluster.until('all know the new version', () => versionsSeen().every((version) => version === present));
  for (const node of cluster.nodes.values()) {
    await expectKept(node);
    for (const key of written) expect(await cluster.during(get(node, key))).toBe(key);
    expect(node.status().clusterVersionName).toBe(clusterVersionName(present));
    const versions = node.status().nodes?.map((one) => one.versions);
    expect(versions).toEqual(cluster.ids.map(() => ({ program: '0.2.0', lowest: 1, highest: present })));
  }
  const [first, ...others] = await Promise.all([...cluster.nodes.values()].map((node) => node.checksums()));
  for (const other of others) expect(other).toEqual(first);
});

test('a program of the first release does not come back into a cluster that was upgraded, and says why', async () => {
  await threeOfFirstRelease();
  for (const nodeId of cluster.ids) {
    await cluster.stop(nodeId);
    await cluster.start(nodeId, { flags: false });
  }
  await cluster.until('all know the new version', () => versionsSeen().every((version) => version === present));
  await cluster.until('it is ready', allReady);
  await cluster.stop(3);
  await expect(cluster.start(3, { flags: false, versions: firstRelease })).rejects.toMatchObject({
    code: 'UNSUPPORTED_FORMAT',
    message: expect.stringContaining(
      `works in version ${clusterVersionName(present)}, this program supports 0.1; start a newer program`,
    ),
  });
});

test('a node that is lost before it could be upgraded is taken out, and holds the version back no longer', async () => {
  await threeOfFirstRelease();
  for (const nodeId of [1, 2]) {
    await cluster.stop(nodeId);
    await cluster.start(nodeId, { flags: false });
    await cluster.until(`node ${nodeId} is back`, allReady);
  }
  await cluster.stop(3);
  await cluster.until('the others lead', () => cluster.leader(0) !== undefined && cluster.leader(1) !== undefined);
  expect(versionsSeen()).toEqual([1, 1]);
  const isTold = () =>
    cluster
      .node(1)
      .status()
      .nodes?.every(({ nodeId, versions }) => nodeId === 3 || versions !== undefined);
  await cluster.until('the node table says what the others run', () => isTold() === true);
  await cluster.during(cluster.node(1).members?.leave(3, false) as Promise<void>);
  await cluster.until('the version rises', () => versionsSeen().every((version) => version === present));
  await cluster.until('it is out', () => cluster.node(1).status().nodes?.length === 2);
  await expectKept(cluster.node(2));
});

test('the directory of the first release of one node opens, and others join it', async () => {
  cluster = new TestCluster(1);
  cluster.disks.set(3, await restored(join(kept, 'v1-data-directory'), 3));
  const first = await cluster.start(3, { flags: false, peers: { port: 9190, host: 'node-3' } });
  await cluster.until('it is upgraded at once', () => first.status().clusterVersion === present);
  await put(first, 'before', 'they came');
  expect(await cluster.during(readLog(first, 'events'))).toEqual(['one', 'two', 'three']);
  for (let i = 0; i < 20; i++) {
    expect(await cluster.during(get(first, `key-${i}`))).toBe(i === 7 ? undefined : `value-${i}`);
  }
  const second = await cluster.join(4, 3, { program: '0.2.0' });
  await cluster.until(
    'it is a member',
    () => second.status().nodes?.find(({ nodeId }) => nodeId === 4)?.state === 'member',
  );
  expect(await cluster.during(get(second, 'before'))).toBe('they came');
  expect(await cluster.during(readLog(second, 'events'))).toEqual(['one', 'two', 'three']);
});
