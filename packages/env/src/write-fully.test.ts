import { expect, test } from 'vitest';
import { readFully, readFullySync } from './read-fully.js';
import { createFaultDisk } from './testing/create-fault-disk.js';
import { writeFully, writeFullySync } from './write-fully.js';

const forever = Number.POSITIVE_INFINITY;
const content = Uint8Array.of(1, 2, 3, 4, 5, 6, 7);

test.each([1, 3, 7])(
  'with %i bytes moved at a time the whole buffer is written and read, in both forms',
  async (bytes) => {
    const disk = createFaultDisk({ seed: 1 });
    for (const operation of ['read', 'write'] as const) {
      disk.inject({ operation, times: forever, effect: { kind: 'short', bytes } });
    }
    const file = await disk.open('/a', 'create');
    await writeFully(file, content, 2);
    writeFullySync(file, content, 9);
    expect(disk.contents('/a')).toEqual(Uint8Array.of(0, 0, ...content, ...content));
    const buffer = new Uint8Array(7);
    expect(await readFully(file, buffer, 2)).toBe(7);
    expect(buffer).toEqual(content);
    expect(readFullySync(file, buffer, 12)).toBe(4);
    expect(buffer).toEqual(Uint8Array.of(4, 5, 6, 7, 5, 6, 7));
    expect(await readFully(file, buffer, 15)).toBe(1);
    expect(await readFully(file, buffer, 16)).toBe(0);
  },
);

test('a failure within ends the write with that error', async () => {
  const disk = createFaultDisk({ seed: 1 });
  const file = await disk.open('/a', 'create');
  disk.inject({ operation: 'write', effect: { kind: 'short', bytes: 2 } });
  disk.inject({ operation: 'write', effect: { kind: 'error', code: 'ENOSPC' } });
  await expect(writeFully(file, content, 0)).rejects.toMatchObject({ code: 'ENOSPC' });
  expect(disk.contents('/a')).toEqual(Uint8Array.of(1, 2));
});
