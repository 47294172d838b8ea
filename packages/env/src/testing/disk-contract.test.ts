import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, test } from 'vitest';
import { blockingDisk } from '../blocking-disk.js';
import { nodeDisk } from '../node/node-disk.js';
import { createFaultDisk } from './create-fault-disk.js';
import { type DiskSubject, diskContract } from './disk-contract.js';
import { createMemoryDisk } from './memory-disk.js';

const made: string[] = [];

afterAll(async () => {
  for (const directory of made) await rm(directory, { recursive: true });
});

const forms: Record<string, () => Promise<DiskSubject>> = {
  'the node disk': async () => {
    const directory = await mkdtemp(join(tmpdir(), 'shanghai-disk-'));
    made.push(directory);
    return { disk: nodeDisk(), directory };
  },
  'the node disk, blocking': async () => {
    const directory = await mkdtemp(join(tmpdir(), 'shanghai-disk-'));
    made.push(directory);
    return { disk: blockingDisk(nodeDisk()), directory };
  },
  'the memory disk': async () => {
    const disk = createMemoryDisk();
    await disk.makeDirectory('/data');
    return { disk, directory: '/data' };
  },
  'the fault disk': async () => {
    const disk = createFaultDisk({ seed: 1 });
    await disk.makeDirectory('data');
    return { disk, directory: 'data' };
  },
  'the fault disk after a restart': async () => {
    const disk = createFaultDisk({ seed: 1 });
    await disk.makeDirectory('/data');
    return { disk: disk.restart('all'), directory: '/data' };
  },
};

for (const [form, open] of Object.entries(forms)) {
  describe(`the disk contract holds for ${form}`, () => {
    for (const { name, run } of diskContract) test(name, () => run(open));
  });
}
