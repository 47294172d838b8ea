/** What the process and the machine below it say of themselves, for a diagnosis. */
import { readdir, readFile, statfs } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { LatencySummary, RecentLatencies } from './recent-latencies.js';

/** As `GetDiagnosticsResponse` of the protocol has them; 0 and `''` where it is not known. */
export interface ProcessDiagnostics {
  readonly walSync: LatencySummary;
  readonly fileSystem: { readonly type: string; readonly totalBytes: number; readonly availableBytes: number };
  readonly limits: {
    readonly openFiles: number;
    readonly maxOpenFiles: number;
    readonly residentBytes: number;
    readonly heapBytes: number;
    readonly maxHeapBytes: number;
    readonly eventLoopP99Ms: number;
  };
  readonly runtimeVersion: string;
}

/** Gathers them; `close` ends the measuring of the event loop. */
export interface DiagnosticsSource {
  gather(): Promise<ProcessDiagnostics>;
  close(): void;
}

const loopResolutionMs = 20;

/** Of this process, whose data lies in `dataDirectory`. */
export function processDiagnostics(dataDirectory: string, walSyncs: RecentLatencies): DiagnosticsSource {
  const loop = monitorEventLoopDelay({ resolution: loopResolutionMs });
  loop.enable();
  return {
    async gather() {
      const { rss, heapUsed } = process.memoryUsage();
      // What is measured is how late a timer of that resolution came.
      const eventLoopP99Ms = Math.max(0, loop.percentile(99) / 1e6 - loopResolutionMs);
      loop.reset();
      return {
        walSync: walSyncs.summary(performance.now()),
        fileSystem: await fileSystemOf(dataDirectory),
        limits: {
          openFiles: await openFiles(),
          maxOpenFiles: await maxOpenFiles(),
          residentBytes: rss,
          heapBytes: heapUsed,
          maxHeapBytes: getHeapStatistics().heap_size_limit,
          eventLoopP99Ms,
        },
        runtimeVersion: process.version,
      };
    },
    close: () => loop.disable(),
  };
}

/** Kinds of file systems by the number that statfs(2) gives, as in Linux' magic.h. */
const fileSystemNames: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0xf2f52010, 'f2fs'],
  [0x2fc12fc1, 'zfs'],
  [0x794c7630, 'overlayfs'],
  [0x01021994, 'tmpfs'],
  [0x858458f6, 'ramfs'],
  [0x6969, 'nfs'],
  [0xff534d42, 'cifs'],
  [0xfe534d42, 'smb2'],
  [0x65735546, 'fuse'],
  [0x01021997, '9p'],
  [0x00c36400, 'ceph'],
]);

async function fileSystemOf(path: string): Promise<ProcessDiagnostics['fileSystem']> {
  try {
    const { type, bsize, blocks, bavail } = await statfs(path);
    const name = process.platform === 'linux' ? fileSystemNames.get(type >>> 0) : undefined;
    return { type: name ?? '', totalBytes: bsize * blocks, availableBytes: bsize * bavail };
  } catch {
    return { type: '', totalBytes: 0, availableBytes: 0 };
  }
}

async function openFiles(): Promise<number> {
  const entries = await readdir('/proc/self/fd').catch(() => []);
  return entries.length;
}

async function maxOpenFiles(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'latin1').catch(() => '');
  return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? 0);
}
