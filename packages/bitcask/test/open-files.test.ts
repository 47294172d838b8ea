/** Fewer file descriptors than a store would like: it says so, or does with what it was told to; it never answers wrongly. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openBitcask } from '../src/open-bitcask.js';
import { bytesOf } from './history.js';

const script = fileURLToPath(new URL('./open-files-reader.ts', import.meta.url));
const loader = new URL('./load-typescript.mjs', import.meta.url).href;
const segments = 200;

interface Report {
  readonly read: number;
  readonly wrong: number;
  readonly errors: Readonly<Record<string, number>>;
}

/** Reads every key in a process that may have `limit` files open. */
async function readWith(directory: string, limit: number, maxOpenFiles: number): Promise<Report> {
  const command = `ulimit -n ${limit} && exec "$@"`;
  const node = [process.execPath, '--conditions=@shanghai/source', '--import', loader, script];
  const args = ['-c', command, 'sh', ...node, directory, String(maxOpenFiles), String(segments)];
  const child = spawn('/bin/sh', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect(code).toBe(0);
  return JSON.parse(output) as Report;
}

test('with fewer file descriptors than maxOpenFiles a store is refused with IO_ERROR; with fewer open files all is read', async () => {
  const directory = await mkdtemp(`${tmpdir()}/bitcask-files-`);
  try {
    const store = await openBitcask({ directory, durability: 'never', segmentBytes: 4_096, merge: { enabled: false } });
    for (let i = 0; i < segments; i++) await store.put(bytesOf(`k${i}`), new Uint8Array(3_900).fill(i));
    await store.close();
    expect(await readWith(directory, 150, 8)).toEqual({ read: segments, wrong: 0, errors: {} });
    const starved = await readWith(directory, 150, 1_000);
    expect(starved).toEqual({ read: 0, wrong: 0, errors: { IO_ERROR: segments } });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
