import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openBitcask } from '../src/open-bitcask.js';
import { bytesOf, textOf } from './history.js';

const cycles = process.env['SHANGHAI_DEEP'] === '1' ? 60 : 4;
const script = fileURLToPath(new URL('./kill-writer.ts', import.meta.url));
const loader = new URL('./load-typescript.mjs', import.meta.url).href;

/** Starts a writer; it prints a line for every acknowledged batch. */
function startWriter(directory: string, first: number): ChildProcess {
  // As an import of the process, so that the threads of merges, too, can load TypeScript.
  return spawn(process.execPath, ['--conditions=@shanghai/source', '--import', loader, script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, KILL_DIRECTORY: directory, KILL_FIRST: String(first) },
  });
}

test('kill -9 in the middle of writes and merges: every acknowledged batch is there, whole, and the lock is free', async () => {
  const directory = await mkdtemp(`${tmpdir()}/bitcask-kill-`);
  let acknowledged = 0;
  try {
    for (let cycle = 1; cycle <= cycles; cycle++) {
      const child = startWriter(directory, acknowledged + 1);
      const exited = new Promise((resolve) => child.once('exit', resolve));
      let lines = 0;
      for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
        const [number = 0, merges = 0] = line.split(' ').map(Number);
        acknowledged = number;
        if (++lines >= 60 * cycle && merges >= 1 + (cycle % 2)) child.kill('SIGKILL');
      }
      await exited;
      expect(lines).toBeGreaterThanOrEqual(60 * cycle);
      const store = await openBitcask({ directory, segmentBytes: 65_536 });
      expect((await store.verify()).problems).toEqual([]);
      const found = new Map<string, string>();
      for await (const { key, value } of store.range()) found.set(textOf(key), textOf(value).slice(0, 8));
      const last = Number(textOf((await store.get(bytesOf('last'))) as Uint8Array));
      expect(last).toBeGreaterThanOrEqual(acknowledged);
      for (let slot = 0; slot < 50; slot++) {
        // The writer's batch n sets slot n mod 50 and `last`, both to n: after a prefix they agree.
        const newest = last - ((last - slot) % 50);
        if (newest >= 1) expect(found.get(`slot ${slot}`)).toBe(String(newest).padStart(8, '0'));
      }
      acknowledged = last;
      await store.close();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
