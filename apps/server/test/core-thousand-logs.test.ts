/** What many named logs cost the disk of a node: what is opened, synced and laid out ahead. Times are the benchmark's. */
import type { Disk, DiskFile } from '@shanghai/env';
import { afterEach, expect, test } from 'vitest';
import type { ShanghaiNode } from '../src/node.js';
import {
  appendTo,
  createManualClock,
  createMemoryDisk,
  openTestNode,
  quorumLog,
  readLog,
  request,
} from './core-harness.js';

/** A thousand where there is time for it. */
const logCount = process.env['SHANGHAI_DEEP'] === '1' ? 1_000 : 100;
const closing: ShanghaiNode[] = [];

afterEach(async () => {
  for (const node of closing.splice(0)) await node.close(1_000);
});

/** A disk that notes which files are opened and synced. */
function watchedDisk() {
  const memory = createMemoryDisk();
  const opened: string[] = [];
  const synced: string[] = [];
  const watched = (file: DiskFile): DiskFile =>
    new Proxy(file, {
      get(target, name) {
        if (name === 'sync' || name === 'syncSync') synced.push(target.path);
        const member = target[name as keyof DiskFile];
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
  const disk: Disk = new Proxy<Disk>(memory, {
    get(target, name) {
      if (name === 'open') {
        return async (...[path, mode]: Parameters<Disk['open']>) => {
          opened.push(path);
          return watched(await target.open(path, mode));
        };
      }
      const member = target[name as keyof Disk];
      return typeof member === 'function' ? (member as () => unknown).bind(target) : member;
    },
  });
  return { disk, memory, opened, synced };
}

const isOfLogs = (path: string) => /(^|\/)logs\/\d+\//.test(path);

test('many logs share one sync stream, lay nothing out ahead, and are not opened by a start', async () => {
  const { disk, memory, opened, synced } = watchedDisk();
  const clock = createManualClock(1_000_000);
  // The defaults, under which a write-ahead log alone would make its next segments in advance.
  const first = await openTestNode(disk, clock, { logs: {}, limits: { openLogs: 2 * logCount } });
  closing.push(first);
  for (let i = 0; i < logCount; i++) await first.logs.create(`log-${i}`, quorumLog, request());
  const appendToAll = (what: string) =>
    Promise.all(Array.from({ length: logCount }, (_, i) => appendTo(first, `log-${i}`, `${what} ${i}`)));
  await appendToAll('first of');
  // A file is synced when it is made, and then at checkpoints alone, or when it is closed to make room for others.
  synced.length = 0;
  await appendToAll('second of');
  expect(synced.filter(isOfLogs)).toEqual([]);
  // Appends that are made at once share the syncs of the one log.
  expect(synced.length).toBeLessThan(logCount / 10);
  const files = memory.files().filter(isOfLogs);
  const stat = await Promise.all(files.map(async (path) => (await memory.stat(path))?.bytes ?? 0));
  expect(files.length).toBeGreaterThanOrEqual(logCount);
  // A segment with two entries, not one of a size that somebody may need one day.
  expect(stat.reduce((sum, bytes) => sum + bytes, 0) / logCount).toBeLessThan(5_000);
  await first.checkpoint();
  await closing.pop()?.close(1_000);
  opened.length = 0;
  const again = await openTestNode(disk, clock, { logs: {} });
  closing.push(again);
  expect(opened.filter(isOfLogs)).toEqual([]);
  expect(await readLog(again, 'log-7')).toEqual(['first of 7', 'second of 7']);
  expect(new Set(opened.filter(isOfLogs).map((path) => path.split('/logs/')[1]?.split('/')[0])).size).toBe(1);
});
