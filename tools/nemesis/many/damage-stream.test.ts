import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { damageStream } from './damage-stream.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'shanghai-damage-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function write(stream: string, bytes: number): string {
  const folder = join(directory, 'logs', '4', stream);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, '1.wal');
  writeFileSync(path, Buffer.concat([Buffer.alloc(bytes, 7), Buffer.alloc(500)]));
  return path;
}

test('what another node wrote is damaged in its middle, never what the node wrote itself', () => {
  expect(damageStream(directory, 1)).toBeUndefined();
  const own = write('1.1', 9_000);
  expect(damageStream(directory, 1)).toBeUndefined();
  const others = write('2.3', 1_000);
  expect(damageStream(directory, 1)).toEqual({ name: join('4', '2.3', '1.wal'), offset: 500 });
  const flipped = readFileSync(others);
  expect([...flipped.entries()].filter(([i, byte]) => byte !== (i < 1_000 ? 7 : 0)).map(([i]) => i)).toEqual(
    Array.from({ length: 16 }, (_, i) => 500 + i),
  );
  expect(
    readFileSync(own)
      .subarray(0, 9_000)
      .every((byte) => byte === 7),
  ).toBe(true);
});
