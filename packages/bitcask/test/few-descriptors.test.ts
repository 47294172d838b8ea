import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { openBitcask } from '../src/open-bitcask.js';

const script = fileURLToPath(new URL('./few-descriptors.ts', import.meta.url));
const loader = new URL('./load-typescript.mjs', import.meta.url).href;

test.skipIf(process.platform === 'win32')(
  'with 128 descriptors and more segments than that, reads wait or fail as IO_ERROR, and never answer wrongly',
  async () => {
    const directory = await mkdtemp(`${tmpdir()}/bitcask-descriptors-`);
    try {
      const command = 'ulimit -n 128 && exec "$0" --conditions=@shanghai/source --import "$1" "$2"';
      const { stdout } = await promisify(execFile)('sh', ['-c', command, process.execPath, loader, script], {
        env: { ...process.env, FEW_DIRECTORY: directory },
      });
      const seen = JSON.parse(stdout);
      expect(seen.segments).toBeGreaterThan(150);
      expect(seen).toMatchObject({ wrong: 0, rows: 6_000 });
      expect(seen.right).toBeGreaterThanOrEqual(6_000);
      expect(['', 'IO_ERROR']).toContain(seen.failed.join());
      const store = await openBitcask({ directory, readOnly: true });
      expect((await store.verify()).problems).toEqual([]);
      expect(store.size).toBe(6_000);
      await store.close();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
);
