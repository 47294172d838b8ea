import assert from 'node:assert/strict';
import { expect, test } from 'vitest';
import { readWholeFile } from './read-whole-file.js';
import { replaceFile } from './replace-file.js';
import { createFaultDisk } from './testing/create-fault-disk.js';
import { enumerateCrashes } from './testing/enumerate-crashes.js';

const path = '/data/config.json';
const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : Buffer.from(bytes).toString());
const versions = ['old '.repeat(200), 'new '.repeat(500), 'third '.repeat(10)];

test('after a crash at any step the file is the last one acknowledged or the one being written, whole', async () => {
  const coverage = await enumerateCrashes({
    seed: 7,
    randomDraws: 12,
    crashRecovery: true,
    prepare: (disk) => disk.makeDirectory('/data'),
    start: () => ({ begun: 0, acknowledged: 0 }),
    run: async (disk, state) => {
      for (const version of versions) {
        state.begun++;
        await replaceFile(disk, path, Buffer.from(version));
        state.acknowledged++;
      }
    },
    verify: async (disk, state) => {
      const found = text(await readWholeFile(disk, path, 10_000));
      const allowed = [undefined, ...versions].slice(state.acknowledged, state.begun + 1);
      assert.ok(allowed.includes(found), `found ${found?.length} characters, ${state.acknowledged} acknowledged`);
      if (found === undefined) return;
      await replaceFile(disk, path, Buffer.from(found));
      assert.equal(text(await readWholeFile(disk, path, 10_000)), found);
    },
  });
  expect(coverage.steps).toBe(3 * 5);
  expect(coverage.cases).toBeGreaterThan(16 * 14 * 2);
});

test('a rename before the sync of the bytes would be caught by the enumeration', async () => {
  const careless = enumerateCrashes({
    prepare: (disk) => disk.makeDirectory('/data'),
    start: () => undefined,
    run: async (disk) => {
      const file = await disk.open(`${path}.tmp`, 'create');
      await file.write(Buffer.from('whole'), 0);
      await disk.rename(`${path}.tmp`, path);
      await disk.syncDirectory('/data');
      await file.sync();
    },
    verify: async (disk) => {
      const found = text(await readWholeFile(disk, path, 100));
      assert.ok(found === undefined || found === 'whole', `found '${found}'`);
    },
  });
  await expect(careless).rejects.toThrow(
    /seed=1 step=3 survival=\w+ draw=\d\): found '.*'\nlast steps before it:\n {2}1 open/s,
  );
});

test('a failed write leaves the old file and takes the temporary one away', async () => {
  const disk = createFaultDisk({ seed: 3 });
  await disk.makeDirectory('/data');
  await replaceFile(disk, path, Buffer.from('old'));
  for (const [operation, code] of [
    ['write', 'ENOSPC'],
    ['sync', 'EIO'],
  ] as const) {
    disk.inject({ operation, effect: { kind: 'error', code } });
    await expect(replaceFile(disk, path, Buffer.from('new'))).rejects.toMatchObject({ code });
    expect(disk.files()).toEqual([path]);
    expect(text(disk.contents(path))).toBe('old');
  }
  expect(disk.openFiles).toBe(0);
});

test('a temporary file that a crash left is overwritten', async () => {
  const disk = createFaultDisk({ seed: 3 });
  disk.setContents(`${path}.tmp`, Buffer.from('half of something longer'));
  await replaceFile(disk, path, Buffer.from('new'));
  expect(disk.files()).toEqual([path]);
  expect(text(disk.contents(path))).toBe('new');
});
