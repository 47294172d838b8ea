import { createSeededRandom } from '@shanghai/env';
import { createFaultDisk, createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { SegmentMaker } from './segment-maker.js';

const mib = 1_048_576;
const settle = () => new Promise((resolve) => setImmediate(resolve));

async function makerOn(ahead: number) {
  const clock = createManualClock();
  const disk = createFaultDisk({ seed: 1, clock });
  await disk.makeDirectory('/log');
  const maker = new SegmentMaker({ disk, clock, random: createSeededRandom(1), directory: '/log', ahead });
  return { clock, disk, maker };
}

test('a file is filled a slice at a time, each synced, and then ready', async () => {
  const { clock, disk, maker } = await makerOn(1);
  maker.keepAhead(3 * mib);
  await clock.advance(0);
  for (let i = 0; i < 5; i++) await clock.advance(100);
  const prepared = await maker.take();
  expect(prepared).toMatchObject({ bytes: 3 * mib, recycled: false });
  expect(disk.trace.filter((line) => line.includes('sync'))).toHaveLength(3);
  await prepared.file.close();
  await maker.close();
});

test('a writer that arrives early takes the file as far as it is filled', async () => {
  const { clock, disk, maker } = await makerOn(1);
  disk.inject({ operation: 'sync', effect: { kind: 'delay', delayMs: 50 } });
  maker.keepAhead(8 * mib);
  await clock.advance(60);
  const prepared = await maker.take();
  expect(prepared.bytes).toBe(mib);
  await prepared.file.close();
  await maker.close();
});

test('a spare file is used again, cut to the length asked for', async () => {
  const { disk, maker } = await makerOn(1);
  disk.setContents('/log/ahead-00.tmp', new Uint8Array(5000).fill(1));
  expect(maker.wantsSpare).toBe(true);
  maker.addSpare('/log/ahead-00.tmp');
  expect(maker.wantsSpare).toBe(false);
  maker.keepAhead(3000);
  const prepared = await maker.take();
  expect(prepared).toMatchObject({ path: '/log/ahead-00.tmp', bytes: 3000, recycled: true });
  await prepared.file.close();
  await maker.close();
});

test('what fails in the background is removed, and the next take makes a file itself', async () => {
  const { disk, maker } = await makerOn(1);
  disk.inject({ operation: 'write', effect: { kind: 'error', code: 'ENOSPC' } });
  maker.keepAhead(mib);
  await settle();
  await settle();
  expect(disk.files()).toEqual([]);
  const prepared = await maker.take();
  expect(prepared.bytes).toBe(0);
  await prepared.file.close();
  await maker.close();
});

test('without files ahead none is made before it is taken', async () => {
  const { disk, maker } = await makerOn(0);
  maker.keepAhead(mib);
  await settle();
  expect(disk.files()).toEqual([]);
  expect(maker.wantsSpare).toBe(false);
  await maker.close();
});

test('closing in the middle of filling waits for the slice and leaves no open file', async () => {
  const { disk, maker } = await makerOn(1);
  maker.keepAhead(64 * mib);
  await settle();
  await maker.close();
  expect(disk.openFiles).toBe(0);
});
