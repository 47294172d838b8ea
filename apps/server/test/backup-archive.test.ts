import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeManifest, manifestName, manifestSumName } from '../src/backup/backup-manifest.js';
import { writeNewFile } from '../src/backup/new-directory.js';
import { verifyArchive } from '../src/backup/verify-archive.js';
import type { ShanghaiNode } from '../src/node.js';
import { archive, restore, save } from './backup-harness.js';
import {
  appendTo,
  bytes,
  createManualClock,
  createMemoryDisk,
  openTestNode,
  put,
  quorumLog,
  readLog,
  request,
} from './core-harness.js';

let disk: ReturnType<typeof createMemoryDisk>;
let clock: ReturnType<typeof createManualClock>;
let node: ShanghaiNode;

beforeEach(async () => {
  disk = createMemoryDisk();
  clock = createManualClock(1_000_000);
  node = await openTestNode(disk, clock);
});

afterEach(() => node.close(1000));

async function restart(): Promise<void> {
  await node.close(1000);
  node = await openTestNode(disk, clock);
}

function dataIndex(): number {
  return node.status().groups.find(({ groupId }) => groupId === 1)?.appliedIndex ?? 0;
}

test('a checkpoint does not give up what an archive has yet to fetch, for ten minutes', async () => {
  const manifest = await save(node, disk, 'backup');
  await archive(node, disk, 'archive', manifest);
  await put(node, 'a', '1');
  await node.checkpoint();
  const [data] = await archive(node, disk, 'archive', manifest);
  expect(data).toMatchObject({ entries: 1, lastIndex: dataIndex() });
  await put(node, 'a', '2');
  await clock.advance(601_000);
  await node.checkpoint();
  await expect(archive(node, disk, 'archive', manifest)).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
});

test('behind entries that were given up an archive goes on only behind a new backup, and no restore crosses the gap', async () => {
  const first = await save(node, disk, 'first');
  await put(node, 'a', '1');
  await archive(node, disk, 'archive', first);
  const before = dataIndex();
  await put(node, 'a', '2');
  await restart();
  await node.checkpoint();
  await put(node, 'a', '3');
  await expect(archive(node, disk, 'archive', first)).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
  const second = await save(node, disk, 'second');
  await put(node, 'a', '4');
  await archive(node, disk, 'archive', second);
  const to = (backup: string, dataDirectory: string, until: object) =>
    restore(disk, backup, dataDirectory, { archive: { directory: 'archive', until } });
  await expect(to('first', 'x', {})).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
  await expect(to('first', 'x', { index: dataIndex() })).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
  await to('first', 'old', { index: before });
  const { groups } = await to('second', 'new', {});
  expect(groups.find(({ groupId }) => groupId === 1)?.index).toBe(dataIndex());
  const report = await verifyArchive(disk, 'archive');
  expect(report?.findings).toEqual([]);
  expect(report?.runs.filter(({ groupId }) => groupId === 1)).toMatchObject([
    { lastIndex: before },
    { lastIndex: dataIndex() },
  ]);
});

test('an archive of another cluster is not written to, and not restored from', async () => {
  const manifest = await save(node, disk, 'backup');
  await archive(node, disk, 'archive', manifest);
  const other = await openTestNode(disk, clock, { dataDirectory: 'other', clusterToken: 'x' });
  await restore(disk, 'backup', 'restored');
  const restored = await openTestNode(disk, clock, { dataDirectory: 'restored' });
  await expect(archive(restored, disk, 'archive')).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await save(restored, disk, 'later');
  const from = restore(disk, 'later', 'x', { archive: { directory: 'archive', until: {} } });
  await expect(from).rejects.toMatchObject({ code: 'INVALID_REQUEST' });
  await Promise.all([restored.close(0), other.close(0)]);
});

test('a restored cluster is backed up and restored in turn', async () => {
  await node.logs.create('events', quorumLog, request());
  await appendTo(node, 'events', 'one');
  await save(node, disk, 'backup');
  await restore(disk, 'backup', 'restored');
  const second = await openTestNode(disk, clock, { dataDirectory: 'restored' });
  await appendTo(second, 'events', 'two');
  const manifest = await save(second, disk, 'again');
  await appendTo(second, 'events', 'three');
  await archive(second, disk, 'archive', manifest);
  await second.close(1000);
  await restore(disk, 'again', 'third', { archive: { directory: 'archive', until: {} } });
  const third = await openTestNode(disk, clock, { dataDirectory: 'third' });
  expect(await readLog(third, 'events')).toEqual(['one', 'two', 'three']);
  expect((await third.logs.describe('events', request())).origins[0]?.epoch).toBe(3);
  await third.close(1000);
});

test('data whose names an older catalogue does not know is given names, and no id is given out twice', async () => {
  const older = await save(node, disk, 'older');
  await node.keyValue.write(
    { kind: 'independent', operations: [{ type: 'put', key: bytes('k'), value: bytes('v') }] },
    { keyspace: 'unknown' },
    request(),
  );
  await node.logs.create('events', quorumLog, request());
  await appendTo(node, 'events', 'one');
  const newer = await save(node, disk, 'newer');
  for (const [groupId, from] of [
    [1, 'newer'],
    [0, 'older'],
  ] as const) {
    const copy = async (inside: string): Promise<void> => {
      for (const name of await disk.list(`${from}/${inside}`)) {
        const path = `${inside}/${name}`;
        if ((await disk.stat(`${from}/${path}`))?.kind === 'directory') await copy(path);
        else {
          await disk.makeDirectory(`mixed/${inside}`);
          await disk.link(`${from}/${path}`, `mixed/${path}`);
        }
      }
    };
    await copy(`groups/${groupId}`);
  }
  const groups = [newer, older].map(({ groups: all }, i) => all.find(({ groupId }) => groupId === 1 - i) ?? fail());
  const { bytes: json, sum } = encodeManifest({ ...newer, groups });
  await writeNewFile(disk, `mixed/${manifestName}`, json);
  await writeNewFile(disk, `mixed/${manifestSumName}`, sum);
  const report = await restore(disk, 'mixed', 'restored');
  expect(report.recovered).toEqual(['recovered-1', 'recovered-1']);
  const other = await openTestNode(disk, clock, { dataDirectory: 'restored' });
  const read = await other.keyValue.get(bytes('k'), { keyspace: 'recovered-1', level: 'linearizable' }, request());
  expect(Buffer.from(read.value?.value ?? []).toString()).toBe('v');
  expect(await readLog(other, 'recovered-1')).toEqual(['one']);
  expect((await other.logs.create('next', quorumLog, request())).logId).toBe(2);
  await other.close(1000);
});

function fail(): never {
  throw new Error('it is missing');
}
