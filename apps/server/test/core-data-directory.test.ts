import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LockError } from '@shanghai/env';
import { MemoryPeerNetwork } from '@shanghai/raft/testing';
import { expect, test } from 'vitest';
import { explain } from '../src/data-directory.js';
import { clusterIdOf } from '../src/first-members.js';
import type { NodeOptions } from '../src/node-options.js';
import { openNode } from '../src/open-node.js';
import {
  appendTo,
  by,
  bytes,
  createFaultDisk,
  createManualClock,
  createMemoryDisk,
  createSeededRandom,
  get,
  openTestNode,
  put,
  readLog,
  request,
  smallOptions,
  text,
} from './core-harness.js';

const kept = fileURLToPath(new URL('../testdata/v1-data-directory', import.meta.url));

test('the directory that version 1 wrote opens with everything that was acknowledged', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'shanghai-v1-'));
  const dataDirectory = join(parent, 'data');
  await cp(kept, dataDirectory, { recursive: true });
  const renewed: string[] = [];
  const listener = { instanceRenewed: ({ why }: { why: string }) => renewed.push(why) };
  const node = await openNode({ dataDirectory, nodeId: 3, listener });
  try {
    for (let i = 0; i < 20; i++) expect(await get(node, `key-${i}`)).toBe(i === 7 ? undefined : `value-${i}`);
    expect(await get(node, 'last')).toBe('word');
    expect(await get(node, 'brief')).toBeUndefined();
    const users = { keyspace: 'users', level: 'linearizable' } as const;
    expect(text((await node.keyValue.get(bytes('ann'), users, request())).value?.value)).toBe('1');
    expect(await readLog(node, 'events')).toEqual(['one', 'two', 'three']);
    expect((await node.logs.describe('local', request())).origins[0]).toMatchObject({ origin: 3, lastSequence: 1 });
    const record = (value: string) => ({
      key: bytes('k'),
      value: bytes(value),
      headers: [{ name: 'h', value: bytes('v') }],
    });
    const producer = { producerId: 9, epoch: 1, sequence: 1 };
    const repeated = await node.logs.append(
      { log: 'events', records: [record('one'), record('two')], producer },
      request(),
    );
    expect(repeated).toMatchObject({ firstSequence: 1, lastSequence: 2, duplicate: true });
    // It was copied: what the original acknowledged since then it does not hold.
    expect(renewed).toEqual(['copied']);
  } finally {
    await node.close(1000);
    await rm(parent, { recursive: true });
  }
});

test('a second node on the same directory is refused while the first holds it', async () => {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  await expect(openTestNode(disk, clock)).rejects.toMatchObject({ code: 'LOCKED' });
  await node.close(1000);
  await (await openTestNode(disk, clock)).close(1000);
});

test('a directory of a newer format, another node, or without its parts is refused and left as it is', async () => {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  await put(node, 'a', '1');
  await node.close(1000);
  await expect(openTestNode(disk, clock, { nodeId: 2 })).rejects.toMatchObject({ code: 'OTHER_NODE' });
  const identity = disk.contents('data/node.json');
  const change = (fields: object) => {
    disk.setContents(
      'data/node.json',
      bytes(JSON.stringify({ ...JSON.parse(Buffer.from(identity).toString()), ...fields })),
    );
  };
  change({ format: 5 });
  await expect(openTestNode(disk, clock)).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' });
  change({ wal: undefined });
  await expect(openTestNode(disk, clock)).rejects.toMatchObject({ code: 'DAMAGED' });
  for (const damaged of ['{', 'null', '5', '[]']) {
    disk.setContents('data/node.json', bytes(damaged));
    await expect(openTestNode(disk, clock)).rejects.toMatchObject({ code: 'DAMAGED' });
  }
  await disk.remove('data/node.json');
  await expect(openTestNode(disk, clock)).rejects.toMatchObject({ code: 'DAMAGED' });
  disk.setContents('data/node.json', identity);
  const again = await openTestNode(disk, clock);
  expect(await get(again, 'a')).toBe('1');
  await again.close(1000);
});

test('who made a cluster is recorded: a start without flags is the same, one that says otherwise is refused', async () => {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  const initialMembers = [{ nodeId: 2, peerAddress: 'h:1' }];
  const network = new MemoryPeerNetwork({ clock });
  const open = (more: Partial<NodeOptions>) => openTestNode(disk, clock, { transport: network.transport(2), ...more });
  await expect(open({ initialMembers })).rejects.toMatchObject({
    code: 'OTHER_NODE',
    message: expect.stringContaining('--node-id'),
  });
  const node = await open({ initialMembers, nodeId: 2 });
  const { clusterId } = node.status();
  await node.close(1000);
  expect(clusterId).toBe(clusterIdOf(initialMembers, 'shanghai'));
  expect(JSON.parse(Buffer.from(disk.contents('data/node.json')).toString())).toMatchObject({
    format: 3,
    engine: 'bitcask',
    firstMembers: initialMembers,
    clusterId,
  });
  for (const more of [{}, { nodeId: 2 }, { initialMembers }]) {
    const again = await open(more);
    expect(again.status()).toMatchObject({ nodeId: 2, clusterId });
    await again.close(1000);
  }
  const others: Partial<NodeOptions>[] = [
    { nodeId: 1 },
    { initialMembers, clusterToken: 'another' },
    { initialMembers: [{ nodeId: 2, peerAddress: 'h:2' }] },
  ];
  for (const more of others) {
    await expect(open(more)).rejects.toMatchObject({ code: 'OTHER_NODE' });
  }
});

test('a directory that a node alone made is refused as one of an initial cluster', async () => {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  await (await openTestNode(disk, clock)).close(1000);
  const initialMembers = [{ nodeId: 1, peerAddress: 'h:1' }];
  await expect(openTestNode(disk, clock, { initialMembers })).rejects.toMatchObject({
    code: 'OTHER_NODE',
    message: expect.stringContaining('was made by a node alone'),
  });
});

test('a full or failing disk refuses to open with a typed error, and opens later with nothing lost', async () => {
  const disk = createFaultDisk({ seed: 5 });
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  await put(node, 'a', '1');
  await node.close(1000);
  for (const [errno, code] of [
    ['ENOSPC', 'FULL'],
    ['EACCES', 'UNREADABLE'],
  ] as const) {
    const heal = disk.inject({
      operation: errno === 'ENOSPC' ? 'write' : 'open',
      times: Number.POSITIVE_INFINITY,
      effect: { kind: 'error', code: errno },
    });
    await expect(openTestNode(disk, clock)).rejects.toMatchObject({ code });
    heal();
  }
  const again = await openTestNode(disk, clock);
  expect(await get(again, 'a')).toBe('1');
  await again.close(1000);
});

test('a disk without space for the lock is called full', () => {
  const cause = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  expect(explain(new LockError('LOCK_FAILED', 'cannot lock', { cause }), '/data')).toMatchObject({ code: 'FULL' });
});

test('a disk that is full for a store only refuses to open with FULL, before and within the replay', async () => {
  const disk = createFaultDisk({ seed: 5 });
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  await put(node, 'a', '1');
  const crashed = disk.restart('all');
  await node.close(0).catch(() => undefined);
  const error = { kind: 'error', code: 'ENOSPC' } as const;
  for (const path of [/\/groups\/1\/MANIFEST/, /\/groups\/1\/.*\.data/]) {
    const heal = crashed.inject({ operation: 'write', path, times: Number.POSITIVE_INFINITY, effect: error });
    await expect(openTestNode(crashed, clock)).rejects.toMatchObject({
      code: 'FULL',
      message: expect.stringContaining('make room'),
    });
    heal();
  }
  const again = await openTestNode(crashed, clock);
  expect(await get(again, 'a')).toBe('1');
  await again.close(1000);
});

test('limits that contradict each other and ids that cannot be are refused before anything is touched', async () => {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  await expect(openTestNode(disk, clock, { nodeId: 0 })).rejects.toThrow(RangeError);
  await expect(openTestNode(disk, clock, { slots: 65_537 })).rejects.toThrow(RangeError);
  await expect(openTestNode(disk, clock, { limits: { maxValueBytes: 1 << 30 } })).rejects.toThrow(RangeError);
  await expect(openTestNode(disk, clock, { limits: { pagePairs: 0 } })).rejects.toThrow(RangeError);
  expect(disk.files()).toEqual([]);
});

test('an instance id stays over restarts, and the session of one start is answered in the next', async () => {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  const { instanceId, clusterId } = node.status();
  const { sessionId } = (await node.keyValue.openSession(0, request())).value;
  await node.close(1000);
  const again = await openTestNode(disk, clock);
  expect(again.status()).toMatchObject({ instanceId, clusterId });
  await put(again, 'a', '1', { sessionId, requestNumber: 1, retry: false });
  await clock.advance(3_601_000);
  const late = again.keyValue.write(
    { kind: 'independent', operations: [{ type: 'put', key: bytes('a'), value: bytes('2') }] },
    by({ sessionId, requestNumber: 2, retry: false }),
    request(),
  );
  await expect(late).rejects.toMatchObject({ code: 'SESSION_EXPIRED' });
  // Log time moved on without a write, because a session was due.
  expect(again.status().groups[1]?.sessions).toBe(0);
  await again.close(1000);
});

test('appending goes on behind a log that the previous process left', async () => {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  const node = await openTestNode(disk, clock);
  const settings = {
    mode: 'quorum',
    acknowledgement: 'quorum',
    retentionMs: 0,
    retentionBytes: 0,
    cleanupPolicy: 'delete',
  } as const;
  await node.logs.create('events', settings, request());
  await appendTo(node, 'events', 'a');
  await node.close(1000);
  const again = await openTestNode(disk, clock);
  expect(await appendTo(again, 'events', 'b')).toMatchObject({ firstSequence: 2 });
  await again.close(1000);
});

test('a store ahead of a log that was synced is damage; ahead of one that was not, or was repaired, it goes on', async () => {
  const clock = createManualClock(1_000_000);
  const disk = createMemoryDisk();
  const node = await openTestNode(disk, clock);
  for (let i = 0; i < 5; i++) await put(node, `key-${i}`, 'v');
  await node.checkpoint();
  await node.close(1000);
  const inWal = (path: string) => path.includes('data/wal/');
  const withoutLog = async (more: Record<string, Uint8Array> = {}) => {
    const copy = createMemoryDisk();
    for (const part of ['data', 'data/wal', 'data/groups', 'data/groups/0', 'data/groups/1', 'data/logs']) {
      await copy.makeDirectory(part);
    }
    for (const path of disk.files()) if (!inWal(path)) copy.setContents(path, disk.contents(path));
    for (const [path, contents] of Object.entries(more)) copy.setContents(path, contents);
    return copy;
  };
  await expect(openTestNode(await withoutLog(), clock)).rejects.toMatchObject({
    code: 'DAMAGED',
    message: expect.stringContaining('restore'),
  });
  const unsynced = await openTestNode(await withoutLog(), clock, {
    wal: { ...smallOptions.wal, durability: 'never' },
  });
  expect(await get(unsynced, 'key-4')).toBe('v');
  await unsynced.close(1000);
  const repairedDisk = await withoutLog({ 'data/wal/repaired.json': Buffer.from('{}') });
  const repaired = await openTestNode(repairedDisk, clock);
  expect(await get(repaired, 'key-4')).toBe('v');
  await put(repaired, 'key-5', 'v');
  await repaired.close(1000);
  expect(repairedDisk.files().some((path) => path.endsWith('repaired.json'))).toBe(false);
  const again = await openTestNode(repairedDisk, clock);
  expect(await get(again, 'key-5')).toBe('v');
  await again.close(1000);
});

test("a group's store copied in from another cluster, or from another group, is refused", async () => {
  const clock = createManualClock(1_000_000);
  const disks = [0, 1].map(() => createMemoryDisk());
  for (const [i, disk] of disks.entries()) {
    const node = await openTestNode(disk, clock, { random: createSeededRandom(i) });
    await put(node, 'a', `of ${i}`);
    await node.close(1000);
  }
  const [own, other] = disks as [(typeof disks)[0], (typeof disks)[0]];
  const kept = new Map<string, Uint8Array>();
  const replace = async (target: string, contents: (name: string) => Uint8Array, names: string[]) => {
    for (const name of await own.list(target)) await own.remove(`${target}/${name}`);
    for (const name of names) own.setContents(`${target}/${name}`, contents(name));
  };
  for (const name of await own.list('data/groups/1')) kept.set(name, own.contents(`data/groups/1/${name}`));
  await replace('data/groups/1', (name) => other.contents(`data/groups/1/${name}`), await other.list('data/groups/1'));
  await expect(openTestNode(own, clock)).rejects.toMatchObject({ code: 'DAMAGED' });
  await replace('data/groups/1', (name) => own.contents(`data/groups/0/${name}`), await own.list('data/groups/0'));
  await expect(openTestNode(own, clock)).rejects.toMatchObject({ code: 'DAMAGED' });
  await replace('data/groups/1', (name) => kept.get(name) as Uint8Array, [...kept.keys()]);
  const node = await openTestNode(own, clock);
  expect(await get(node, 'a')).toBe('of 0');
  await node.close(1000);
});
