import { enumerateCrashes, type FaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { readArchive } from '../src/backup/archive-directory.js';
import { archiveLog } from '../src/backup/archive-log.js';
import { ArchiveWriter } from '../src/backup/archive-writer.js';
import type { GroupLogEntry, GroupLogPage } from '../src/backup/backup-parts.js';
import { listBackups } from '../src/backup/list-backups.js';
import { verifyBackup } from '../src/backup/verify-backup.js';
import { archive, restore, save } from './backup-harness.js';
import { appendTo, createManualClock, get, openTestNode, put, quorumLog, readLog, request } from './core-harness.js';

async function prepare(disk: FaultDisk): Promise<void> {
  const node = await openTestNode(disk, createManualClock(1_000_000));
  for (let i = 0; i < 4; i++) await put(node, `key-${i}`, `value-${i}`);
  await node.logs.create('events', quorumLog, request());
  await appendTo(node, 'events', 'one', 'two');
  const manifest = await save(node, disk, 'backup');
  await put(node, 'key-9', 'value-9');
  await archive(node, disk, 'archive', manifest);
  await node.close(1000);
}

test('a crash at any step of restoring leaves no data directory, or a whole one', async () => {
  let whole = 0;
  const coverage = await enumerateCrashes<{ done: boolean }>({
    seed: 7,
    randomDraws: 1,
    prepare,
    start: () => ({ done: false }),
    async run(disk, state) {
      await restore(disk, 'backup', 'restored', { archive: { directory: 'archive', until: {} }, checksums: false });
      state.done = true;
    },
    async verify(disk, state) {
      if ((await disk.stat('restored')) === undefined) {
        expect(state.done).toBe(false);
        return;
      }
      whole++;
      const node = await openTestNode(disk, createManualClock(2_000_000), { dataDirectory: 'restored' });
      expect(await get(node, 'key-9')).toBe('value-9');
      expect(await readLog(node, 'events')).toEqual(['one', 'two']);
      await node.close(1000);
    },
  });
  expect(coverage.steps).toBeGreaterThan(50);
  expect(whole).toBeGreaterThan(0);
}, 120_000);

test('a crash at any step of saving leaves no backup, or a whole one, and never a name that lies', async () => {
  let whole = 0;
  const coverage = await enumerateCrashes<{ done: boolean }>({
    seed: 8,
    randomDraws: 1,
    prepare,
    start: () => ({ done: false }),
    async run(disk, state) {
      const node = await openTestNode(disk, createManualClock(2_000_000));
      try {
        await save(node, disk, 'backups/new');
        state.done = true;
      } finally {
        await node.close(0).catch(() => undefined);
      }
    },
    async verify(disk, state) {
      const found = await listBackups(disk, 'backups').catch(() => []);
      const named = found.filter(({ name }) => name === 'new');
      if (state.done) expect(named).toHaveLength(1);
      for (const { name } of named) {
        whole++;
        expect((await verifyBackup(`backups/${name}`, { disk })).findings).toEqual([]);
      }
    },
  });
  expect(coverage.steps).toBeGreaterThan(50);
  expect(whole).toBeGreaterThan(0);
}, 120_000);

test('a crash at any step of archiving loses nothing that a pass has acknowledged, and the next one goes on', async () => {
  const pass = async (disk: FaultDisk, lastIndex: number) => {
    const writer = await ArchiveWriter.open(disk, 'archive', 'cluster');
    try {
      const source = async function* (groupId: number, fromIndex: number): AsyncGenerator<GroupLogPage> {
        const entries: GroupLogEntry[] = [];
        for (let index = fromIndex; index <= lastIndex; index++) {
          entries.push({ index, term: 1, type: 3, data: Buffer.alloc(600, `${groupId}/${index}`) });
        }
        yield { clusterId: 'cluster', entries, lastIndex };
      };
      await archiveLog({ writer, source, clusterId: 'cluster', groups: [1, 0] });
    } finally {
      await writer.close();
    }
  };
  const read = async (disk: FaultDisk, groupId: number) => {
    const indexes: number[] = [];
    for await (const { entries } of readArchive(disk, 'archive', groupId, 1)) {
      for (const { index, data } of entries) {
        expect(Buffer.from(data)).toEqual(Buffer.alloc(600, `${groupId}/${index}`));
        indexes.push(index);
      }
    }
    return indexes;
  };
  const coverage = await enumerateCrashes<{ done: number }>({
    seed: 9,
    randomDraws: 1,
    start: () => ({ done: 0 }),
    async run(disk, state) {
      for (const lastIndex of [2, 3]) {
        await pass(disk, lastIndex);
        state.done = lastIndex;
      }
    },
    async verify(disk, state) {
      if (state.done > 0) expect((await read(disk, 1)).length).toBeGreaterThanOrEqual(state.done);
      await pass(disk, 4);
      for (const groupId of [0, 1])
        expect(await read(disk, groupId)).toEqual(Array.from({ length: 4 }, (_, i) => i + 1));
    },
  });
  expect(coverage.steps).toBeGreaterThan(20);
});
