import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { bytesOf, contentsOf, directory, openOn } from './history.js';

/** A closed store with a snapshot of its key directory, kept as `golden.test.ts` keeps others; `SHANGHAI_GOLDEN=write` writes it anew. */
const kept = fileURLToPath(new URL('../testdata/formats/v1-keydir/', import.meta.url));
const options = { keydirSnapshot: { minKeys: 0, everyOperations: 0 } } as const;
const longKey = 'long/'.repeat(150);

async function write() {
  const disk = createFaultDisk({ seed: 1 });
  const first = await openOn(disk, { ...options, random: createSeededRandom(1) });
  for (const key of ['alpha', 'beta', 'gamma', longKey]) await first.put(bytesOf(key), bytesOf('one'));
  await first.delete(bytesOf('beta'));
  await first.close();
  const second = await openOn(disk, { keydirSnapshot: { enabled: false }, random: createSeededRandom(2) });
  await second.put(bytesOf('delta'), bytesOf('behind the snapshot'));
  await second.close();
  return disk;
}

test('this program writes the bytes of the snapshot of format version 1', async () => {
  const disk = await write();
  const names = disk.files().map((path) => path.slice(directory.length + 1));
  if (process.env['SHANGHAI_GOLDEN'] === 'write') {
    await mkdir(kept, { recursive: true });
    for (const name of names) await writeFile(`${kept}${name}`, disk.contents(`${directory}/${name}`));
  }
  expect(names).toEqual((await readdir(kept)).sort());
  for (const name of names) {
    const bytes = Buffer.from(disk.contents(`${directory}/${name}`));
    expect([name, bytes.equals(await readFile(`${kept}${name}`))]).toEqual([name, true]);
  }
});

test('a directory of format version 1 opens from its snapshot', async () => {
  const disk = createFaultDisk({ seed: 2 });
  for (const name of await readdir(kept)) disk.setContents(`${directory}/${name}`, await readFile(`${kept}${name}`));
  const store = await openOn(disk, options);
  expect(store.stats().opened).toMatchObject({ snapshotSegments: 1, hintSegments: 1, scannedSegments: 0 });
  expect(await contentsOf(store)).toEqual(
    new Map([
      ['alpha', 'one'],
      ['delta', 'behind the snapshot'],
      ['gamma', 'one'],
      [longKey, 'one'],
    ]),
  );
  await store.close();
});
