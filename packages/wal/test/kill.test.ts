import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeDisk } from '@shanghai/env';
import { expect, test } from 'vitest';
import { openWal, verifyWal } from '../src/index.js';
import { recordPayload } from './support/record-payload.js';

const writer = fileURLToPath(new URL('./support/child-writer.ts', import.meta.url));
const cycles = process.env['SHANGHAI_DEEP'] === '1' ? 50 : 3;

/** Runs a writer, kills it when it has acknowledged `records` more, resolves to the highest LSN acknowledged. */
function writeAndKill(directory: string, records: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--import', 'tsx', '--conditions', '@shanghai/source', writer, directory]);
    let text = '';
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (text.split('\n').length > records) child.kill('SIGKILL');
    });
    child.on('exit', (_, signal) => {
      if (signal !== 'SIGKILL') return reject(new Error(`the writer ended by itself: ${errors}`));
      const acknowledged = text.split('\n').slice(1, -1).map(Number);
      resolve(Math.max(0, ...acknowledged));
    });
  });
}

test('a process killed again and again loses nothing that it acknowledged', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'wal-kill-'));
  try {
    let acknowledged = 0;
    for (let cycle = 0; cycle < cycles; cycle++) {
      acknowledged = Math.max(acknowledged, await writeAndKill(directory, 100 + cycle * 37));
      const report = await verifyWal(nodeDisk(), directory);
      expect(report.ok).toBe(true);
      expect(report.lastLsn).toBeGreaterThanOrEqual(acknowledged);
    }
    const wal = await openWal({ directory });
    let lsn = 0;
    for await (const entry of wal.entries()) {
      lsn++;
      expect(entry.lsn).toBe(lsn);
      expect(Buffer.compare(entry.payload, recordPayload(lsn, 50 + (lsn % 700)))).toBe(0);
    }
    expect(lsn).toBeGreaterThanOrEqual(acknowledged);
    await wal.close();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
