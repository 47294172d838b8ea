import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { InvariantError } from '../invariant.js';
import { nodeDisk } from './node-disk.js';

const disk = nodeDisk();
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shanghai-disk-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

test('close waits for the calls in flight, so that no descriptor is closed under one', async () => {
  const file = await disk.open(join(directory, 'a'), 'create');
  const order: string[] = [];
  const part = new Uint8Array(1 << 20);
  const writes = Array.from({ length: 8 }, (_, i) => file.write(part, i * part.length).then(() => order.push('write')));
  const closing = file.close().then(() => order.push('close'));
  expect(() => file.sizeSync()).toThrow(expect.objectContaining({ code: 'EBADF' }));
  await Promise.all([...writes, closing]);
  expect(order).toEqual([...writes.map(() => 'write'), 'close']);
});

test('closeSync under a call in flight is a defect of the caller, and closes nothing', async () => {
  const file = await disk.open(join(directory, 'a'), 'create');
  const writing = file.write(new Uint8Array(10), 0);
  expect(() => file.closeSync()).toThrow(InvariantError);
  expect(await writing).toBe(10);
  expect(file.sizeSync()).toBe(10);
  await file.close();
});

test('an argument that Node refuses rejects, and does not keep the file from closing', async () => {
  const file = await disk.open(join(directory, 'a'), 'create');
  await expect(file.read(new Uint8Array(1), 0.5)).rejects.toThrow(RangeError);
  await file.close();
});

test('stat tells inode and birth time as the file system does, so that a copied directory shows', async () => {
  const [original, copied] = [join(directory, 'original'), join(directory, 'copied')];
  await disk.makeDirectory(original);
  await disk.makeDirectory(copied);
  const found = await disk.stat(original);
  const expected = fs.statSync(original);
  expect(found).toEqual({
    kind: 'directory',
    bytes: 0,
    inode: expected.ino,
    birthTimeMs: Math.floor(expected.birthtimeMs),
  });
  expect((await disk.stat(copied))?.inode).not.toBe(found?.inode);
  await disk.rename(original, join(directory, 'moved'));
  expect(await disk.stat(join(directory, 'moved'))).toEqual(found);
});

test('what is neither file nor directory is told as other', async () => {
  expect((await disk.stat('/dev/null'))?.kind).toBe('other');
});

test('a directory that cannot be synced because it is not there is an error', async () => {
  await expect(disk.syncDirectory(join(directory, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
});
