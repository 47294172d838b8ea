import { expect, test } from 'vitest';
import { ensureDirectory } from './ensure-directory.js';
import { createFaultDisk } from './testing/create-fault-disk.js';

async function survives(path: string, prepare: (disk: ReturnType<typeof createFaultDisk>) => Promise<void>) {
  const disk = createFaultDisk({ seed: 1 });
  await prepare(disk);
  return (await disk.restart('none').stat(path))?.kind === 'directory';
}

test.each(['/a', '/a/b/c', 'a/b', '/a/b/'])('%s survives a power failure once ensured', async (path) => {
  expect(await survives(path, (disk) => ensureDirectory(disk, path))).toBe(true);
  expect(await survives(path, (disk) => disk.makeDirectory(path))).toBe(false);
});

test('a directory that an earlier process made and did not sync becomes durable', async () => {
  const prepare = async (disk: ReturnType<typeof createFaultDisk>) => {
    await disk.makeDirectory('/a');
    await ensureDirectory(disk, '/a');
  };
  expect(await survives('/a', prepare)).toBe(true);
});
