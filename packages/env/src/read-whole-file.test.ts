import { expect, test } from 'vitest';
import { readWholeFile } from './read-whole-file.js';
import { createFaultDisk } from './testing/create-fault-disk.js';

test('a missing file is undefined, an empty one an empty buffer', async () => {
  const disk = createFaultDisk({ seed: 1 });
  disk.setContents('/empty', new Uint8Array(0));
  expect(await readWholeFile(disk, '/none', 10)).toBeUndefined();
  expect(await readWholeFile(disk, '/empty', 10)).toEqual(new Uint8Array(0));
});

test('short reads are continued', async () => {
  const disk = createFaultDisk({ seed: 1 });
  disk.setContents('/a', Uint8Array.of(1, 2, 3, 4, 5));
  disk.inject({ operation: 'read', times: Number.POSITIVE_INFINITY, effect: { kind: 'short', bytes: 2 } });
  expect(await readWholeFile(disk, '/a', 5)).toEqual(Uint8Array.of(1, 2, 3, 4, 5));
});

test('a file longer than allowed is refused, and closed', async () => {
  const disk = createFaultDisk({ seed: 1 });
  disk.setContents('/a', new Uint8Array(6));
  await expect(readWholeFile(disk, '/a', 5)).rejects.toMatchObject({ code: 'EFBIG' });
  expect(disk.openFiles).toBe(0);
});

test('failures other than a missing file are not hidden', async () => {
  const disk = createFaultDisk({ seed: 1 });
  disk.setContents('/a', new Uint8Array(6));
  disk.inject({ operation: 'open', effect: { kind: 'error', code: 'EMFILE' } });
  await expect(readWholeFile(disk, '/a', 10)).rejects.toMatchObject({ code: 'EMFILE' });
});
