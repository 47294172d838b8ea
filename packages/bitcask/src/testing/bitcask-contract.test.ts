import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { createSeededRandom, type Disk, nodeDisk } from '@shanghai/env';
import { createFaultDisk, createManualClock, createMemoryDisk } from '@shanghai/env/testing';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { openBitcask } from '../open-bitcask.js';
import { type BitcaskSubject, bitcaskContract } from './bitcask-contract.js';

let directory = '';
let opened = 0;

beforeAll(async () => {
  directory = await mkdtemp(`${tmpdir()}/bitcask-contract-`);
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function subjectOn(disk: Disk, path: string): Promise<BitcaskSubject> {
  const open = () =>
    openBitcask({
      directory: path,
      disk,
      clock: createManualClock(),
      random: createSeededRandom(++opened),
      segmentBytes: 4_096,
    });
  const subject: BitcaskSubject = {
    store: await open(),
    reopen: async () => {
      await subject.store.close();
      subject.store = await open();
      return subject.store;
    },
  };
  return subject;
}

const forms: readonly { readonly name: string; readonly open: () => Promise<BitcaskSubject> }[] = [
  { name: 'a real disk', open: () => subjectOn(nodeDisk(), `${directory}/${++opened}`) },
  { name: 'a disk in memory', open: () => subjectOn(createMemoryDisk(), '/store') },
  { name: 'a fault disk', open: () => subjectOn(createFaultDisk({ seed: 1 }), '/store') },
];

for (const { name, open } of forms) {
  describe(`the store on ${name} keeps its contract`, () => {
    for (const one of bitcaskContract) test(one.name, () => one.run(open));
  });
}
