import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeDisk } from '@shanghai/env';
import { expect, test } from 'vitest';
import { createSegment } from './core/segment.js';
import { buildHintOnThread, NoHintThread } from './hint-thread.js';
import { openBitcask } from './open-bitcask.js';

const segment = createSegment({ fileId: 7, segmentId: 1, seed: 1, kind: 'log' });

function moduleOf(source: string): URL {
  return new URL(
    `data:text/javascript,${encodeURIComponent(`import { parentPort } from 'node:worker_threads'; ${source}`)}`,
  );
}

test('a thread that cannot be loaded is told from one that failed', async () => {
  const missing = new URL('file:///nowhere/hint-worker.js');
  await expect(buildHintOnThread('/store', segment, missing)).rejects.toThrow(NoHintThread);
  const dying = moduleOf(`parentPort.on('message', () => { throw new Error('out of memory'); });
    parentPort.postMessage({ kind: 'ready' });`);
  expect(await buildHintOnThread('/store', segment, dying)).toBe(false);
});

test('the thread hears which segment, and its word is what counts', async () => {
  for (const fileId of [7, 8]) {
    const module = moduleOf(`parentPort.on('message', ({ directory, segment }) => {
        const written = directory === '/store' && segment.fileId === 7;
        parentPort.postMessage({ kind: 'ended', written });
        parentPort.close();
      });
      parentPort.postMessage({ kind: 'ready' });`);
    expect(await buildHintOnThread('/store', { ...segment, fileId }, module)).toBe(fileId === 7);
  }
});

test('a large segment has its hint after close, with a thread or without', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'shanghai-hint-'));
  try {
    const options = { directory, disk: nodeDisk(), durability: 'never' } as const;
    const store = await openBitcask(options);
    const value = new Uint8Array(100_000).fill(1);
    for (let i = 0; i < 90; i++) await store.put(new Uint8Array([i]), value);
    await store.close();
    const sources: string[] = [];
    const again = await openBitcask({ ...options, listener: { recovered: ({ from }) => sources.push(from) } });
    expect(sources).not.toContain('scan');
    expect(again.size).toBe(90);
    expect((await again.verify()).problems).toEqual([]);
    await again.close();
  } finally {
    await rm(directory, { recursive: true });
  }
});
