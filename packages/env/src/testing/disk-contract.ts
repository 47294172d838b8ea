import assert from 'node:assert/strict';
import type { Disk } from '../disk.js';
import { readFully } from '../read-fully.js';
import { writeFully } from '../write-fully.js';
import type { ContractCase } from './contract-case.js';

/** A disk and an empty directory on it that the case may fill. */
export interface DiskSubject {
  readonly disk: Disk;
  readonly directory: string;
}

/** What every `Disk` does while nothing fails. Crashes and faults are the fault disk's own tests. */
export const diskContract: readonly ContractCase<DiskSubject>[] = [
  contractCase('bytes written are read back, at any position', async ({ disk, directory }) => {
    const file = await disk.open(`${directory}/a`, 'create');
    assert.equal(await file.size(), 0);
    await writeFully(file, bytesOf(1, 2, 3, 4), 0);
    file.writeSync(bytesOf(9), 1);
    const buffer = new Uint8Array(4);
    assert.equal(await readFully(file, buffer, 0), 4);
    assert.deepEqual(buffer, bytesOf(1, 9, 3, 4));
    assert.equal(file.readSync(buffer, 2), 2);
    assert.deepEqual(buffer, bytesOf(3, 4, 3, 4));
    await file.close();
  }),
  contractCase('a write past the end leaves zeros between', async ({ disk, directory }) => {
    const file = await disk.open(`${directory}/a`, 'create');
    await writeFully(file, bytesOf(7), 1000);
    assert.equal(await file.size(), 1001);
    assert.equal(file.sizeSync(), 1001);
    const buffer = new Uint8Array(1001).fill(5);
    assert.equal(await readFully(file, buffer, 0), 1001);
    assert.ok(buffer.subarray(0, 1000).every((byte) => byte === 0));
    assert.equal(buffer[1000], 7);
    await file.close();
  }),
  contractCase('reads stop at the end of the file', async ({ disk, directory }) => {
    const file = await disk.open(`${directory}/a`, 'create');
    await writeFully(file, bytesOf(1, 2, 3), 0);
    assert.equal(await readFully(file, new Uint8Array(8), 1), 2);
    assert.equal(await file.read(new Uint8Array(8), 3), 0);
    assert.equal(file.readSync(new Uint8Array(8), 300), 0);
    assert.equal(await file.read(new Uint8Array(0), 0), 0);
    await file.close();
  }),
  contractCase('truncate cuts, and what it adds is zero', async ({ disk, directory }) => {
    const file = await disk.open(`${directory}/a`, 'create');
    await writeFully(file, bytesOf(1, 2, 3, 4), 0);
    await file.truncate(2);
    assert.equal(await file.size(), 2);
    await file.truncate(4);
    const buffer = new Uint8Array(4);
    assert.equal(await readFully(file, buffer, 0), 4);
    assert.deepEqual(buffer, bytesOf(1, 2, 0, 0));
    await file.close();
  }),
  contractCase('syncs of files and directories succeed, in both forms', async ({ disk, directory }) => {
    const file = await disk.open(`${directory}/a`, 'create');
    await writeFully(file, bytesOf(1), 0);
    await file.sync();
    file.syncSync();
    await file.close();
    await disk.syncDirectory(directory);
  }),
  contractCase('create refuses a taken name, the other modes a free one', async ({ disk, directory }) => {
    const path = `${directory}/a`;
    await fails('ENOENT', () => disk.open(path, 'read'));
    await fails('ENOENT', () => disk.open(path, 'write'));
    await fails('ENOENT', () => disk.openSync(path, 'read'));
    await fails('ENOENT', () => disk.open(`${directory}/none/a`, 'create'));
    await (await disk.open(path, 'create')).close();
    await fails('EEXIST', () => disk.open(path, 'create'));
    await fails('EEXIST', () => disk.openSync(path, 'create'));
  }),
  contractCase('mode write keeps the bytes, mode read refuses to change them', async ({ disk, directory }) => {
    const path = `${directory}/a`;
    await fill(disk, path, 1, 2, 3);
    const reader = disk.openSync(path, 'read');
    await fails('EBADF', () => reader.write(bytesOf(9), 0));
    await reader.close();
    const writer = disk.openSync(path, 'write');
    assert.equal(writer.sizeSync(), 3);
    await writeFully(writer, bytesOf(9), 0);
    writer.closeSync();
    assert.deepEqual(await content(disk, path), [9, 2, 3]);
  }),
  contractCase('close is idempotent, and a closed file fails with EBADF', async ({ disk, directory }) => {
    const file = await disk.open(`${directory}/a`, 'create');
    const writing = file.write(bytesOf(1, 2, 3), 0);
    await file.close();
    assert.equal(await writing, 3);
    await file.close();
    file.closeSync();
    await fails('EBADF', () => file.read(new Uint8Array(1), 0));
    await fails('EBADF', () => file.writeSync(bytesOf(1), 0));
    await fails('EBADF', () => file.sync());
    await fails('EBADF', () => file.size());
  }),
  contractCase('operations of one file may overlap', async ({ disk, directory }) => {
    const file = await disk.open(`${directory}/a`, 'create');
    const parts = Array.from({ length: 20 }, (_, i) => new Uint8Array(100).fill(i + 1));
    await Promise.all([...parts.map((part, i) => writeFully(file, part, i * 100)), file.sync()]);
    const buffer = new Uint8Array(2000);
    assert.equal(await readFully(file, buffer, 0), 2000);
    assert.ok(buffer.every((byte, at) => byte === Math.floor(at / 100) + 1));
    await file.close();
  }),
  contractCase('list gives the names of a directory, sorted', async ({ disk, directory }) => {
    assert.deepEqual(await disk.list(directory), []);
    for (const name of ['b', 'a', 'c2', 'c10']) await fill(disk, `${directory}/${name}`, 1);
    await disk.makeDirectory(`${directory}/d`);
    assert.deepEqual(await disk.list(directory), ['a', 'b', 'c10', 'c2', 'd']);
    await fails('ENOENT', () => disk.list(`${directory}/none`));
  }),
  contractCase('makeDirectory makes those above too, and succeeds where it exists', async ({ disk, directory }) => {
    await disk.makeDirectory(`${directory}/x/y/z`);
    await disk.makeDirectory(`${directory}/x/y/z`);
    assert.equal((await disk.stat(`${directory}/x/y`))?.kind, 'directory');
    await fails('ENOTEMPTY', () => disk.removeDirectory(`${directory}/x`));
    await disk.removeDirectory(`${directory}/x/y/z`);
    assert.equal(await disk.stat(`${directory}/x/y/z`), undefined);
    await fill(disk, `${directory}/file`, 1);
    await fails('EEXIST', () => disk.makeDirectory(`${directory}/file`));
  }),
  contractCase('stat tells kind, length and identity', async ({ disk, directory }) => {
    await fill(disk, `${directory}/a`, 1, 2, 3);
    await fill(disk, `${directory}/b`);
    const a = await disk.stat(`${directory}/a`);
    const b = await disk.stat(`${directory}/b`);
    assert.equal(a?.kind, 'file');
    assert.equal(a?.bytes, 3);
    assert.equal(b?.bytes, 0);
    assert.notEqual(a?.inode, b?.inode);
    assert.ok(Number.isInteger(a?.birthTimeMs));
    const self = await disk.stat(directory);
    assert.equal(self?.kind, 'directory');
    assert.equal(self?.bytes, 0);
    assert.equal(await disk.stat(`${directory}/none`), undefined);
    assert.equal(await disk.stat(`${directory}/a/none`), undefined);
  }),
  contractCase('rename moves a file over another, whose open readers keep it', async ({ disk, directory }) => {
    await fill(disk, `${directory}/new`, 1, 2);
    await fill(disk, `${directory}/old`, 8, 9);
    const inode = (await disk.stat(`${directory}/new`))?.inode;
    const reader = await disk.open(`${directory}/old`, 'read');
    await disk.rename(`${directory}/new`, `${directory}/old`);
    assert.deepEqual(await disk.list(directory), ['old']);
    assert.deepEqual(await content(disk, `${directory}/old`), [1, 2]);
    assert.equal((await disk.stat(`${directory}/old`))?.inode, inode);
    const buffer = new Uint8Array(2);
    assert.equal(await readFully(reader, buffer, 0), 2);
    assert.deepEqual(buffer, bytesOf(8, 9));
    await reader.close();
    await fails('ENOENT', () => disk.rename(`${directory}/new`, `${directory}/other`));
  }),
  contractCase('rename goes across directories, and moves directories', async ({ disk, directory }) => {
    await disk.makeDirectory(`${directory}/x`);
    await disk.makeDirectory(`${directory}/y`);
    await fill(disk, `${directory}/x/a`, 5);
    await disk.rename(`${directory}/x/a`, `${directory}/y/b`);
    await disk.rename(`${directory}/y`, `${directory}/z`);
    assert.deepEqual(await disk.list(`${directory}/x`), []);
    assert.deepEqual(await content(disk, `${directory}/z/b`), [5]);
  }),
  contractCase('link gives a second name to the same file', async ({ disk, directory }) => {
    const [a, b] = [`${directory}/a`, `${directory}/b`];
    await fill(disk, a, 1, 2);
    await disk.link(a, b);
    assert.equal((await disk.stat(b))?.inode, (await disk.stat(a))?.inode);
    const file = await disk.open(a, 'write');
    await writeFully(file, bytesOf(7), 0);
    await file.close();
    await disk.remove(a);
    assert.deepEqual(await content(disk, b), [7, 2]);
    await fails('ENOENT', () => disk.link(a, `${directory}/c`));
    await fill(disk, a, 3);
    await fails('EEXIST', () => disk.link(a, b));
  }),
  contractCase('remove takes the name; open files stay readable', async ({ disk, directory }) => {
    const path = `${directory}/a`;
    await fill(disk, path, 4, 5);
    const file = await disk.open(path, 'read');
    await disk.remove(path);
    assert.equal(await disk.stat(path), undefined);
    const buffer = new Uint8Array(2);
    assert.equal(await readFully(file, buffer, 0), 2);
    assert.deepEqual(buffer, bytesOf(4, 5));
    await file.close();
    await fails('ENOENT', () => disk.remove(path));
    await fill(disk, path, 6);
    assert.deepEqual(await content(disk, path), [6]);
  }),
  contractCase('a directory is locked for one holder at a time', async ({ disk, directory }) => {
    const lock = await disk.lockDirectory(directory, { description: 'the first' });
    assert.equal(lock.directory, directory);
    await assert.rejects(disk.lockDirectory(directory), (error) => {
      assert.ok(error instanceof Error && error.message.includes('the first'), `${error} names no holder`);
      return (error as { code?: unknown }).code === 'LOCKED';
    });
    await lock.release();
    await lock.release();
    const again = await disk.lockDirectory(directory);
    await lock.release();
    await fails('LOCKED', () => disk.lockDirectory(directory));
    await again.release();
    for (const name of await disk.list(directory)) assert.ok(name.startsWith('lock'), `${name} was left`);
  }),
];

function contractCase(name: string, check: (subject: DiskSubject) => Promise<void>): ContractCase<DiskSubject> {
  return { name, run: async (open) => check(await open()) };
}

function bytesOf(...bytes: number[]): Uint8Array {
  return Uint8Array.from(bytes);
}

async function fill(disk: Disk, path: string, ...bytes: number[]): Promise<void> {
  const file = await disk.open(path, 'create');
  await writeFully(file, bytesOf(...bytes), 0);
  await file.close();
}

async function content(disk: Disk, path: string): Promise<number[]> {
  const file = await disk.open(path, 'read');
  const buffer = new Uint8Array(await file.size());
  assert.equal(await readFully(file, buffer, 0), buffer.length);
  await file.close();
  return [...buffer];
}

/** The call fails with this code, by throwing or by rejecting. */
async function fails(code: string, call: () => unknown): Promise<void> {
  await assert.rejects(
    async () => {
      await call();
    },
    { code },
  );
}
