import { createFaultDisk, createMemoryDisk } from '@shanghai/env/testing';
import { expect, it } from 'vitest';
import { membershipFile } from './membership-file.js';

const failures: unknown[] = [];
const onFailed = (error: unknown) => void failures.push(error);

it('keeps the incarnation and where others were', async () => {
  const disk = createMemoryDisk();
  await disk.makeDirectory('data');
  const file = membershipFile(disk, 'data', onFailed);
  expect(await file.load()).toBeUndefined();
  await file.save({ incarnation: 7, addresses: ['h:1'] });
  await file.save({ incarnation: 8, addresses: ['h:1', 'h:2'] });
  expect(await membershipFile(disk, 'data', onFailed).load()).toMatchObject({
    incarnation: 8,
    addresses: ['h:1', 'h:2'],
  });
  expect(failures).toEqual([]);
});

it('is as good as none where it is damaged', async () => {
  const disk = createMemoryDisk();
  await disk.makeDirectory('data');
  for (const text of ['', '{', '{"format":2,"incarnation":7,"addresses":[]}', '{"format":1,"incarnation":"7"}']) {
    const file = await disk.open('data/membership.json', 'create').catch(async () => {
      await disk.remove('data/membership.json');
      return disk.open('data/membership.json', 'create');
    });
    await file.write(Buffer.from(text), 0);
    await file.close();
    expect(await membershipFile(disk, 'data', onFailed).load()).toBeUndefined();
  }
});

it('does not keep a node from starting where it cannot be written', async () => {
  const disk = createFaultDisk({ seed: 5 });
  await disk.makeDirectory('data');
  disk.inject({ operation: 'open', effect: { kind: 'error', code: 'ENOSPC' } });
  await membershipFile(disk, 'data', onFailed).save({ incarnation: 7, addresses: [] });
  expect(failures).toHaveLength(1);
});
