import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { directoryBytes, writeBytesOf } from './process-io.js';

test('bytes sent to storage are read from the line of that name, not from the one of cancelled ones', () => {
  expect(writeBytesOf('rchar: 1\nwchar: 2\nread_bytes: 3\nwrite_bytes: 4096\ncancelled_write_bytes: 5\n')).toBe(4_096);
  expect(writeBytesOf('cancelled_write_bytes: 5\n')).toBeUndefined();
});

test('a directory weighs what its files weigh, those further down too', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'shanghai-bytes-'));
  try {
    await mkdir(join(directory, 'below'));
    await writeFile(join(directory, 'a'), new Uint8Array(10_000).fill(1));
    await writeFile(join(directory, 'below', 'b'), new Uint8Array(500).fill(1));
    expect(await directoryBytes(directory)).toBe(10_500);
  } finally {
    await rm(directory, { recursive: true });
  }
});
