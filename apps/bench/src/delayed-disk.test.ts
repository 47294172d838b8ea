import { createMemoryDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { delayedDisk } from './delayed-disk.js';

test('a delayed disk stores what it is given, and its syncs take at least as long as asked', async () => {
  const disk = delayedDisk(createMemoryDisk(), 20);
  const file = await disk.open('/f', 'create');
  expect(await file.write(new Uint8Array([1, 2, 3]), 0)).toBe(3);
  const startMs = performance.now();
  let hasRunMeanwhile = false;
  setImmediate(() => {
    hasRunMeanwhile = true;
  });
  await file.sync();
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(19);
  expect(hasRunMeanwhile).toBe(true);
  file.syncSync();
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(38);
  expect(file.sizeSync()).toBe(3);
  await file.close();
});
