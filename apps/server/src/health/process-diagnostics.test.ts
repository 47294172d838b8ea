import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { processDiagnostics } from './process-diagnostics.js';
import { RecentLatencies } from './recent-latencies.js';

test('a process tells of its limits, and of the file system below a directory', async () => {
  const syncs = new RecentLatencies();
  syncs.add(2, performance.now());
  const source = processDiagnostics(tmpdir(), syncs);
  const { walSync, fileSystem, limits, runtimeVersion } = await source.gather();
  source.close();
  expect(walSync).toMatchObject({ count: 1, p50Ms: 2 });
  expect(fileSystem.totalBytes).toBeGreaterThanOrEqual(fileSystem.availableBytes);
  expect(fileSystem.totalBytes).toBeGreaterThan(0);
  expect(limits.maxHeapBytes).toBeGreaterThan(limits.heapBytes);
  expect(limits.residentBytes).toBeGreaterThan(0);
  expect(limits.maxOpenFiles === 0 || limits.maxOpenFiles >= limits.openFiles).toBe(true);
  expect(runtimeVersion).toBe(process.version);
});

test('a directory that is not there is one of which nothing is known', async () => {
  const source = processDiagnostics('/nonexistent/directory', new RecentLatencies());
  expect((await source.gather()).fileSystem).toEqual({ type: '', totalBytes: 0, availableBytes: 0 });
  source.close();
});
